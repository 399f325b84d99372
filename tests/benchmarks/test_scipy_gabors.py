from __future__ import annotations

import numpy as np
import pytest
from gabor_waves import waves

from facenet_demo.benchmarks.scipy_gabors import _basis, fit
from facenet_demo.features.filters import fit_gabors


def edges(size: int, noise: float) -> np.ndarray:
    """Four coloured waves under a window, `(4, 3, size, size)`."""
    rng = np.random.default_rng(size)
    place = np.arange(size) - (size - 1) / 2
    wave = np.sin(place[:, None] * 0.7 + place * rng.normal(size=(4, 1, 1)))
    wave = wave * np.exp(-((place[:, None] - 0.6) ** 2 + place**2) / (0.1 * size**2))
    colours = rng.normal(size=(4, 3, 1, 1))
    return wave[:, None] * colours + noise * rng.normal(size=(4, 3, size, size))


def test_an_edge_is_explained_and_noise_is_not() -> None:
    assert min(fit(kernel) for kernel in edges(7, 0)) > 0.97
    assert fit(np.random.default_rng(0).normal(size=(3, 11, 11))) < 0.5


@pytest.mark.parametrize("size", [5, 7, 15])
def test_it_agrees_with_ours(size: int) -> None:
    kernels = edges(size, 0.1)
    theirs = np.array([fit(kernel) for kernel in kernels])
    assert fit_gabors(kernels).r2 == pytest.approx(theirs, abs=0.01)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_a_kernel_without_variation_has_nothing_to_explain(value: float) -> None:
    assert fit(np.full((3, 7, 7), value)) == 0


def test_a_basis_spans_the_waves_of_its_shape() -> None:
    shape, size = np.array([1.0, -0.5, 0.4, 0.1, 2.0, 1.5]), 7
    basis = _basis(shape, size)
    assert basis @ basis.T == pytest.approx(np.eye(2), abs=1e-12)
    by_the_book = waves(shape, size)[:, :2]
    by_the_book -= by_the_book.mean(axis=0)
    assert basis.T @ (basis @ by_the_book) == pytest.approx(by_the_book, abs=1e-12)
