from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawing import LANDMARKS, draw_face

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.faces.detect import (
    FaceDetector,
    _cut,
    _square,
    _suppress,
    _suppress_inside,
    main_face,
)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


def placed(face: np.ndarray, height: int, width: int, top: int, left: int) -> np.ndarray:
    photo = np.full((height, width, 3), 128, np.uint8)
    photo[top : top + len(face), left : left + len(face)] = face
    return photo


@pytest.mark.parametrize("size", [64, 96, 250])
@pytest.mark.parametrize("person", [0, 1, 4])
def test_a_drawn_face_is_found_with_its_landmarks(
    detector: FaceDetector, person: int, size: int
) -> None:
    top, left = 70, 40
    photo = placed(draw_face(person, size=size), size + 120, size + 150, top, left)
    (face,) = detector(photo)
    expected = LANDMARKS * size + [left, top]
    assert np.abs(face.landmarks - expected).max() < 0.07 * size
    assert (face.box[:2] < expected.min(0)).all()
    assert (face.box[2:] > expected.max(0)).all()
    assert 0.7 <= face.score <= 1


def test_where_the_face_goes_its_landmarks_go(detector: FaceDetector) -> None:
    (here,), (there,) = (
        detector(placed(draw_face(size=100), 300, 400, top, left))
        for top, left in ((40, 50), (153, 247))
    )
    np.testing.assert_allclose(there.landmarks - here.landmarks, [[197, 113]] * 5, atol=2.5)
    np.testing.assert_allclose(there.box - here.box, [197, 113, 197, 113], atol=8)


@pytest.mark.parametrize("factor", [0.7, 1.6, 8])
def test_as_the_photo_grows_its_landmarks_spread(detector: FaceDetector, factor: float) -> None:
    """At 8 the photo is above `max_side`."""
    photo = placed(draw_face(size=100), 200, 240, 40, 60)
    scaled = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    (face,), (larger,) = detector(photo), detector(scaled)
    np.testing.assert_allclose(larger.landmarks / factor, face.landmarks, atol=3)


def test_all_faces_of_a_crowd_are_found(detector: FaceDetector) -> None:
    photo = np.full((320, 420, 3), 128, np.uint8)
    corners = [(10, 10), (10, 160), (10, 310), (170, 60), (170, 240)]
    for person, (top, left) in enumerate(corners):
        photo[top : top + 100, left : left + 100] = draw_face(person, size=100)
    faces = detector(photo)
    noses = np.array([face.landmarks[2] for face in faces])
    expected = np.array([[left, top] for top, left in corners]) + LANDMARKS[2] * 100
    distance = np.linalg.norm(noses[:, None] - expected, axis=2)
    assert len(faces) == len(corners)
    assert (distance.min(axis=0) < 8).all(), "each face by one of its own"
    assert [f.score for f in faces] == sorted((f.score for f in faces), reverse=True)


def test_a_large_photo_is_searched_small_and_answered_in_its_own_pixels(
    detector: FaceDetector,
) -> None:
    photo = placed(draw_face(size=900), 1500, 2000, 300, 700)
    (face,) = detector(photo)
    assert np.abs(face.landmarks - (LANDMARKS * 900 + [700, 300])).max() < 60


def test_faces_below_the_smallest_size_are_not_looked_for() -> None:
    photo = placed(draw_face(size=40), 160, 160, 60, 60)
    assert len(FaceDetector(min_face_size=20)(photo)) == 1
    assert FaceDetector(min_face_size=80)(photo) == []


@pytest.mark.parametrize(
    "photo",
    [
        np.full((200, 300, 3), 128, np.uint8),
        np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((5, 300, 3), np.uint8),
    ],
    ids=["grey", "noise", "one pixel", "a stripe"],
)
def test_where_nobody_is_nobody_is_found(detector: FaceDetector, photo: np.ndarray) -> None:
    assert detector(photo) == []


def test_every_photo_of_orl_shows_a_face(orl: FaceDataModule) -> None:
    assert len(orl.crops) == 400
    assert orl.crops.detected.all()
    eyes = orl.crops.landmarks[:, :2]
    assert (eyes[:, 0, 0] < eyes[:, 1, 0]).all(), "the left eye is left"


def test_the_main_face_is_large_and_near_the_centre() -> None:
    def box(x: float, y: float, side: float) -> list[float]:
        return [x, y, x + side, y + side]

    small_centre, large_corner, large_centre = box(90, 90, 20), box(0, 0, 60), box(70, 70, 60)
    assert main_face([small_centre, large_corner, large_centre], (200, 200)) == 2
    assert main_face([box(85, 85, 30), box(170, 170, 30)], (200, 200)) == 0
    assert main_face([box(85, 85, 10), box(60, 60, 60)], (200, 200)) == 1
    assert main_face([box(35, 135, 30), box(135, 35, 30)], (100, 300)) == 1, "height comes first"


def brute_force_suppress(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, of_smaller: bool
) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        for j in kept:
            width = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
            height = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
            shared = max(width, 0) * max(height, 0)
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[j])]
            whole = min(areas) if of_smaller else sum(areas) - shared
            if shared > threshold * whole:
                break
        else:
            kept.append(i)
    return kept


@pytest.mark.parametrize("of_smaller", [False, True])
@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_suppression_equals_brute_force(threshold: float, of_smaller: bool) -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (120, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 50, (120, 2))], axis=1)
    scores = rng.uniform(size=120)
    kept = (_suppress_inside if of_smaller else _suppress)(boxes, scores, threshold)
    assert kept.tolist() == brute_force_suppress(boxes, scores, threshold, of_smaller)
    assert 1 < len(kept) < 120


def test_no_boxes_are_no_boxes() -> None:
    for suppress in (_suppress, _suppress_inside):
        assert len(suppress(np.empty((0, 4)), np.empty(0), 0.5)) == 0


def test_a_square_has_the_longer_side_and_the_same_centre() -> None:
    assert _square(np.array([[10.0, 20, 30, 60]])).tolist() == [[0, 20, 40, 60]]


@pytest.mark.parametrize(
    ("left", "top"), [(8, 5), (-6, 3), (30, 20), (-4, -4), (-50, 0), (0, 90)], ids=str
)
def test_a_cut_is_the_box_and_black_outside_the_photo(left: int, top: int) -> None:
    image = np.random.default_rng(0).integers(1, 256, (30, 40, 3), np.uint8)
    framed = np.pad(image, ((100, 100), (100, 100), (0, 0)))
    expected = framed[top + 100 : top + 124, left + 100 : left + 124]
    (cut,) = _cut(image, np.array([[left, top, left + 24, top + 24]]) + 0.3, 24)
    assert np.array_equal(cut, expected)
