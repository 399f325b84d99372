from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from facenet_demo.features.attribution import integrated_gradients, occlusion, speaking_units
from facenet_demo.networks import FaceCNN

SIZE = 32


class Window(nn.Module):
    """Score 1 is the brightness of one place, score 0 its negative."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = images[:, :, 8:16, 20:28].mean(dim=(1, 2, 3)) * self.weight
        return torch.stack([-bright, bright], dim=1)


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = FaceCNN(channels=(8, 8, 12), dropout=0.5).build(num_classes=4)
    for _ in range(30):  # so that batch statistics are those of its input
        network.train()(torch.rand(32, 3, SIZE, SIZE))
    nn.init.normal_(network.classifier.weight)
    nn.init.normal_(network.classifier.bias)
    return network.eval()


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_occlusion_finds_the_place_a_network_reads(image: torch.Tensor) -> None:
    image = image * 0.2
    image[:, 8:16, 20:28] = 1
    hidden = occlusion(Window(), image, 1, patch=8, stride=4)
    assert hidden.shape == (SIZE, SIZE)
    assert hidden.argmax() in [y * SIZE + x for y in range(8, 16) for x in range(20, 28)]
    assert hidden[8:16, 20:28].min() > 0
    assert (hidden[20:] == 0).all()
    assert torch.allclose(occlusion(Window(), image, 0, patch=8, stride=4), -hidden)


@pytest.mark.parametrize(("patch", "stride"), [(8, 8), (8, 4), (10, 7)])
def test_occlusion_equals_covering_by_hand(image: torch.Tensor, patch: int, stride: int) -> None:
    network = small()
    total, times = torch.zeros(SIZE, SIZE), torch.zeros(SIZE, SIZE)
    steps = range(0, SIZE - patch + stride, stride)
    with torch.no_grad():
        whole = network(image[None])[0, 2]
        for y in steps:
            for x in steps:
                covered = image.clone()
                covered[:, y : y + patch, x : x + patch] = image.mean(dim=(1, 2))[:, None, None]
                total[y : y + patch, x : x + patch] += whole - network(covered[None])[0, 2]
                times[y : y + patch, x : x + patch] += 1
    hidden = occlusion(network, image, 2, patch=patch, stride=stride)
    assert torch.allclose(hidden, total / times, atol=1e-4)


@pytest.mark.parametrize(("patch", "stride"), [(0, 1), (4, 0), (4, 5), (SIZE + 1, 4)])
def test_a_patch_that_leaves_gaps_or_does_not_fit_is_refused(
    image: torch.Tensor, patch: int, stride: int
) -> None:
    with pytest.raises(ValueError, match="does not cover an image of 32 x 32"):
        occlusion(small(), image, 0, patch=patch, stride=stride)


def test_integrated_gradients_of_a_linear_network_are_known(image: torch.Tensor) -> None:
    expected = torch.zeros(SIZE, SIZE)
    departure = (image - image.mean(dim=(1, 2), keepdim=True)).sum(dim=0)
    expected[8:16, 20:28] = departure[8:16, 20:28] / (3 * 8 * 8)
    assert torch.allclose(integrated_gradients(Window(), image, 1, spread=0), expected, atol=1e-5)
    shares = integrated_gradients(Window(), image, 1)
    assert float(shares.sum()) == pytest.approx(float(expected.sum()), abs=1e-5)
    assert shares.abs().max() < expected.abs().max()


def test_integrated_gradients_add_up_to_the_score(image: torch.Tensor) -> None:
    network = small()
    image = image * 0.3
    image[:, 4:20, 10:28] = 1
    empty = image.mean(dim=(1, 2), keepdim=True).expand_as(image)
    with torch.no_grad():
        with_face, without = network(torch.stack([image, empty]))[:, 3]
    shares = integrated_gradients(network, image, 3, steps=200)
    assert abs(with_face - without) > 0.3
    assert float(shares.sum()) == pytest.approx(float(with_face - without), abs=0.005)


def test_another_network_gives_another_map(image: torch.Tensor) -> None:
    """The sanity check: a map that survives new weights says nothing about the network."""
    for explain in (partial(integrated_gradients, spread=0), occlusion):
        maps = [explain(small(seed), image, 0).flatten() for seed in (0, 1)]
        assert abs(spearmanr(*maps).statistic) < 0.5


def test_all_units_before_a_linear_head_and_the_bias_are_the_score(image: torch.Tensor) -> None:
    network = small()
    with torch.no_grad():
        score = network(image[None])[0, 1]
    spoke = speaking_units(network, "stages.2", image, 1, count=99)
    assert sorted(unit for unit, _ in spoke) == list(range(12))
    total = sum(value for _, value in spoke) + network.classifier.bias[1].item()
    assert total == pytest.approx(float(score), rel=1e-4)
    assert [value for _, value in spoke] == sorted((v for _, v in spoke), reverse=True)
    assert speaking_units(network, "stages.2", image, 1, count=3) == spoke[:3]


def test_each_unit_speaks_with_its_activation_times_its_weight() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network.append(nn.Linear(2, 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0]])[:, :, None, None])
        network[3].weight.copy_(torch.tensor([[-3.0, 2.0]]))
    image = torch.tensor([0.5, 0.25, 1.0])[:, None, None].expand(3, 4, 4)
    spoke = speaking_units(network, "0", image, 0, count=2)
    assert spoke == [(1, pytest.approx(0.5)), (0, pytest.approx(-1.5))]
    numbers = speaking_units(network, "2", image, 0, count=2)
    assert numbers == [(1, pytest.approx(0.5)), (0, pytest.approx(-1.5))]


EXPLAIN: list[Callable[[nn.Module, torch.Tensor], object]] = [
    lambda network, image: occlusion(network, image, 0),
    lambda network, image: integrated_gradients(network, image, 0),
    lambda network, image: speaking_units(network, "stages.1", image, 0, 2),
]


@pytest.mark.parametrize("explain", EXPLAIN)
@pytest.mark.parametrize("fails", [False, True])
def test_the_network_is_left_as_it_was(explain: Callable, image: torch.Tensor, fails: bool) -> None:
    network = small().train()
    network.stages[1].eval()
    network.classifier.weight.grad = torch.full_like(network.classifier.weight, 7.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    if fails:
        with pytest.raises(RuntimeError):
            explain(network, image[:2])
    else:
        explain(network, image)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert (network.classifier.weight.grad == 7).all()
    assert [name for name, p in network.named_parameters() if p.grad is not None] == [
        "classifier.weight"
    ]
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    assert not image.requires_grad


@pytest.mark.parametrize("explain", EXPLAIN)
def test_it_works_where_lightning_validates(explain: Callable, image: torch.Tensor) -> None:
    network = small()
    with torch.inference_mode():
        explain(network, image.clone())
