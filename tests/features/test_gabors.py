from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gabor_waves import waves

from facenet_demo.features import gabors

CPU = torch.device("cpu")


def unit(patterns: torch.Tensor) -> torch.Tensor:
    patterns = patterns - patterns.mean(1, keepdim=True)
    return patterns / patterns.norm(dim=1, keepdim=True)


def shapes_and_patterns(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    low, high = gabors.bounds(size, CPU)
    low, high = low.nan_to_num(neginf=-4), high.nan_to_num(posinf=4)
    return low + torch.rand(9, 6) * (high - low), unit(torch.randn(9, size * size))


@pytest.mark.parametrize("size", [4, 7, 15])
def test_the_share_is_that_of_the_best_phase_and_amplitude(size: int) -> None:
    shapes, patterns = shapes_and_patterns(size)
    found = gabors.explained(shapes, patterns).values
    for shape, pattern, share in zip(shapes.numpy(), patterns.numpy(), found, strict=True):
        basis = waves(shape, size)
        rest = pattern - basis @ np.linalg.lstsq(basis, pattern)[0]
        assert share.item() == pytest.approx(1 - rest @ rest, abs=1e-4)


def test_gradients_are_autograds() -> None:
    shapes, patterns = shapes_and_patterns(7)
    shapes.requires_grad_(True)
    found = gabors.explained(shapes, patterns)
    (expected,) = torch.autograd.grad(found.values.sum(), shapes)
    assert found.gradients.detach().numpy() == pytest.approx(expected.numpy() / 2, abs=1e-5)


def test_curvatures_are_those_of_the_fitted_functions_changes() -> None:
    shapes, patterns = shapes_and_patterns(7)
    found = gabors.explained(shapes, patterns).curvatures
    step = 1e-5
    for shape, pattern, curvature in zip(shapes.double().numpy(), patterns.numpy(), found,
                                         strict=True):  # fmt: skip
        basis = waves(shape, 7)
        amplitudes = np.linalg.lstsq(basis, pattern)[0]
        changes = np.stack(
            [
                (waves(shape + way, 7) - waves(shape - way, 7)) @ amplitudes / (2 * step)
                for way in np.eye(6) * step
            ],
            axis=1,
        )
        changes -= basis @ np.linalg.lstsq(basis, changes)[0]
        largest = (changes**2).sum(0).max()
        assert curvature.numpy() == pytest.approx(changes.T @ changes, abs=1e-3 * largest + 1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_starts_lie_within_the_bounds_with_orthonormal_bases(size: int) -> None:
    shapes, bases = gabors.starts(size, CPU)
    low, high = gabors.bounds(size, CPU)
    assert ((low <= shapes) & (shapes <= high)).all()
    assert bases.shape == (len(shapes), 2, size * size)
    assert bases.isfinite().all()
    if size > 2:  # else sine and cosine are nearly the same
        assert bases.mean(2).abs().max() < 1e-5
        products = bases @ bases.transpose(1, 2)
        assert torch.allclose(products, torch.eye(2).expand_as(products), atol=1e-4)


def test_a_turn_by_half_is_the_same_wave() -> None:
    shapes, patterns = shapes_and_patterns(7)
    turned = shapes + torch.tensor([0, 0, math.pi, 0, 0, 0])
    assert torch.allclose(
        gabors.explained(turned, patterns).values,
        gabors.explained(shapes, patterns).values,
        atol=1e-5,
    )
