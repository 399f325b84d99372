from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from facenet_demo.features import levenberg
from facenet_demo.features.levenberg import Climb, Linear

FREE = torch.tensor([-10.0, -10.0]), torch.tensor([10.0, 10.0])


def valley(places: torch.Tensor, data: torch.Tensor) -> Linear:
    """Rosenbrock's valley of some steepness, whose lowest place is (1, 1)."""
    (x, y), steepness = places.T, data[:, 0]
    residuals = torch.stack([1 - x, steepness * (y - x**2)], 1)
    jacobian = torch.zeros(len(places), 2, 2)
    jacobian[:, 0, 0] = -1
    jacobian[:, 1, 0] = -2 * steepness * x
    jacobian[:, 1, 1] = steepness
    turned = jacobian.transpose(1, 2)
    return Linear(
        -residuals.square().sum(1), -(turned @ residuals[:, :, None])[:, :, 0], turned @ jacobian
    )


def in_valleys(*steepness: float) -> Climb:
    data = torch.tensor(steepness)[:, None]
    return levenberg.start(valley, torch.tensor([[-1.2, 1.0]]).expand(len(data), 2), data)


def test_each_problem_comes_to_its_end() -> None:
    places, values = levenberg.settle(valley, in_valleys(1, 3, 10), *FREE, tolerance=1e-8)
    assert places.numpy() == pytest.approx(np.ones((3, 2)), abs=1e-3)
    assert values.numpy() == pytest.approx(np.zeros(3), abs=1e-6)


@pytest.mark.parametrize("high", [(0.5, 10.0), (10.0, 0.3), (-0.5, 0.1)])
def test_bounds_hold_and_the_best_place_within_them_is_scipys(high: tuple[float, float]) -> None:
    def residuals(place: np.ndarray) -> list[float]:
        return [1 - place[0], 10 * (place[1] - place[0] ** 2)]

    climb = levenberg.start(valley, torch.tensor([[-1.2, 0.1]]), torch.tensor([[10.0]]))
    bounds = FREE[0], torch.tensor(high)
    places, values = levenberg.settle(valley, climb, *bounds, tolerance=1e-8)
    expected = least_squares(residuals, [-1.2, 0.0], bounds=([-10, -10], high))
    assert (places <= bounds[1]).all()
    assert places[0].numpy() == pytest.approx(expected.x, abs=2e-3)
    assert values.item() == pytest.approx(-2 * expected.cost, rel=1e-3, abs=1e-5)


def test_no_step_makes_anything_worse() -> None:
    climb = in_valleys(1, 30, 100)
    for _ in range(30):
        further = levenberg.step(valley, climb, *FREE, 1)
        assert (further.values >= climb.values).all()
        assert (further.values == valley(further.places, further.data).values).all()
        climb = further


def test_problems_do_not_know_of_each_other() -> None:
    both = levenberg.step(valley, in_valleys(10, 3), *FREE, 5)
    alone = levenberg.step(valley, in_valleys(10, 3).rows(torch.tensor([1])), *FREE, 5)
    assert alone.places[0].tolist() == pytest.approx(both.places[1].tolist(), rel=1e-5)


def test_what_has_settled_is_computed_no_more() -> None:
    sizes = []

    def counted(places: torch.Tensor, data: torch.Tensor) -> Linear:
        sizes.append(len(places))
        return valley(places, data)

    levenberg.settle(counted, in_valleys(1, 100), *FREE, tolerance=1e-6, steps=5, rounds=20)
    assert sizes[:5] == [2] * 5
    assert sizes[-1] == 1
    sizes.clear()
    levenberg.settle(counted, in_valleys(1), *FREE, tolerance=1e-6, steps=5, rounds=20)
    assert len(sizes) < 30


def test_a_parameter_that_changes_nothing_stays_finite() -> None:
    def flat(places: torch.Tensor, data: torch.Tensor) -> Linear:
        gradients = torch.stack([1 - places[:, 0], torch.zeros(len(places))], 1)
        curvatures = torch.diag(torch.tensor([1.0, 0.0])).expand(len(places), 2, 2)
        return Linear(-((1 - places[:, 0]) ** 2), gradients, curvatures)

    climb = levenberg.start(flat, torch.zeros(1, 2), torch.zeros(1))
    places, _ = levenberg.settle(flat, climb, *FREE)
    assert places[0].tolist() == pytest.approx([1, 0], abs=1e-3)


def test_nothing_to_do_is_no_error() -> None:
    climb = levenberg.start(valley, torch.zeros(0, 2), torch.zeros(0, 1))
    places, values = levenberg.settle(valley, climb, *FREE)
    assert (places.shape, values.shape) == ((0, 2), (0,))
