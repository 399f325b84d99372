from __future__ import annotations

import numpy as np
import pytest

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
