from __future__ import annotations

import numpy as np
import pytest
import torch
from gabor_waves import waves
from scipy.optimize import least_squares

from facenet_demo.features import filters, gabors
from facenet_demo.features.filters import GaborFit, fit_gabors

SIZE = 7


def gabor(angle: float, frequency: float, sigma: float = 1.8, phase: float = 0.6) -> np.ndarray:
    place = np.arange(SIZE) - SIZE // 2
    y, x = np.meshgrid(place, place, indexing="ij")
    along = x * np.cos(angle) + y * np.sin(angle)
    window = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return window * np.cos(2 * np.pi * frequency * along + phase)


def coloured(pattern: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    return pattern * np.array(colour)[:, None, None]


@pytest.mark.parametrize("degrees", [0, 30, 75, 120, 165])
@pytest.mark.parametrize("frequency", [0.1, 0.2])
def test_a_gabor_is_found_with_its_orientation_and_frequency(
    degrees: float, frequency: float
) -> None:
    angle = np.radians(degrees)
    fit = fit_gabors(coloured(gabor(angle, frequency), (1, 1, 1))[None])
    assert fit.r2[0] > 0.999
    assert np.degrees(abs((fit.orientation[0] - angle + np.pi / 2) % np.pi - np.pi / 2)) < 2
    assert fit.frequency[0] == pytest.approx(frequency, abs=0.01)


def test_an_edge_between_colours_counts() -> None:
    red_against_green = coloured(gabor(0.5, 0.12), (1, -1, 0))
    assert abs(red_against_green.mean(axis=0)).max() < 1e-12, "no luminance"
    assert fit_gabors(red_against_green[None]).r2[0] > 0.999


def test_noise_is_no_gabor() -> None:
    kernels = np.random.default_rng(0).normal(size=(12, 3, SIZE, SIZE))
    fit = fit_gabors(kernels)
    assert fit.share == 0
    assert np.median(fit.r2) < 0.5


def test_r2_is_the_share_of_variation_left_after_noise() -> None:
    pattern = gabor(0.3, 0.15)
    noise = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    noise *= np.sqrt(0.25 * np.var(pattern) / np.var(noise))
    r2 = fit_gabors(coloured(pattern + noise, (1, 1, 1))[None]).r2[0]
    assert 0.75 < r2 < 0.92, "80 % is signal; the fit takes up a little of the noise"


def test_scale_sign_and_offset_do_not_matter() -> None:
    kernel = coloured(gabor(1.0, 0.12) + 0.2 * gabor(2.5, 0.3), (0.5, 1, 0.7))
    fit = fit_gabors(np.stack([kernel, -3 * kernel, 0.001 * kernel]))
    assert fit.r2 == pytest.approx([fit.r2[0]] * 3, abs=1e-4)


def test_an_empty_kernel_explains_nothing() -> None:
    assert fit_gabors(np.zeros((1, 3, SIZE, SIZE))).r2[0] == 0


def test_a_kernel_that_is_the_same_everywhere_has_no_edge() -> None:
    plain = np.broadcast_to(np.array([0.1, 0.7, -0.3])[:, None, None], (1, 3, SIZE, SIZE))
    assert fit_gabors(plain).r2[0] == 0
    assert fit_gabors(plain.astype(np.float32)).r2[0] == 0, "rounding is nothing to fit either"


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(number: float) -> None:
    kernels = np.ones((2, 3, SIZE, SIZE))
    kernels[1, 0, 3, 3] = number
    with pytest.raises(ValueError, match="not finite"):
        fit_gabors(kernels)


def test_no_kernels_have_no_fits() -> None:
    fit = fit_gabors(np.zeros((0, 3, SIZE, SIZE)))
    assert fit.r2.shape == fit.orientation.shape == fit.frequency.shape == (0,)


def test_a_tensor_does_as_well_as_an_array() -> None:
    kernels = torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    expected = fit_gabors(kernels.numpy())
    for given in (kernels, kernels.double(), torch.nn.Parameter(kernels)):
        fit = fit_gabors(given)
        assert fit.r2 == pytest.approx(expected.r2, abs=1e-3)
        assert fit.orientation == pytest.approx(expected.orientation, abs=1e-2)


def test_kernels_do_not_know_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = np.random.default_rng(1).normal(size=(5, 3, SIZE, SIZE))
    together = fit_gabors(kernels).r2
    monkeypatch.setattr(filters, "_NUMBERS_AT_ONCE", 2 * 8 * SIZE**2)
    assert fit_gabors(kernels).r2 == pytest.approx(together, abs=1e-3)


def test_a_fit_shares_no_operation_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = []

    def fit(axes: torch.Tensor) -> torch.Tensor:
        numbers.append(torch.get_num_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr(filters, "_fit", fit)
    torch.set_num_threads(2)
    with pytest.raises(KeyboardInterrupt):
        fit_gabors(np.ones((1, 3, SIZE, SIZE)))
    assert numbers == [1]
    assert torch.get_num_threads() == 2, "as it was"


@pytest.mark.parametrize("size", [3, 5, 6, 7, 11, 15])
def test_scipy_finds_nothing_better_from_the_same_starts(size: int) -> None:
    """Its `least_squares`, with derivatives by finite differences, in double precision."""
    rng = np.random.default_rng(size)
    place = np.arange(size) - (size - 1) / 2
    wave = np.sin(place[:, None] * 0.7 + place * rng.normal(size=(4, 1, 1)))
    patterns = wave * np.exp(-((place[:, None] - 0.6) ** 2 + place**2) / (0.1 * size**2))
    patterns = patterns + np.array([0, 0.1, 0.3, 1])[:, None, None] * rng.normal(size=wave.shape)
    found = fit_gabors(np.repeat(patterns[:, None], 3, axis=1)).r2
    shapes, bases = (of_all.double().numpy() for of_all in gabors.starts(size, torch.device("cpu")))
    bounds = [bound.double().numpy() for bound in gabors.bounds(size, torch.device("cpu"))]

    def residuals(shape: np.ndarray, pattern: np.ndarray) -> np.ndarray:
        basis = waves(shape, size)
        return pattern - basis @ np.linalg.lstsq(basis, pattern)[0]

    for pattern, r2 in zip(patterns.reshape(4, -1), found, strict=True):
        pattern = (pattern - pattern.mean()) / (np.std(pattern) * size)
        best = np.argsort(((bases @ pattern) ** 2).sum(1))[::-1][:2]
        fits = [
            least_squares(residuals, shapes[i], bounds=bounds, args=(pattern,), max_nfev=60)
            for i in best
        ]
        assert r2 > 1 - 2 * min(fit.cost for fit in fits) - 0.01


def test_share_counts_units_above_the_threshold() -> None:
    r2 = np.array([0.2, 0.7, 0.71, 0.9])
    assert GaborFit(r2, r2, r2).share == 0.5


@pytest.mark.parametrize("side", range(1, 9))
def test_a_kernel_of_any_size_has_an_answer(side: int) -> None:
    place = np.arange(side) - (side - 1) / 2
    edge = np.broadcast_to(np.sin(place), (side, side))
    noise = np.random.default_rng(0).normal(size=(2, 3, side, side))
    fit = fit_gabors(np.concatenate([coloured(edge, (1, 1, 1))[None], noise]))
    assert ((fit.r2 >= 0) & (fit.r2 <= 1)).all()
    assert np.isfinite(fit.orientation).all()
    if side == 1:
        assert fit.r2.max() == 0, "one weight has no variation to explain"
    else:
        assert fit.r2[0] > 0.95
        assert abs(np.sin(fit.orientation[0])) < 0.1


def test_fits_of_larger_kernels_stay_what_they_were() -> None:
    kernels = np.random.default_rng(0).normal(size=(3, 3, SIZE, SIZE))
    assert fit_gabors(kernels).r2 == pytest.approx([0.30425, 0.33828, 0.36452], abs=1e-4)
