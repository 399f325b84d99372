from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from facenet_demo.benchmarks import feature_costs, scipy_gabors
from facenet_demo.benchmarks.cost import Comparison
from facenet_demo.benchmarks.feature_costs import (
    Cost,
    gabor_fits,
    repeated,
    unit_costs_in_whole_passes,
)
from facenet_demo.features.ablation import right_answers
from facenet_demo.features.causality import unit_costs
from facenet_demo.features.observe import View


def numbered(*sizes: int) -> list[View]:
    """Batches of so many views, which are numbered through."""
    numbers = torch.arange(sum(sizes), dtype=torch.float32)
    return [View(some, some.long()) for some in numbers.split(list(sizes))]


@pytest.mark.parametrize(
    ("number", "batches"),
    [
        (5, [[0, 1, 2], [3, 4]]),
        (10, [[0, 1, 2], [3, 4], [0, 1, 2], [3, 4]]),
        (4, [[0, 1, 2], [3]]),
        (6, [[0, 1, 2], [3, 4], [0]]),
    ],
)
def test_views_come_again_until_there_are_enough(number: int, batches: list[list[int]]) -> None:
    found = repeated(numbered(3, 2), number)
    assert [view.images.tolist() for view in found] == batches
    assert [view.parts.tolist() for view in found] == batches


def test_whole_passes_tell_what_the_rest_alone_tells() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.Conv2d(6, 6, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    )  # fmt: skip
    images = torch.rand(100, 3, 12, 12)
    with torch.no_grad():
        network[-1].bias -= network(images).mean(0)
    labels = np.random.default_rng(0).integers(4, size=100)
    means = np.linspace(-1, 1, 6)
    for layer in ("0", "2"):
        right = right_answers(network, images, labels)
        given = network, images, labels, layer, means, [1, 4, 5], right
        found = unit_costs_in_whole_passes(*given)
        assert set(np.unique(found)) == {-1, 0, 1}, "some answers change"
        assert found.tolist() == unit_costs(*given).tolist()


def test_the_time_of_some_fits_is_scaled_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[np.ndarray] = []

    def compare(name, side, peer, other, repeats, *, warm_up) -> Comparison:  # noqa: ANN001
        side(), other()
        return Comparison(name, peer, [1.0] * repeats, [2.0] * repeats)

    def fit(kernel: np.ndarray) -> float:
        fitted.append(kernel)
        return 0.25

    monkeypatch.setattr(feature_costs, "compare", compare)
    monkeypatch.setattr(scipy_gabors, "fit", fit)
    kernels = [np.zeros((3, 3, 5, 5)), np.zeros((5, 3, 7, 7))]
    cost = gabor_fits(kernels, repeats=2, num_scipy=4)
    assert [kernel.shape[-1] for kernel in fitted] == [5, 5, 7, 7], "spread over all layers"
    assert cost.comparison.seconds == [2, 2]
    assert cost.comparison.peer_seconds == [2, 2]
    assert cost.figures["R2 above scipy's, median"] == cost.figures["worst"] == -0.25


def test_a_cost_says_what_else_it_showed() -> None:
    cost = Cost(Comparison("a", "b", [2.0], [1.0]), {"same answers": True, "worst": -0.01234})
    assert str(cost).endswith("1 repeats); same answers: True; worst: -0.0123")
