from __future__ import annotations

import math

import pytest
import torch

from facenet_demo.basics.planes import PLANES, lattice


@pytest.mark.parametrize("name", PLANES)
def test_a_plane_is_in_its_square_repeats_and_is_balanced(name: str) -> None:
    plane = PLANES[name](500, 0.0, seed=3)
    assert plane.points.shape == (500, 2)
    assert plane.values.shape == (500,)
    assert plane.points.abs().max() <= 1
    assert plane.values.abs().max() <= 1
    again, other = PLANES[name](500, 0.0, seed=3), PLANES[name](500, 0.0, seed=4)
    assert torch.equal(plane.points, again.points)
    assert name == "gaussians" or not torch.equal(plane.points, other.points)
    if name != "slope":
        assert set(plane.values.tolist()) == {-1.0, 1.0}
        assert plane.values.mean().abs() < 0.15


@pytest.mark.parametrize("name", PLANES)
def test_noise_is_a_normal_deviation(name: str) -> None:
    quiet, noisy = (PLANES[name](4000, noise, seed=5) for noise in (0.0, 0.1))
    moved = torch.cat([(noisy.points - quiet.points).flatten(), noisy.values - quiet.values])
    assert moved[moved != 0].std().item() == pytest.approx(0.1, rel=0.05)


def test_each_plane_has_the_shape_it_promises() -> None:
    circles, xor, spiral, slope = (PLANES[n](1000) for n in ("circles", "xor", "spiral", "slope"))
    radius = circles.points.norm(dim=1)
    assert radius[circles.values > 0].max() <= 0.5
    assert radius[circles.values < 0].min() >= 0.7 - 1e-6
    assert torch.equal((xor.points.prod(1) < 0), xor.values > 0)
    assert xor.points.abs().min() >= 0.08 - 1e-6
    x, y = spiral.points.T
    way = (spiral.points.norm(dim=1) - 0.05) / 0.95
    turn = torch.atan2(y, x) - 1.75 * 2 * math.pi * way - math.pi * (spiral.values < 0)
    assert torch.cos(turn).min() > 0.999
    torch.testing.assert_close(slope.values, slope.points.mean(1))


def test_a_lattice_goes_row_by_row_upwards() -> None:
    corners = lattice(2, reach=3.0)
    assert corners.tolist() == [[-3, -3], [3, -3], [-3, 3], [3, 3]]
    assert lattice(5).shape == (25, 2)
