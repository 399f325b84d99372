from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from facenet_demo.basics.figures import BLUE, ORANGE, draw_line, draw_plane, draw_points
from facenet_demo.basics.neuron import Neuron


@pytest.mark.parametrize("weights", [[-0.5, 1.0, 1.0], [0.3, 0.0, -2.0], [1.0, 2.0, 0.0]])
def test_the_line_is_where_the_sum_is_0(weights: list[float]) -> None:
    axes = Figure().subplots()
    draw_line(axes, Neuron(torch.tensor(weights)))
    (line,) = axes.lines
    for x, y in (line.get_xy1(), line.get_xy2()):
        assert weights[0] + weights[1] * x + weights[2] * y == pytest.approx(0, abs=1e-6)


def test_a_neuron_that_looks_at_nothing_has_no_line() -> None:
    axes = Figure().subplots()
    draw_line(axes, Neuron(torch.tensor([1.0, 0.0, 0.0])))
    assert not axes.lines


def test_no_is_blue_and_yes_is_orange() -> None:
    axes = Figure().subplots()
    draw_points(axes, torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([-1.0, 1.0]))
    image = draw_plane(axes, torch.tensor([[-5.0, 0.0], [0.0, 5.0]]), reach=2.0)
    (points,) = axes.collections
    for colours in (points.cmap, image.cmap):
        assert (to_hex(colours(0.0)), to_hex(colours(1.0))) == (BLUE, ORANGE)
    assert points.get_clim() == image.get_clim() == (-1, 1)
    # The first row lies at the bottom, and the picture fills the square.
    assert image.origin == "lower"
    assert tuple(image.get_extent()) == (-2, 2, -2, 2)
    assert np.array_equal(image.get_array(), [[-5, 0], [0, 5]])
