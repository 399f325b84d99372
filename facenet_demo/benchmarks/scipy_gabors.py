"""Gabor fits by scipy, one kernel after the other: what `features/filters.py` is compared with.

    r2 = fit(kernel)                     # of one kernel (C, k, k)

Its `least_squares`, with derivatives by finite differences, in double precision, starts where ours
starts and keeps to the same bounds.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import least_squares

from facenet_demo.features import gabors

_NUM_FOLLOWED = 2  # of all starting points, on both axes
_MOST_CALLS = 40  # of the function, besides those for derivatives
_SHORTEST = 1e-9


def fit(kernel: np.ndarray) -> float:
    """The share of a kernel's variation that the best Gabor function explains, in [0, 1].

    Args:
        kernel: `(C, k, k)` weights, C colours; one without variation has 0.
    """
    size = kernel.shape[-1]
    axes = _axes(kernel.astype(np.float64))
    cpu = torch.device("cpu")
    shapes, bases = (grid.double().numpy() for grid in gabors.starts(size, cpu))
    bounds = [bound.double().numpy() for bound in gabors.bounds(size, cpu)]
    explained = ((bases @ axes.T) ** 2).sum(axis=1)  # (N, 2)

    def residual(shape: np.ndarray, pattern: np.ndarray) -> np.ndarray:
        basis = _basis(shape, size)
        return pattern - basis.T @ (basis @ pattern)

    best = 0.0
    for start in np.argsort(-explained, axis=None)[:_NUM_FOLLOWED]:
        row, axis = np.unravel_index(start, explained.shape)
        if axes[axis].any():
            found = least_squares(
                residual, shapes[row], bounds=bounds, args=(axes[axis],), max_nfev=_MOST_CALLS
            )
            best = max(best, 1 - 2 * float(found.cost))
    return best


def _axes(kernel: np.ndarray) -> np.ndarray:
    """Luminance, and what lies along the strongest colour: `(2, k * k)` of mean 0 and length 1."""
    colours = kernel.reshape(len(kernel), -1)
    strongest = np.linalg.svd(colours, full_matrices=False)[0][:, 0]
    axes = np.stack([colours.mean(axis=0), strongest @ colours])
    axes -= axes.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    return np.divide(axes, lengths, out=np.zeros_like(axes), where=lengths > _SHORTEST)


def _basis(shape: np.ndarray, size: int) -> np.ndarray:
    """An orthonormal basis `(2, size * size)` of all Gabor functions of a shape `(6,)`."""
    x0, y0, direction, frequency, along, across = shape
    place = np.arange(size) - (size - 1) / 2
    y, x = (axis.ravel() for axis in np.meshgrid(place - y0, place - x0, indexing="ij"))
    u = x * np.cos(direction) + y * np.sin(direction)
    v = y * np.cos(direction) - x * np.sin(direction)
    window = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    even = window * np.cos(2 * np.pi * frequency * u)
    odd = window * np.sin(2 * np.pi * frequency * u)
    even -= even.mean()
    even /= max(float(np.linalg.norm(even)), _SHORTEST)
    odd -= odd.mean()
    odd -= (odd @ even) * even
    odd /= max(float(np.linalg.norm(odd)), _SHORTEST)
    return np.stack([even, odd])
