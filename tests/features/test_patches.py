from __future__ import annotations

import numpy as np
import torch
from hand_set import ColourUnits

from facenet_demo.features.patches import top_patches


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
