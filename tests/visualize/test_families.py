"""Whatever classifier of torchvision trains here can be looked into: one of each family."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facenet_demo.features import synthesis
from facenet_demo.features.ablation import right_without
from facenet_demo.features.attribution import speaking_units
from facenet_demo.features.measures import Edges, LinearProbe, Parts, People
from facenet_demo.features.observe import View
from facenet_demo.features.patches import top_patches
from facenet_demo.features.progression import measure
from facenet_demo.features.survey import TRAIN_POOLED, Evidence
from facenet_demo.features.synthesis import synthesize
from facenet_demo.features.trace import unreadable
from facenet_demo.networks import Torchvision
from facenet_demo.networks.checkpoints import TrainedNetwork
from facenet_demo.networks.untrained import untrained_twin
from facenet_demo.system.errors import UserError
from facenet_demo.visualize.layers import layers_of

# The smallest of each, and a window that it takes.
FAMILIES = {
    "alexnet": 64, "convnext_tiny": 32, "densenet121": 32, "efficientnet_b0": 32, "googlenet": 32,
    "inception_v3": 80, "mnasnet0_5": 32, "mobilenet_v2": 32, "mobilenet_v3_small": 32,
    "regnet_x_400mf": 32, "resnet18": 32, "resnext50_32x4d": 32, "shufflenet_v2_x0_5": 32,
    "vgg11": 32,
}  # fmt: skip


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is repeated, enough to run it."""
    monkeypatch.setattr(synthesis, "_NUM_STARTS", 8)


def evidence(size: int) -> Evidence:
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(8, 3, size, size, generator=rng)
    parts = torch.randint(3, (8, 16, 16), generator=rng)
    views = [View(images[:4], parts[:4]), View(images[4:], parts[4:])]
    labels = np.arange(8) % 2
    return Evidence(
        train_views=views, test_views=views, part_names=("eye", "mouth", "rest"), face_parts=(0, 1),
        train_windows=images, test_windows=images, test_parts=parts, train_labels=labels,
        test_labels=labels, num_people=2,
    )  # fmt: skip


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_measured_from_the_first_block_to_the_last(name: str) -> None:
    torch.manual_seed(0)
    settings, shown = Torchvision(name), evidence(FAMILIES[name])
    network = settings.build(2).eval().requires_grad_(False)
    blocks = network.blocks
    assert not unreadable(network, blocks, shown.test_windows[:1])
    layers = [blocks[0], blocks[-1]]
    twin = untrained_twin(network, settings, shown.train_windows, seed=1)
    measures = [Edges(num_units=1), Parts(), People(), LinearProbe()]
    found = measure(twin, layers, shown, measures=measures, num_replicates=10)
    fits = found.found(Edges)
    for fit in fits.values():
        assert np.isfinite(fit.r2).all()
        assert (fit.r2 <= 1).all()
    assert fits[layers[0]].r2.min() > 0, "the first layer's units always speak"
    assert all(np.isfinite(curve).all() for curve in found.curves.values())
    size, numbers = FAMILIES[name], np.arange(len(shown.test_windows))
    top = top_patches(network, layers, [(shown.test_windows, numbers)], k=2)
    for layer in layers:
        means = found.survey.layers[layer][TRAIN_POOLED].mean(0)
        assert top[layer].rows.shape == (len(means), 2)
        right_without(network, shown.test_windows, shown.test_labels, layer, [[0], [1]], means)
    assert len(speaking_units(network, layers[0], shown.test_windows[0], 0, 2)) == 2
    assert synthesize(network, layers[0], [0], size, steps=2).isfinite().all()


def test_blocks_that_stand_in_a_list_are_its_members() -> None:
    network = Torchvision("maxvit_t").build(2)
    assert network.blocks == ("body.stem", *(f"body.blocks.{i}" for i in range(4)))
    assert network.layers == (*network.blocks, "body.classifier")
    assert not unreadable(network, network.layers, torch.rand(1, 3, 224, 224))


def test_tokens_and_maps_with_units_last_are_told_from_maps() -> None:
    swin = Torchvision("swin_t").build(2)
    assert unreadable(swin, ["body.features.0.0", "body.features.1", "body.permute", "body"],
                      torch.rand(1, 3, 32, 32)) == {"body.features.1": "(1, 8, 8, 96)"}  # fmt: skip


def test_networks_of_tokens_are_refused_before_any_work() -> None:
    settings = Torchvision("swin_t")
    trained = TrainedNetwork(settings.build(2).eval(), settings, ["a", "b"], 32, 1.0)
    with pytest.raises(UserError, match=r"only body\.features\.0\.0 puts out maps"):
        layers_of(trained, None)
    with pytest.raises(UserError, match=r"features\.1 puts out \(1, 8, 8, 96\); looked into"):
        layers_of(trained, ["body.features.0.0", "body.features.1"])
    with pytest.raises(UserError, match="qkv puts out nothing, since it is never called"):
        layers_of(trained, ["body.features.0.0", "body.features.1.0.attn.qkv"])
    named = ["body.permute", "body.features.0.0"]
    assert layers_of(trained, named) == named[::-1]
