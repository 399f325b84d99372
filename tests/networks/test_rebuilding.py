from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torchvision import models

from facenet_demo.networks import (
    FaceCNN,
    FaceCNNNetwork,
    FaceNetwork,
    NetworkSettings,
    Torchvision,
)
from facenet_demo.networks.rebuilding import rebuild

SMALL = FaceCNN(channels=(4, 8), normalization="group")
# One of each family, the small ones; those with tables of places, and those that calculate with
# tensors when they are built.
NETWORKS = {
    "FaceCNN": (FaceCNN(channels=(4, 8, 8)), 48),
    **{
        name: (Torchvision(name), window)
        for name, window in (
            ("resnet18", 64),
            ("mobilenet_v3_small", 64),
            ("shufflenet_v2_x0_5", 64),
            ("mnasnet0_5", 64),
            ("efficientnet_b0", 64),
            ("regnet_y_400mf", 64),
            ("googlenet", 96),
            ("swin_t", 64),
            ("swin_v2_t", 64),
            ("maxvit_t", 224),
            ("vit_b_32", 224),
        )
    },
}


def trained(settings: NetworkSettings, num_classes: int = 3) -> nn.Module:
    """A network none of whose weights and buffers is as it was made."""
    network = settings.build(num_classes).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            if value.is_floating_point():
                value.add_(torch.rand_like(value) * 0.01)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_it_answers_as_the_network_did(name: str) -> None:
    settings, window = NETWORKS[name]
    network = trained(settings)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    before = torch.get_rng_state()
    rebuilt = rebuild(settings, 3, weights).eval()
    assert torch.equal(torch.get_rng_state(), before), "no weights were drawn for nothing"
    images = torch.rand(2, 3, window, window)
    with torch.inference_mode():
        assert torch.equal(rebuilt(images), network(images))
    rebuilt(images).sum().backward()
    assert all(p.grad is not None for p in rebuilt.parameters() if p.requires_grad)
    assert [p.requires_grad for p in rebuilt.parameters()] == [
        p.requires_grad for p in network.parameters()
    ]


def test_weights_of_another_type_or_order_in_memory_are_taken_as_the_settings_make_them() -> None:
    network = trained(SMALL)
    weights = {
        name: value.half().to(memory_format=torch.channels_last) if value.ndim == 4 else value
        for name, value in network.state_dict().items()
    }
    rebuilt = rebuild(SMALL, 3, weights)
    for name, value in rebuilt.state_dict().items():
        assert value.dtype == torch.float32
        assert value.is_contiguous()
        assert torch.equal(value, weights[name].float())


class WithTable(FaceCNN):
    """Its network has a buffer that is not kept with the weights."""

    def build(self, num_classes: int) -> FaceCNNNetwork:
        network = FaceCNNNetwork(self, num_classes)
        network.register_buffer("table", torch.ones(3), persistent=False)
        return network


def test_what_no_weights_are_kept_of_is_made() -> None:
    settings = WithTable(channels=(4, 8))
    network = trained(settings)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    rebuilt = rebuild(settings, 3, weights)
    assert rebuilt.get_buffer("table").tolist() == [1, 1, 1]
    assert torch.equal(rebuilt.get_parameter("classifier.weight"), weights["classifier.weight"])


@dataclass(frozen=True)
class Tried(NetworkSettings):
    """A network that is made as one's own often are.

    It takes the first stages of another one, asks by a first answer how many features there are,
    and draws a weight itself.
    """

    size: int = 4

    def build(self, num_classes: int) -> TriedNetwork:
        return TriedNetwork(self, num_classes)


class TriedNetwork(FaceNetwork):
    layers, first_layer = ("body.4", "body.5"), "body.0"

    def __init__(self, settings: Tried, num_classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*list(models.resnet50(weights=None).children())[:6])
        with torch.no_grad():
            num_features = self.body.eval()(torch.rand(1, 3, 32, 32)).shape[1]
        self.places = nn.Parameter(0.02 * torch.randn(settings.size, settings.size))
        self.classifier = nn.Linear(num_features, num_classes)
        nn.init.orthogonal_(self.classifier.weight)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(self.normalize(images)).mean((2, 3)) + self.places.sum()


def test_a_network_made_in_other_ways_is_rebuilt_too() -> None:
    network = trained(Tried())
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    rebuilt = rebuild(Tried(), 3, weights).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(rebuilt(images), network(images))
    with pytest.raises(ValueError, match=r"places is \(4, 4\), the settings ask for \(1000000, 10"):
        rebuild(Tried(size=10**6), 3, weights)  # 4 TB


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("classifier.bias"), "there is no classifier.bias"),
        (lambda w: w.update(more=torch.zeros(1)), "they have no more"),
        (lambda w: w.update(mean=torch.zeros(4, 1, 1)), r"mean is \(4, 1, 1\).* ask for \(3, 1, 1"),
        (lambda w: w.update(mean="x"), "mean is not a plain tensor"),
    ],
)
def test_what_does_not_fit_is_said(change: object, says: str) -> None:
    weights = dict(SMALL.build(3).state_dict())
    change(weights)
    with pytest.raises(ValueError, match=says):
        rebuild(SMALL, 3, weights)
