from __future__ import annotations

import numpy as np
import pytest

from facenet_demo.faces.parts import PARTS, part_map

# A face that looks ahead, its eyes 16 pixels apart.
LANDMARKS = np.array([[24.0, 26], [40, 26], [32, 36], [26, 45], [38, 45]])


@pytest.mark.parametrize(
    ("part", "x", "y"),
    [("eyes", 24, 26), ("eyes", 40, 26), ("brows", 24, 20), ("brows", 40, 20), ("nose", 32, 36),
     ("mouth", 26, 45), ("mouth", 38, 45), ("chin", 32, 54), ("forehead", 32, 12),
     ("cheeks", 20, 38), ("cheeks", 44, 38), ("background", 1, 62), ("background", 62, 32)],
)  # fmt: skip
def test_each_part_is_where_a_face_has_it(part: str, x: int, y: int) -> None:
    assert PARTS[part_map(LANDMARKS, 64)[y, x]] == part


def test_parts_turn_with_the_face() -> None:
    x, y = LANDMARKS.T
    turned = part_map(np.stack([63 - y, x], axis=1), 64)  # by a quarter, clockwise
    assert np.array_equal(turned, np.rot90(part_map(LANDMARKS, 64), -1))


def test_parts_grow_with_the_face() -> None:
    twice = 2 * LANDMARKS + 0.5  # pixel centres lie at whole numbers
    assert np.array_equal(part_map(twice, 128, step=2), part_map(LANDMARKS, 64))


def test_eyes_in_one_place_are_no_error() -> None:
    assert part_map(np.full((5, 2), 8.0), 16).shape == (16, 16)
