"""Many small least-squares problems at once, within bounds (Levenberg 1944; Marquardt 1963).

    climb = start(function, places, data)     # a problem a row
    climb = step(function, climb, low, high, 5)
    places, values = settle(function, climb.rows(best), low, high)    # (B, P), (B,)

Each step solves `(H + damping) step = gradient` of all problems in one call; a step that makes a
problem worse is not taken there, and damped more. Parameters at a bound that want to go on beyond
it stay where they are. Nothing is drawn by lot, and nothing loops over problems.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

_FIRST_DAMPING = 0.1
_DAMPED_LESS, _DAMPED_MORE = 0.2, 4.0
_LEAST_DAMPING, _MOST_DAMPING = 1e-7, 1e7
_LEAST_CURVATURE = 1e-6  # a parameter that changes nothing moves little, rather than anywhere


class Linear(NamedTuple):
    """What a function looks like near some places.

    Attributes:
        values: `(B,)` what is to be made large, a constant minus the sum of squared residuals r.
        gradients: `(B, P)` -J'r, where J is the Jacobian of r: half the gradient of `values`.
        curvatures: `(B, P, P)` J'J.
    """

    values: torch.Tensor
    gradients: torch.Tensor
    curvatures: torch.Tensor


Function = Callable[[torch.Tensor, torch.Tensor], Linear]  # of places and data


class Climb(NamedTuple):
    """How far each problem has come.

    Attributes:
        places: `(B, P)` the best parameters so far.
        data: `(B, ...)` what each problem is about.
        damping: `(B, 1)`.
        linear: the function at `places`.
    """

    places: torch.Tensor
    data: torch.Tensor
    damping: torch.Tensor
    linear: Linear

    @property
    def values(self) -> torch.Tensor:
        return self.linear.values

    def rows(self, rows: torch.Tensor) -> Climb:
        """Some of the problems, by number."""
        linear = Linear(*(of_all[rows] for of_all in self.linear))
        return Climb(self.places[rows], self.data[rows], self.damping[rows], linear)


def start(function: Function, places: torch.Tensor, data: torch.Tensor) -> Climb:
    """Problems at their starting points.

    Args:
        function: of places `(B, P)` and data `(B, ...)`.
        places: `(B, P)`, within the bounds.
        data: `(B, ...)` what each problem is about.
    """
    damping = torch.full_like(places[:, :1], _FIRST_DAMPING)
    return Climb(places, data, damping, function(places, data))


def step(
    function: Function, climb: Climb, low: torch.Tensor, high: torch.Tensor, number: int
) -> Climb:
    """Take some steps.

    Args:
        function: the one that was started with.
        climb: where the problems are.
        low: `(P,)` bounds of the parameters.
        high: `(P,)`.
        number: of steps.
    """
    for _ in range(number):
        places, data, damping, (values, gradients, curvatures) = climb
        tried = (places + _steps(climb, low, high)).clamp(low, high)
        tried = torch.where(tried.isfinite(), tried, places)  # of what could not be solved
        there = function(tried, data)
        better = there.values > values
        row, matrix = better[:, None], better[:, None, None]
        damping = torch.where(row, damping * _DAMPED_LESS, damping * _DAMPED_MORE)
        climb = Climb(
            torch.where(row, tried, places),
            data,
            damping.clamp(_LEAST_DAMPING, _MOST_DAMPING),
            Linear(
                torch.where(better, there.values, values),
                torch.where(row, there.gradients, gradients),
                torch.where(matrix, there.curvatures, curvatures),
            ),
        )
    return climb


def _steps(climb: Climb, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    places, _, damping, (_, gradients, curvatures) = climb
    held = ((places <= low) & (gradients < 0)) | ((places >= high) & (gradients > 0))
    free = (~held).to(places.dtype)
    diagonal = curvatures.diagonal(dim1=1, dim2=2).clamp_min(_LEAST_CURVATURE)
    matrices = curvatures * free[:, :, None] * free[:, None, :]
    matrices = matrices + torch.diag_embed(damping * diagonal + 1 - free)
    factors, _ = torch.linalg.cholesky_ex(matrices)
    return torch.cholesky_solve((gradients * free)[:, :, None], factors)[:, :, 0]


def settle(
    function: Function,
    climb: Climb,
    low: torch.Tensor,
    high: torch.Tensor,
    *,
    tolerance: float = 1e-4,
    steps: int = 8,
    rounds: int = 15,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Step on until nothing is gained any more; a problem that has settled costs nothing further.

    Args:
        function: the one that was started with.
        climb: where the problems are.
        low: `(P,)` bounds of the parameters.
        high: `(P,)`.
        tolerance: a problem whose value gains no more than this in a round has settled.
        steps: of a round.
        rounds: at most.

    Returns:
        the best parameters `(B, P)`; their values `(B,)`.
    """
    places, values = climb.places.clone(), climb.values.clone()
    moving = torch.arange(len(places), device=places.device)
    for _ in range(rounds):
        before = climb.values
        climb = step(function, climb, low, high, steps)
        places[moving], values[moving] = climb.places, climb.values
        gaining = (climb.values - before > tolerance).nonzero()[:, 0]
        if not len(gaining):
            break
        moving, climb = moving[gaining], climb.rows(gaining)
    return places, values
