"""Windows of stored crops that are shifted, turned and scaled, with the landmarks to match.

    window, landmarks = random_view(crop, landmarks, window=64, rng=np.random.default_rng(0))

Aligned faces have every eye in the same place. Seen this way they do not, so what responds to eyes
can be told from what responds to that place.
"""

from __future__ import annotations

import cv2
import numpy as np

SHIFT = 0.15  # largest move, in windows
SCALE = 0.15  # largest growth or shrinking, as a share
ROTATION = 20.0  # largest turn, degrees


def random_view(
    crop: np.ndarray, landmarks: np.ndarray, window: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A window somewhere around a crop's centre.

    Args:
        crop: `(S, S, 3)` uint8.
        landmarks: `(5, 2)` x, y pixels in it.
        window: side of the result, pixels; may be as large as the crop: its border is repeated.
        rng: where chance comes from.

    Returns:
        The window `(window, window, 3)` uint8 and the landmarks `(5, 2)` in it.
    """
    angle = np.radians(rng.uniform(-ROTATION, ROTATION))
    scale = np.exp(rng.uniform(-1, 1) * np.log1p(SCALE))
    shift = rng.uniform(-SHIFT, SHIFT, 2) * window
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    old, new = (len(crop) - 1) / 2, (window - 1) / 2
    transform = np.column_stack([linear, new + shift - linear @ [old, old]])
    pixels = cv2.warpAffine(crop, transform, (window, window), borderMode=cv2.BORDER_REPLICATE)
    return pixels, landmarks @ linear.T + transform[:, 2]
