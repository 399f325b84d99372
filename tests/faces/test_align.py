from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.transform import SimilarityTransform

from facenet_demo.faces.align import TEMPLATE, align, centre_crop, similarity, template


def moved(points: np.ndarray, scale: float, degrees: float, shift: tuple) -> np.ndarray:
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return scale * points @ rotation.T + shift


@pytest.mark.parametrize("degrees", [0, 25, 180, -100])
def test_a_similarity_is_found_again(degrees: float) -> None:
    source = TEMPLATE * 50
    target = moved(source, 2.5, degrees, (30, -7))
    found = similarity(source, target)
    np.testing.assert_allclose(source @ found[:, :2].T + found[:, 2], target, atol=1e-9)


def test_the_best_fit_is_that_of_scikit_image() -> None:
    noise = np.random.default_rng(0).normal(0, 4, (20, 5, 2))
    for wobble in noise:
        source, target = TEMPLATE * 60 + wobble, TEMPLATE * 112
        peer = SimilarityTransform.from_estimate(source, target)
        np.testing.assert_allclose(similarity(source, target), peer.params[:2], atol=1e-8)


def test_the_template_is_arcfaces_in_a_window_of_112() -> None:
    points = template(size=112, window=112)
    np.testing.assert_allclose(points[0], [38.2946, 51.6963])
    np.testing.assert_allclose(template(168, 112) - 28, points)
    np.testing.assert_allclose(template(112, 112, 0.5) - 56, (points - 56) / 2)


def dotted(height: int, width: int, points: np.ndarray, radius: float) -> np.ndarray:
    """Soft dots on black, one colour channel each for the first three points."""
    y, x = np.mgrid[:height, :width]
    channels = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2)) for px, py in points[:3]]
    return np.round(255 * np.stack(channels, axis=2)).astype(np.uint8)


def centres(image: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image.astype(float).reshape(-1, 3)
    weight /= weight.sum(axis=0)
    return np.stack([x.ravel() @ weight, y.ravel() @ weight], axis=1)


@pytest.mark.parametrize("face", [40, 64, 300, 900], ids=lambda side: f"face of {side} pixels")
@pytest.mark.parametrize("degrees", [0, 20])
def test_landmarks_come_to_lie_where_the_template_says(face: int, degrees: float) -> None:
    size, window = 96, 64
    side = round(face * 1.6)
    centre = side / 2
    landmarks = moved((TEMPLATE - 0.5) * face, 1, degrees, (centre, centre))
    image = dotted(side, side, landmarks, radius=max(2.0, face / 30))
    crop, transform = align(image, landmarks, template(size, window), size)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    np.testing.assert_allclose(centres(crop), template(size, window)[:3], atol=0.5)
    np.testing.assert_allclose(
        landmarks @ transform[:, :2].T + transform[:, 2], template(size, window), atol=1e-6
    )


def test_where_the_photo_ends_its_border_is_repeated() -> None:
    image = np.full((64, 64, 3), 200, np.uint8)
    crop, _ = align(image, TEMPLATE * 64, template(96, 64), 96)
    assert (crop == 200).all()


def test_fine_stripes_do_not_alias_when_a_large_photo_shrinks() -> None:
    image = np.zeros((800, 800, 3), np.uint8)
    image[:, ::2] = 255
    crop, _ = align(image, TEMPLATE * 700 + 50, template(96, 64), 96)
    inside = crop[20:-20, 20:-20].astype(int)
    assert np.abs(inside - 127).max() < 20


@pytest.mark.parametrize(("height", "width"), [(64, 128), (200, 100), (90, 90)])
def test_the_centre_crop_shows_the_largest_centred_square_in_the_window(
    height: int, width: int
) -> None:
    size, window = 96, 64
    side = min(height, width)
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * 255 // width, y * 255 // height, 0 * x], axis=2).astype(np.uint8)
    crop, transform = centre_crop(image, size, window)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    expected = cv2.resize(square, (window, window), interpolation=cv2.INTER_AREA)
    margin = (size - window) // 2
    shown = crop[margin : margin + window, margin : margin + window]
    assert np.abs(shown.astype(int) - expected).max() <= 4
    middle = np.array([width, height]) / 2
    np.testing.assert_allclose(transform[:, :2] @ middle + transform[:, 2], [size / 2] * 2)
