"""Data sets in the plane: points in [-1, 1] x [-1, 1], each with a class or a number.

    points, values = PLANES["spiral"](num_points=200, noise=0.05, seed=0)

The same ideas as on playground.tensorflow.org, so what is learned there can be checked here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch


class Points(NamedTuple):
    """Points of the plane.

    Attributes:
        points: `(N, 2)` x, y.
        values: `(N,)`: of a classification -1 or 1, of a regression a number in [-1, 1].
    """

    points: torch.Tensor
    values: torch.Tensor


def circles(num_points: int = 200, noise: float = 0.0, seed: int = 0) -> Points:
    """A disc of radius 0.5 (class 1) in a ring from 0.7 to 1 (class -1); noise moves the points."""
    generator, values = _classes(num_points, seed)
    radius = torch.rand(num_points, generator=generator)
    # Roots make the points as dense at the border as in the middle.
    inner, outer = 0.5 * radius.sqrt(), (0.49 + 0.51 * radius).sqrt()
    radius = torch.where(values > 0, inner, outer)
    angle = 2 * math.pi * torch.rand(num_points, generator=generator)
    return _noisy(_polar(radius, angle), values, noise, generator)


def xor(num_points: int = 200, noise: float = 0.0, seed: int = 0) -> Points:
    """Class 1 where exactly one coordinate is positive; nothing within 0.08 of the axes."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(num_points, 2, generator=generator) * 2 - 1
    places = places.sign() * (0.08 + 0.92 * places.abs())
    return _noisy(places, -places.prod(dim=1).sign(), noise, generator)


def gaussians(num_points: int = 200, noise: float = 0.15, seed: int = 0) -> Points:
    """Two clouds around (0.5, 0.5) (class 1) and (-0.5, -0.5); `noise` is their deviation."""
    generator, values = _classes(num_points, seed)
    return _noisy(0.5 * values[:, None].repeat(1, 2), values, noise, generator)


def spiral(num_points: int = 200, noise: float = 0.0, seed: int = 0) -> Points:
    """Two arms that wind around each other 1.75 times."""
    generator, values = _classes(num_points, seed)
    way = torch.rand(num_points, generator=generator)
    angle = 1.75 * 2 * math.pi * way + torch.where(values > 0, 0.0, math.pi)
    return _noisy(_polar(0.05 + 0.95 * way, angle), values, noise, generator)


def slope(num_points: int = 200, noise: float = 0.0, seed: int = 0) -> Points:
    """A regression: the value is (x + y) / 2, give or take the noise."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(num_points, 2, generator=generator) * 2 - 1
    values = places.mean(dim=1)
    return Points(places, values + noise * torch.randn(num_points, generator=generator))


PLANES: dict[str, Callable[..., Points]] = {
    "circles": circles,
    "xor": xor,
    "gaussians": gaussians,
    "spiral": spiral,
    "slope": slope,
}


def lattice(size: int, reach: float = 1.0) -> torch.Tensor:
    """Points `(size * size, 2)` of a square grid over [-reach, reach], row by row, y upwards."""
    ticks = torch.linspace(-reach, reach, size)
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def _classes(num_points: int, seed: int) -> tuple[torch.Generator, torch.Tensor]:
    """A generator and classes -1 and 1 in turn."""
    return torch.Generator().manual_seed(seed), 1.0 - 2.0 * (torch.arange(num_points) % 2)


def _polar(radius: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def _noisy(
    places: torch.Tensor, values: torch.Tensor, noise: float, generator: torch.Generator
) -> Points:
    return Points(places + noise * torch.randn(places.shape, generator=generator), values)
