from __future__ import annotations

import numpy as np
import torch
from hand_set import ColourUnits

from facenet_demo.features.observe import observe
from facenet_demo.features.patches import Patches, top_patches


def test_top_patches_are_the_planted_ones() -> None:
    images = torch.zeros(30, 3, 32, 32)
    planted = {7: (3, 30), 12: (31, 0), 25: (16, 9)}  # image -> place of its red dot
    for strength, (image, (y, x)) in enumerate(planted.items()):
        images[image, 0, y, x] = 0.5 + 0.1 * strength
    images[12, 1, 5, 5] = 0.9  # a green one elsewhere
    batches = [(images[i : i + 7], np.arange(i, min(i + 7, 30)) + 100) for i in range(0, 30, 7)]
    found = top_patches(ColourUnits(), ["maps"], batches, k=3)["maps"]
    assert found.rows[0].tolist() == [125, 112, 107], "the strongest first"
    assert found.places[0].tolist() == [[16, 9], [31, 0], [3, 30]]
    assert found.scores[0].tolist() == torch.tensor([0.7, 0.6, 0.5]).tolist()
    assert found.rows[1, 0] == 112
    assert found.places[1, 0].tolist() == [5, 5]
    assert found.scores[2].max() == 0


def test_of_many_images_they_are_those_of_all_also_if_read_in_between() -> None:
    images = torch.rand(1200, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    network, patches = ColourUnits(), Patches(k=5)
    for some in images.split(100):
        observe(network, ["maps"], [some], [patches])
        assert patches.result()["maps"].rows.shape == (4, 5)
    found = patches.result()["maps"]
    with torch.no_grad():
        scores, places = network.maps(images)[:, :3].flatten(2).max(2)  # the last has ties
    expected = scores.topk(5, dim=0)
    assert np.array_equal(found.scores[:3], expected.values.T.numpy())
    assert np.array_equal(found.rows[:3], expected.indices.T.numpy())
    at = places.gather(0, expected.indices).T.numpy()
    assert np.array_equal((found.places[..., 0] * 8 + found.places[..., 1])[:3], at)
    unread = Patches(k=5)
    observe(network, ["maps"], images.split(100), [unread])
    assert np.array_equal(unread.result()["maps"].rows[:3], found.rows[:3])
