from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.features.synthesis import IMAGENET_COLOURS, colour_basis, synthesize
from facenet_demo.features.trace import Trace
from facenet_demo.networks import FaceCNN

SIZE = 24


def hand_set(bias: float = 0.0) -> nn.Sequential:
    """Units: dark left of bright; dark above bright; red. Then a number for the first two."""
    edge = torch.tensor([-1.0, -1.0, 0.0, 1.0, 1.0]).expand(5, 5)
    conv = nn.Conv2d(3, 3, 5, padding=2)
    with torch.no_grad():
        conv.weight[0] = edge
        conv.weight[1] = edge.T
        conv.weight[2] = torch.tensor([1.0, -0.5, -0.5])[:, None, None].expand(3, 5, 5)
        conv.bias.fill_(bias)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(conv, nn.ReLU(), pool, nn.Linear(3, 2), nn.Dropout(0.5))


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 40, 3), nn.ReLU()
    )


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return synthesize(hand_set(), "1", range(3), SIZE)


def test_an_edge_unit_gets_an_edge_of_its_direction(pictures: torch.Tensor) -> None:
    middle = slice(SIZE // 2 - 4, SIZE // 2 + 5)
    light = pictures.mean(dim=1)[:, middle, middle]
    across = light.diff(dim=2).square().mean(dim=(1, 2))
    down = light.diff(dim=1).square().mean(dim=(1, 2))
    assert across[0] > 4 * down[0]
    assert down[1] > 4 * across[1]
    assert light[0, :, :3].mean() < 0.3, "dark on the left"
    assert light[0, :, -3:].mean() > 0.7, "bright on the right"


def test_a_red_unit_gets_red(pictures: torch.Tensor) -> None:
    red, green, blue = pictures[2, :, SIZE // 2, SIZE // 2]
    assert red > 0.6
    assert max(green, blue) < 0.4


def test_pictures_have_their_range_and_are_not_saturated(pictures: torch.Tensor) -> None:
    assert pictures.shape == (3, 3, SIZE, SIZE)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert ((pictures - 0.5).abs() > 0.49).float().mean() < 0.1


def test_a_picture_excites_more_than_any_of_100_faces(orl: FaceDataModule) -> None:
    torch.manual_seed(0)
    network = FaceCNN(channels=(8, 8, 16)).build(num_classes=5)
    faces = orl.windows(np.arange(0, 400, 4))
    network.train()(faces)  # adapts batch statistics: units are neither dead nor always on
    network.eval()
    for layer in network.layers:
        pictures = synthesize(network, layer, range(8), 64, colours=colour_basis(faces))
        with torch.no_grad(), Trace(network, [layer]) as trace:
            network(torch.cat([pictures, faces]))
        maps = trace[layer][:, :8]
        centre = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
        assert (centre[:8].diagonal() > centre[8:].amax(dim=0)).all(), layer


def test_an_output_is_excited_too() -> None:
    network = hand_set()
    with torch.no_grad():
        network[3].weight.copy_(torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
    found = synthesize(network, "3", [0, 1], SIZE)
    with torch.no_grad():
        scores = network.eval()(found)
    assert scores[0, 0] > 10 * scores[1, 0].clamp_min(0.01)
    redness = (found[:, 0] - found[:, 2]).mean(dim=(1, 2))
    assert redness[0] > 0.2
    assert redness[1] < 0.1


def test_a_dead_unit_gets_plain_grey() -> None:
    found = synthesize(hand_set(bias=-1e6), "1", [0, 1], SIZE)
    assert (found == 0.5).all()


def test_a_unit_s_picture_depends_on_no_other() -> None:
    network = small()
    every = synthesize(network, "4", range(40), SIZE, steps=16)
    some = synthesize(network, "4", [37, 5], SIZE, steps=16)
    assert torch.allclose(some, every[[37, 5]], atol=1e-3)
    assert (every[37] - every[5]).abs().max() > 0.1


def test_a_seed_gives_the_same_and_another_a_different_picture() -> None:
    network = small()
    first, again, other = (synthesize(network, "4", [5], SIZE, steps=8, seed=s) for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=0.01)


def test_a_network_of_grey_photos_gets_grey_pictures() -> None:
    grey = torch.rand(5, 1, 8, 8).expand(5, 3, 8, 8)
    found = synthesize(hand_set(), "1", [0, 2], SIZE, steps=8, colours=colour_basis(grey))
    assert torch.allclose(found, found.mean(dim=1, keepdim=True), atol=1e-4)
    assert found[0].std() > 0.05


def test_no_unit_no_picture() -> None:
    assert synthesize(small(), "4", [], SIZE).shape == (0, 3, SIZE, SIZE)


def test_it_works_where_lightning_validates() -> None:
    network = small()
    with torch.inference_mode():
        found = synthesize(network, "4", [5], SIZE, steps=4)
    assert found.std() > 0.01


def test_the_colours_of_photos_are_found_again() -> None:
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(3, 3, generator=generator))[0]
    weights = torch.randn(20_000, 3, generator=generator) * torch.tensor([0.2, 0.1, 0.05])
    pixels = 0.5 + weights @ axes.T
    basis = colour_basis(pixels.T.view(3, 4, 50, 100).transpose(0, 1))
    expected = axes * torch.tensor([1.0, 0.5, 0.25])
    signs = (basis * expected).sum(dim=0).sign()
    assert torch.allclose(basis * signs, expected, atol=0.02)


def test_lucid_s_colours_are_axes_of_their_own() -> None:
    light = IMAGENET_COLOURS[:, 0]
    assert (light > 0.2).all(), "the first is brightness"
    assert (IMAGENET_COLOURS[:, 1:].sum(dim=0).abs() < 0.03).all(), (
        "the others change no brightness"
    )


@pytest.fixture
def network_in_use() -> Iterator[nn.Sequential]:
    """One that trains, with a frozen part in evaluation mode and gradients in the making."""
    network = small().train()
    network[1].eval()
    network[0].weight.requires_grad_(False)
    network[3].weight.grad = torch.full_like(network[3].weight, 7.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    yield network
    assert [module.training for module in network] == [True, False, True, True, True]
    assert [p.requires_grad for p in network.parameters()] == [False] + [True] * 5
    assert (network[3].weight.grad == 7).all()
    assert network[0].bias.grad is None
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_network_is_left_as_it_was(network_in_use: nn.Sequential) -> None:
    synthesize(network_in_use, "4", [0, 1], SIZE, steps=3)


def test_after_an_error_too(network_in_use: nn.Sequential) -> None:
    with pytest.raises(ValueError, match="units 0 to 39, not 40"):
        synthesize(network_in_use, "4", [0, 40], SIZE)
    with pytest.raises(ValueError, match="No layer 'nine'"):
        synthesize(network_in_use, "nine", [0], SIZE)
    with pytest.raises(RuntimeError):
        synthesize(network_in_use, "4", [0], size=2)


def test_a_layer_of_neither_maps_nor_numbers_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(2), nn.Linear(SIZE * SIZE, 2))
    with pytest.raises(ValueError, match="neither maps"):
        synthesize(network, "1", [0], SIZE)
