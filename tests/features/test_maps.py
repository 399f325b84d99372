from __future__ import annotations

import numpy as np
import torch
from hand_set import ColourUnits

from facenet_demo.features.maps import MapsOf, TopMaps
from facenet_demo.features.observe import observe

IMAGES = torch.rand(10, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_maps_of_a_few_images_are_those_wherever_batches_begin() -> None:
    network, rows = ColourUnits(), [0, 3, 4, 9]
    with torch.no_grad():
        maps = network.maps(IMAGES).numpy()
    for size in (1, 4, 10):
        every, first = MapsOf(rows), MapsOf(rows, num_units=2)
        observe(network, ["maps"], IMAGES.split(size), [every, first])
        assert np.array_equal(every.result()["maps"], maps[rows])
        assert np.array_equal(first.result()["maps"], maps[rows, :2])


def test_each_unit_keeps_its_own_maps_of_the_images_it_responds_to_most() -> None:
    network, top = ColourUnits(), TopMaps(k=3)
    observe(network, ["maps"], IMAGES.split(4), [top])
    with torch.no_grad():
        maps = network.maps(IMAGES)
    found = top.result()["maps"]
    assert found.maps.shape == (4, 3, *maps.shape[2:])
    for unit in range(4):
        rows = found.rows[unit]
        best = maps[:, unit].amax((1, 2))
        assert best[rows].tolist() == best.topk(3).values.tolist()
        assert np.array_equal(found.maps[unit], maps[rows, unit])
