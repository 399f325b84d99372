"""The waves that a Gabor function is made of, by the book, in double precision."""

from __future__ import annotations

import numpy as np


def waves(shape: np.ndarray, size: int) -> np.ndarray:
    """Cosine and sine under the window of a shape, and a constant: `(size * size, 3)`.

    Args:
        shape: `(6,)` the window's centre x and y, the wave's direction and frequency, the window's
            deviations along the wave and across it.
        size: side, pixels.
    """
    x0, y0, direction, frequency, along, across = shape
    place = np.arange(size) - (size - 1) / 2
    y, x = np.meshgrid(place - y0, place - x0, indexing="ij")
    u = x * np.cos(direction) + y * np.sin(direction)
    v = y * np.cos(direction) - x * np.sin(direction)
    window = np.exp(-(u**2) / (2 * along**2) - v**2 / (2 * across**2))
    phase = 2 * np.pi * frequency * u
    columns = window * np.cos(phase), window * np.sin(phase), np.ones_like(x)
    return np.stack(columns, 2).reshape(-1, 3)
