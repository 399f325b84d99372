from __future__ import annotations

import numpy as np
import pytest

from facenet_demo.faces.views import ROTATION, SCALE, SHIFT, random_view

LANDMARKS = np.array([[30.0, 34], [50, 34], [40, 44], [33, 54], [47, 54]])


@pytest.mark.parametrize("seed", range(5))
def test_landmarks_go_where_their_pixels_go(seed: int) -> None:
    for number, (x, y) in enumerate(LANDMARKS.astype(int)):
        crop = np.zeros((80, 80, 3), np.uint8)
        crop[y - 1 : y + 2, x - 1 : x + 2] = 255
        window, moved = random_view(crop, LANDMARKS, 64, np.random.default_rng(seed))
        seen = window[..., 0].astype(float)
        rows, columns = np.mgrid[:64, :64]
        centre = [(columns * seen).sum() / seen.sum(), (rows * seen).sum() / seen.sum()]
        assert moved[number] == pytest.approx(centre, abs=0.1)


def test_moves_stay_within_their_bounds_and_use_them() -> None:
    crop = np.zeros((80, 80, 3), np.uint8)
    middle = np.full((5, 2), 39.5)
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    eyes, shifts = [], []
    for _ in range(300):
        _, moved = random_view(crop, LANDMARKS, 64, rng)
        eyes.append((moved[1] - moved[0]) / 20)  # which were 20 pixels apart
        _, centre = random_view(crop, middle, 64, again)
        shifts.append((centre[0] - 31.5) / 64)
    across, down = np.transpose(eyes)
    scales, angles = np.hypot(across, down), np.degrees(np.arctan2(down, across))
    for found, low, high in (
        (scales, 1 / (1 + SCALE), 1 + SCALE), (angles, -ROTATION, ROTATION),
        (np.array(shifts), -SHIFT, SHIFT),
    ):  # fmt: skip
        near = 0.05 * (high - low)
        assert low <= found.min() <= low + near
        assert high - near <= found.max() <= high


def test_beyond_a_crop_its_border_goes_on() -> None:
    crop = np.full((64, 64, 3), 90, np.uint8)
    for seed in range(5):
        assert (random_view(crop, LANDMARKS, 64, np.random.default_rng(seed))[0] == 90).all()
