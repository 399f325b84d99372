from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hand_set import ColourUnits
from test_dissection import planted
from torch import nn

from facenet_demo.features.dissection import PartOverlaps, dissect
from facenet_demo.features.maps import MapsOf, TopMaps
from facenet_demo.features.observe import Instrument, View, observe
from facenet_demo.features.patches import Patches, top_patches
from facenet_demo.features.selectivity import Pooling, pool
from facenet_demo.features.trace import Trace, evaluating, maps_of


class Calls:
    """Counts the forward passes of a network."""

    def __init__(self, network: nn.Module) -> None:
        self.count = 0
        network.register_forward_hook(self._note)

    def _note(self, *_: object) -> None:
        self.count += 1


def photos() -> torch.Tensor:
    return torch.rand(10, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_any_number_of_instruments_costs_one_pass_and_changes_no_result() -> None:
    network, images = ColourUnits(), photos()
    calls = Calls(network)
    pooling, patches, few, top = Pooling(), Patches(k=3), MapsOf([2, 7]), TopMaps(k=2)
    instruments: Sequence[Instrument] = [pooling, patches, few, top]
    observe(network, ["maps", "read"], images.split(4), instruments)
    assert calls.count == 3, "batches of 4, 4 and 2"
    alone = pool(network, ["maps", "read"], images.split(4))
    for layer in ("maps", "read"):
        assert np.array_equal(pooling.result()[layer], alone[layer])
    apart = top_patches(network, ["maps"], [(images, np.arange(10))], k=3)["maps"]
    told_apart = slice(3)  # the fourth unit is on at its place alike in all images
    found = patches.result()["maps"].rows[told_apart]
    assert found.tolist() == apart.rows[told_apart].tolist()
    with torch.no_grad():
        maps = network.maps(images)
    assert np.array_equal(few.result()["maps"], maps[[2, 7]])
    strongest = top.result()["maps"]
    assert strongest.rows[told_apart].tolist() == found[:, :2].tolist()
    for unit in range(4):
        assert np.array_equal(strongest.maps[unit], maps[strongest.rows[unit], unit])


def test_instruments_work_in_a_loop_of_ones_own_and_are_read_at_any_time() -> None:
    network, views = ColourUnits(), planted(12)
    overlaps, patches = PartOverlaps(num_parts=3), Patches(k=2)
    assert patches.result() == {}
    for view in views:
        with evaluating(network), Trace(network, ["maps"]) as trace:
            network(view.images)
        for instrument in (overlaps, patches):
            instrument.add("maps", maps_of(trace["maps"]), view)
        assert patches.result()["maps"].scores.shape == (4, 2)
    found = overlaps.result()["maps"]
    expected = dissect(network, ["maps"], views, num_parts=3)["maps"]
    assert np.array_equal(found.iou, expected.iou)
    counted = found.overlap.active.sum()
    observe(network, ["maps"], views[:1], [overlaps])
    assert found.overlap.active.sum() == counted, "it stays as it was read"
    assert overlaps.result()["maps"].overlap.active.sum() != counted


def test_a_network_is_left_as_it_was() -> None:
    network = ColourUnits().train()
    observe(network, ["maps"], [View(photos())], [Pooling()])
    assert network.training
    assert not network.maps._forward_hooks


def test_what_cannot_be_dissected_is_said() -> None:
    with pytest.raises(ValueError, match="do not say which parts"):
        observe(ColourUnits(), ["maps"], [photos()], [PartOverlaps(3)])
    with pytest.raises(ValueError, match="no images to dissect"):
        dissect(ColourUnits(), ["maps"], [], 3)
