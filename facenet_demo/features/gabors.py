"""Gabor functions by their shape, and how well the best ones of a shape explain a pattern.

    places, bases = starts(7, device)                 # a grid of shapes: (N, 6), (N, 2, 49)
    explained(places, patterns).values                # (B,) share of each pattern's variation

A shape is six numbers: the window's centre x and y in pixels from the middle, the direction of the
wave in radians, its frequency in cycles per pixel, and the window's deviations along the wave and
across it in pixels. Phase and amplitude are none of them: they enter linearly, as the amplitudes of
cosine and sine, so the best ones are a projection (variable projection, Golub and Pereyra 1973).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from facenet_demo.features.levenberg import Linear

DIRECTION, FREQUENCY = 2, 3  # in a shape

_MIN_SIGMA = 0.8  # a narrower window would fit single noisy weights
_FREQUENCIES = (0.02, 0.5)
# Single precision tells no shorter vector from rounding; those of a basis are of the order of 1.
_SHORTEST = 1e-4


def bounds(size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The least and the largest shape `(6,)` that is searched in patterns of some side."""
    reach = (size - 1) / 2
    least, most = _FREQUENCIES
    low = [-reach, -reach, -math.inf, least, _MIN_SIGMA, _MIN_SIGMA]
    high = [reach, reach, math.inf, most, size, size]
    return torch.tensor(low, device=device), torch.tensor(high, device=device)


@lru_cache(maxsize=4)  # the sides of a network's kernels
def starts(size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """A grid of shapes to start a search from.

    Args:
        size: side of the patterns, pixels.
        device: where they go.

    Returns:
        shapes `(N, 6)`; orthonormal bases `(N, 2, size * size)` of the Gabor functions of each.
    """
    centres = torch.tensor([-0.2, 0.0, 0.2]) * size
    directions = torch.arange(8) * math.pi / 8
    frequencies = torch.tensor([0.05, 0.12, 0.2, 0.3])
    sigmas = torch.tensor([1.0, 2.0, 3.5])
    sigmas = sigmas[sigmas <= size]
    grid = torch.cartesian_prod(centres, centres, directions, frequencies, sigmas, sigmas)
    shapes = grid.to(device).clamp(*bounds(size, device))
    first, second, *_ = _orthonormal(*_waves(shapes, *_frame(shapes, size)))
    return shapes, torch.stack([first, second], 1)


def explained(shapes: torch.Tensor, patterns: torch.Tensor) -> Linear:
    """The share of each pattern that the best Gabor function of a shape explains.

    Args:
        shapes: `(B, 6)`.
        patterns: `(B, size * size)` of mean 0 and length 1.

    Returns:
        the shares, and how they change with the shape. The Jacobian is Kaufman's (1975), which
        leaves out a small term of the projection's.
    """
    size = math.isqrt(patterns.shape[1])
    u, v = _frame(shapes, size)
    even, odd = _waves(shapes, u, v)
    first, second, even_length, overlap, odd_length = _orthonormal(even, odd)
    on_first = (first * patterns).sum(1, keepdim=True)
    on_second = (second * patterns).sum(1, keepdim=True)
    residuals = patterns - on_first * first - on_second * second

    of_odd = on_second / odd_length
    of_even = (on_first - of_odd * overlap) / even_length
    fitted = of_even * even + of_odd * odd
    shifted = 2 * math.pi * (of_odd * even - of_even * odd)  # by its phase, a turn

    _, _, direction, frequency, along, across = shapes[:, :, None].unbind(1)
    cos, sin = direction.cos(), direction.sin()
    by_u = frequency * shifted - fitted * u / along**2
    by_v = -fitted * v / across**2
    changes = torch.stack(
        [
            sin * by_v - cos * by_u,
            -sin * by_u - cos * by_v,
            v * by_u - u * by_v,
            u * shifted,
            fitted * u**2 / along**3,
            fitted * v**2 / across**3,
        ],
        1,
    )  # (B, 6, P)
    gradients = (changes @ residuals[:, :, None])[:, :, 0]
    changes = changes - changes.mean(2, keepdim=True)
    within = changes @ torch.stack([first, second], 2)
    return Linear(
        (on_first**2 + on_second**2)[:, 0],
        gradients,
        changes @ changes.transpose(1, 2) - within @ within.transpose(1, 2),
    )


def _frame(shapes: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each pixel lies along the wave and across it, `(B, size * size)` pixels."""
    place = torch.arange(size, device=shapes.device) - (size - 1) / 2
    centre_x, centre_y, direction = shapes[:, :3, None].unbind(1)
    x, y = place.repeat(size) - centre_x, place.repeat_interleave(size) - centre_y
    cos, sin = direction.cos(), direction.sin()
    return x * cos + y * sin, y * cos - x * sin


def _waves(
    shapes: torch.Tensor, u: torch.Tensor, v: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine under the window, `(B, size * size)` each."""
    frequency, along, across = shapes[:, FREQUENCY:, None].unbind(1)
    window = torch.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    phase = 2 * math.pi * frequency * u
    return window * phase.cos(), window * phase.sin()


def _orthonormal(even: torch.Tensor, odd: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Gram and Schmidt's basis of two waves without their means, and what it takes to go back.

    Returns:
        first, second `(B, P)`; the length of even, how much of odd was along first, and the length
        of what was left of it, each `(B, 1)`.
    """
    even = even - even.mean(1, keepdim=True)
    even_length = even.norm(dim=1, keepdim=True).clamp_min(_SHORTEST)
    first = even / even_length
    odd = odd - odd.mean(1, keepdim=True)
    overlap = (odd * first).sum(1, keepdim=True)
    odd = odd - overlap * first
    odd_length = odd.norm(dim=1, keepdim=True).clamp_min(_SHORTEST)
    return first, odd / odd_length, even_length, overlap, odd_length
