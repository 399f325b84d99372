"""First-layer kernels: how much does each look like an edge detector?

    fit = fit_gabors(kernels)            # (U, 3, k, k) weights
    fit.r2                               # (U,) share of each kernel's variation explained
    fit.share                            # share of units above 0.7

A Gabor function is a sine wave under a Gaussian window, the shape of simple cells in the visual
cortex (Daugman 1985; Jones and Palmer 1987). Edges, bars and, at low frequency, blobs of colour are
special cases. What it cannot tell: whether the unit matters to the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from facenet_demo.features import gabors, levenberg
from facenet_demo.features.side_by_side import one_thread

THRESHOLD = 0.7

# Of all starting points, on both axes: how many are tried, for how many steps, and how many of them
# are then followed to the end.
_NUM_TRIED, _TRIED_STEPS, _NUM_FOLLOWED = 8, 6, 3
_NUMBERS_AT_ONCE = 2**21  # pixels of all that is tried; some 300 MB
_ROUNDING = 1e-6  # of a kernel's length: what is left along an axis when it has nothing there


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


def fit_gabors(kernels: np.ndarray | torch.Tensor) -> GaborFit:
    """Fit a Gabor function to every kernel, all at once, on their device.

    Args:
        kernels: `(U, C, k, k)` weights, C colours, of any side k; one that is 0 everywhere, or the
            same, has no variation and an R2 of 0.

    Raises:
        ValueError: if a weight is not finite.
    """
    given = kernels if isinstance(kernels, torch.Tensor) else torch.from_numpy(np.array(kernels))
    weights = given.detach()
    if not weights.isfinite().all():
        raise ValueError("Kernels have weights that are not finite, to which no Gabor fits.")
    with torch.no_grad(), one_thread():
        axes = _axes(weights if weights.dtype == torch.float64 else weights.float()).float()
        number = max(1, _NUMBERS_AT_ONCE // (_NUM_TRIED * max(1, axes.shape[2])))
        fits = torch.cat([_fit(some) for some in axes.split(number)]).cpu().double().numpy()
    r2, shapes = fits[:, 0], fits[:, 1:]
    return GaborFit(r2, shapes[:, gabors.DIRECTION] % np.pi, shapes[:, gabors.FREQUENCY])


def _axes(kernels: torch.Tensor) -> torch.Tensor:
    """Kernels along two directions in colour space, `(U, 2, k * k)` of mean 0 and length 1.

    They are luminance, and the direction that holds most of a kernel. One along which a kernel does
    not vary is 0.
    """
    colours = kernels.flatten(2)
    colours = colours / colours.abs().amax((1, 2), keepdim=True).clamp_min(1e-30)
    strongest = torch.linalg.svd(colours, full_matrices=False).U[:, :, :1].transpose(1, 2)
    axes = torch.cat([colours.mean(1, keepdim=True), strongest @ colours], 1)
    axes = axes - axes.mean(2, keepdim=True)
    lengths = axes.norm(dim=2, keepdim=True)
    empty = lengths <= _ROUNDING * colours.norm(dim=(1, 2))[:, None, None]
    return torch.where(empty, 0, axes / lengths.clamp_min(1e-30))


def _fit(axes: torch.Tensor) -> torch.Tensor:
    """R2 and shape of the best Gabor function for each kernel's axes `(U, 2, k * k)`: `(U, 7)`."""
    size, kernel = math.isqrt(axes.shape[2]), torch.arange(len(axes), device=axes.device)[:, None]
    low, high = gabors.bounds(size, axes.device)
    shapes, bases = gabors.starts(size, axes.device)
    along = bases.flatten(0, 1) @ axes.flatten(0, 1).T
    shares = along.square().unflatten(0, (-1, 2)).sum(1)  # (N, U * 2)
    shares = shares.T.reshape(len(axes), 2 * len(shapes))
    best = shares.topk(_NUM_TRIED, 1).indices  # (U, tried)
    patterns = axes[kernel, best // len(shapes)].flatten(0, 1)

    climb = levenberg.start(gabors.explained, shapes[best % len(shapes)].flatten(0, 1), patterns)
    climb = levenberg.step(gabors.explained, climb, low, high, _TRIED_STEPS)
    best = climb.values.unflatten(0, (-1, _NUM_TRIED)).topk(_NUM_FOLLOWED, 1).indices
    climb = climb.rows((best + kernel * _NUM_TRIED).flatten())
    found, r2 = levenberg.settle(gabors.explained, climb, low, high)
    best = r2.unflatten(0, (-1, _NUM_FOLLOWED)).argmax(1)[:, None] + kernel * _NUM_FOLLOWED
    return torch.cat([r2[best].clamp(0, 1), found[best[:, 0]]], 1)
