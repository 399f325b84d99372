from __future__ import annotations

import pytest
import torch
from torch import nn

from facenet_demo.networks import FaceCNN, FaceCNNNetwork, NetworkSettings, Torchvision
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
