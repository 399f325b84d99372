from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawing import LANDMARKS, draw_face

from facenet_demo.predict.quality import sharpness, turn, warnings

FACE = draw_face(size=64)
AHEAD = LANDMARKS * 64
AS_IT_IS = np.eye(2, 3)


def nose_at(share: float) -> np.ndarray:
    """Landmarks with the nose so far beside the middle of the eyes, in distances of the eyes."""
    moved = AHEAD.copy()
    moved[2, 0] += share * (AHEAD[1, 0] - AHEAD[0, 0])
    return moved


@pytest.mark.parametrize(
    ("window", "landmarks", "transform", "words"),
    [
        (FACE, AHEAD, AS_IT_IS, ()),
        (FACE, AHEAD, 1.9 * AS_IT_IS, ()),
        (FACE, AHEAD, 2.1 * AS_IT_IS, ("small",)),
        (FACE, AHEAD, 2.1 * np.array([[0, -1, 0], [1, 0, 0]]), ("small",)),  # turned by a quarter
        (cv2.GaussianBlur(FACE, (0, 0), 3), AHEAD, AS_IT_IS, ("blurred",)),
        (FACE, nose_at(0.3), AS_IT_IS, ()),
        (FACE, nose_at(-0.4), AS_IT_IS, ("turned",)),
        (np.full_like(FACE, 90), nose_at(0.4), 3 * AS_IT_IS, ("small", "blurred", "turned")),
    ],
)
def test_a_face_is_warned_of_for_what_is_wrong_with_it(
    window: np.ndarray, landmarks: np.ndarray, transform: np.ndarray, words: tuple[str, ...]
) -> None:
    assert warnings(window, landmarks, transform) == words


def test_a_turn_is_measured_along_the_eyes() -> None:
    """A head that is tilted, or far away, is not turned by that."""
    assert turn(nose_at(0.25)) == pytest.approx(0.25)
    tilted = nose_at(0.25) @ np.array([[0.6, 0.8], [-0.8, 0.6]]) * 3
    assert turn(tilted) == pytest.approx(0.25)
    assert turn(np.zeros((5, 2))) == 0


def test_sharpness_is_that_of_edges_and_not_of_contrast() -> None:
    pale = (FACE // 4 + 90).astype(np.uint8)
    assert sharpness(pale) == pytest.approx(sharpness(FACE), rel=0.3)
    assert sharpness(cv2.GaussianBlur(FACE, (0, 0), 2)) < sharpness(FACE) / 3
