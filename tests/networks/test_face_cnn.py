from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
import torch
from torch import nn
from torchvision.transforms.functional import resize

from facenet_demo.features.trace import Trace
from facenet_demo.networks import FaceCNN, FaceCNNNetwork
from facenet_demo.networks.face_cnn import ACTIVATIONS, NORMALIZATIONS


def build(**settings: object) -> FaceCNNNetwork:
    torch.manual_seed(0)
    return FaceCNN(**{"channels": (4, 8), **settings}).build(5).eval()


def test_stages_have_the_stated_units_and_halve_the_resolution_from_the_third_on() -> None:
    network = build(channels=(4, 8, 16, 8), first_stride=2)
    with Trace(network, network.layers) as trace:
        scores = network(torch.rand(2, 3, 64, 64))
    shapes = [tuple(trace[layer].shape[1:]) for layer in network.layers]
    assert shapes == [(4, 32, 32), (8, 32, 32), (16, 16, 16), (8, 8, 8)]
    assert scores.shape == (2, 5)
    assert network.first_kernels.shape == (4, 3, 7, 7)


@pytest.mark.parametrize("convolutions", [1, 3])
def test_convolutions_counts_those_of_each_later_stage(convolutions: int) -> None:
    network = build(channels=(4, 8, 8), convolutions=convolutions)
    found = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(found) == 1 + 2 * convolutions


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_what_it_is_called(name: str) -> None:
    act = build(activation=name).stages[0].act
    values = torch.linspace(-3, 3, 13)
    torch.testing.assert_close(act(values), getattr(torch.nn.functional, name)(values))


def test_settings_name_every_activation_and_normalization() -> None:
    hints = get_type_hints(FaceCNN)
    assert get_args(hints["activation"]) == tuple(ACTIVATIONS)
    assert get_args(hints["normalization"]) == tuple(NORMALIZATIONS)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_every_normalization_trains(name: str) -> None:
    network = build(normalization=name, channels=(6, 8)).train()
    network(torch.rand(4, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_group_normalization_makes_a_photo_independent_of_its_batch() -> None:
    network = build(normalization="group", dropout=0.0).train()
    images = torch.rand(4, 3, 32, 32)
    torch.testing.assert_close(network(images)[:1], network(images[:1]))


def test_normalization_of_pixels_is_inside() -> None:
    network = build()
    images = torch.rand(2, 3, 32, 32)
    plain = build()
    plain.set_normalization(torch.zeros(3), torch.ones(3))
    network.set_normalization(torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.25, 0.2]))
    by_hand = (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor(
        [0.5, 0.25, 0.2]
    ).view(3, 1, 1)
    torch.testing.assert_close(network(images), plain(by_hand))
    assert {"mean", "std"} <= network.state_dict().keys()


def test_a_colour_that_never_varies_does_not_divide_by_zero() -> None:
    network = build()
    network.set_normalization(torch.zeros(3), torch.zeros(3))
    assert network(torch.zeros(1, 3, 32, 32)).isfinite().all()


def test_grid_averages_the_last_maps_over_its_cells() -> None:
    network = build(grid=2)
    with Trace(network, ["stages.1"]) as trace:
        embedding = network.embed(torch.rand(1, 3, 32, 32))
    maps = trace["stages.1"]  # (1, 8, 16, 16)
    cells = maps.reshape(1, 8, 2, 8, 2, 8).mean(dim=(3, 5))
    torch.testing.assert_close(embedding, cells.flatten(1))


@pytest.mark.parametrize("side", [8, 7])
def test_the_grid_is_torchs_adaptive_one(side: int) -> None:
    maps = torch.rand(2, 3, side, side).requires_grad_()
    results = [pool(maps) for pool in (build(grid=2).pool, torch.nn.AdaptiveAvgPool2d(2))]
    assert torch.equal(*results)
    assert torch.equal(*(torch.autograd.grad(r.square().sum(), maps)[0] for r in results))


def test_dropout_hides_the_stated_share_of_features_in_training_only() -> None:
    network = build(channels=(4, 4000), grid=1, dropout=0.25)
    seen = []
    network.classifier.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    embedding = torch.ones(1, 4000)
    network.train().head(embedding)
    network.eval().head(embedding)
    assert (seen[0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(seen[1], embedding)


def test_a_face_is_recognized_by_four_views_of_it() -> None:
    network = FaceCNN(channels=(4, 8)).build(5).eval()
    images = torch.rand(3, 3, 40, 40)
    closer = resize(images[:, :, 2:38, 2:38], [40, 40], antialias=False)
    views = [view for image in (images, closer) for view in (image, image.flip(3))]
    embedding, scores = network.recognize(images)
    torch.testing.assert_close(embedding, sum(network.embed(view) for view in views) / 4)
    torch.testing.assert_close(scores, sum(network(view) for view in views) / 4)
    assert (scores - network(images)).abs().max() > 1e-4
    torch.testing.assert_close(network.recognize(images.flip(3)), (embedding, scores))


def test_any_window_size_fits() -> None:
    network = build()
    assert network(torch.rand(1, 3, 40, 56)).shape == (1, 5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"channels": ()}, "channels"),
        ({"channels": (8, 0)}, "channels"),
        ({"convolutions": 0}, "convolutions"),
        ({"first_stride": 0}, "first_stride"),
        ({"grid": 0}, "grid"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FaceCNN(**settings)
