"""First-layer kernels: how much does each look like an edge detector?

    fit = fit_gabors(kernels)            # (U, 3, k, k) weights
    fit.r2                               # (U,) share of each kernel's variation explained
    fit.share                            # share of units above 0.7

A Gabor function is a sine wave under a Gaussian window, the shape of simple cells in the visual
cortex (Daugman 1985; Jones and Palmer 1987). Edges, bars and, at low frequency, blobs of colour are
special cases. What it cannot tell: whether the unit matters to the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import least_squares

THRESHOLD = 0.7

# Bounds of the search, in units of pixels and cycles per pixel: the window's centre, the carrier's
# direction and frequency, and the window's deviations along it and across. A narrower window would
# fit single noisy weights.
_MIN_SIGMA = 0.8
_NUM_REFINED = 2  # of all starting points, on both axes


@dataclass(frozen=True)
class GaborFit:
    """The best Gabor function for each kernel.

    Attributes:
        r2: `(U,)` share of the kernel's variation that it explains, in [0, 1], on the better of two
            axes in colour space: luminance, and the one along which the kernel is strongest.
        orientation: `(U,)` direction of the wave, radians in [0, pi); 0 is a vertical edge.
        frequency: `(U,)` cycles per pixel.
    """

    r2: np.ndarray
    orientation: np.ndarray
    frequency: np.ndarray

    @property
    def share(self) -> float:
        """Share of units whose fit explains more than 0.7."""
        return float((self.r2 > THRESHOLD).mean())


def fit_gabors(kernels: np.ndarray) -> GaborFit:
    """Fit a Gabor function to every kernel.

    Args:
        kernels: `(U, C, k, k)` weights, C colours.
    """
    r2, orientation, frequency = (
        np.array([_fit(kernel) for kernel in np.asarray(kernels, np.float64)]).reshape(-1, 3).T
    )
    return GaborFit(r2, orientation, frequency)


def _strongest_axis(kernel: np.ndarray) -> np.ndarray:
    """The kernel `(k, k)` along the direction in colour space that holds most of it."""
    colours = kernel.reshape(len(kernel), -1)
    return (np.linalg.svd(colours, full_matrices=False)[0][:, 0] @ colours).reshape(
        kernel.shape[1:]
    )


def _fit(kernel: np.ndarray) -> tuple[float, float, float]:
    """R2, orientation and frequency of the best Gabor function for one `(C, k, k)` kernel."""
    size = kernel.shape[-1]
    axes = np.stack([kernel.mean(axis=0), _strongest_axis(kernel)]).reshape(2, -1)
    axes -= axes.mean(axis=1, keepdims=True)
    length = np.linalg.norm(axes, axis=1, keepdims=True)
    if not length.any():
        return 0.0, 0.0, 0.0
    axes = np.divide(axes, length, out=np.zeros_like(axes), where=length > 0)
    candidates, bases = _candidates(size)
    explained = ((bases @ axes.T) ** 2).sum(axis=1)  # (N, 2)

    def residual(p: np.ndarray, target: np.ndarray) -> np.ndarray:
        basis = _basis(p[None], size)[0]
        return target - basis.T @ (basis @ target)

    reach = (size - 1) / 2
    bounds = (
        [-reach, -reach, -np.inf, 0.02, _MIN_SIGMA, _MIN_SIGMA],
        [reach, reach, np.inf, 0.5, size, size],
    )
    best = (0.0, 0.0, 0.0)
    for start in np.argsort(-explained, axis=None)[:_NUM_REFINED]:
        i, axis = np.unravel_index(start, explained.shape)
        found = least_squares(residual, candidates[i], bounds=bounds, args=(axes[axis],),
                              max_nfev=40)  # fmt: skip
        best = max(best, (1 - 2 * found.cost, found.x[2] % np.pi, found.x[3]))
    return best


@lru_cache
def _candidates(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A grid of starting points `(N, 6)` and their bases `(N, 2, size * size)`."""
    centres = np.array([-0.2, 0.0, 0.2]) * size
    angles = np.arange(8) * np.pi / 8
    frequencies = np.array([0.05, 0.12, 0.2, 0.3])
    sigmas = np.array([1.0, 2.0, 3.5])
    sigmas = sigmas[sigmas <= size]  # the search's bound
    grid = np.meshgrid(centres, centres, angles, frequencies, sigmas, sigmas, indexing="ij")
    candidates = np.stack([axis.ravel() for axis in grid], axis=1)
    return candidates, _basis(candidates, size)


def _basis(p: np.ndarray, size: int) -> np.ndarray:
    """Orthonormal bases `(N, 2, size * size)` of all Gabor functions of some shape.

    Phase and amplitude enter linearly, as the amplitudes of cosine and sine, so the best ones are a
    projection and only the six shape parameters of each row of `p` are searched for. The mean is
    taken out, as it is of the kernel.
    """
    place = np.arange(size) - (size - 1) / 2
    y, x = (axis.ravel() for axis in np.meshgrid(place, place, indexing="ij"))
    x0, y0, angle, frequency, along, across = (column[:, None] for column in p.T)
    u = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
    v = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
    window = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    even = window * np.cos(2 * np.pi * frequency * u)
    odd = window * np.sin(2 * np.pi * frequency * u)
    even -= even.mean(axis=1, keepdims=True)
    even /= np.maximum(np.linalg.norm(even, axis=1, keepdims=True), 1e-9)
    odd -= odd.mean(axis=1, keepdims=True)
    odd -= (odd * even).sum(axis=1, keepdims=True) * even
    odd /= np.maximum(np.linalg.norm(odd, axis=1, keepdims=True), 1e-9)
    return np.stack([even, odd], axis=1)
