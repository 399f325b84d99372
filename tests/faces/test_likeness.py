from __future__ import annotations

import numpy as np
import pytest
from drawing import draw_face

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.faces.likeness import LEAST_PHOTOS, Choice, Likeness, choose


def windows(data: FaceDataModule) -> np.ndarray:
    """ORL, 40 people, 10 photos each, in order: `(40, 10, W, W, 3)` uint8."""
    start = (data.crop_settings.size - data.window) // 2
    inside = slice(start, start + data.window)
    images = data.crops.images[:, inside, inside]
    return images.reshape(40, 10, *images.shape[1:])


def test_the_right_one_of_three_faces_is_told_from_five_photos(orl: FaceDataModule) -> None:
    """The last 5 photos of each are shown beside faces of two others, who are known or not."""
    faces = windows(orl)
    likeness = Likeness()
    for person in range(30):
        likeness.add(str(person), faces[person, :5])
    rng = np.random.default_rng(0)
    chosen = []
    for person in range(30):
        others = [number for number in range(40) if number != person]
        for photo in range(5, 10):
            crowd = np.stack([faces[other, photo] for other in rng.choice(others, 2, replace=False)]
                             + [faces[person, photo]])  # fmt: skip
            chosen.append(choose(likeness.of(str(person), crowd), main=int(rng.integers(3))))
    settled = [one for one in chosen if not one.unclear]
    assert len(settled) > 0.8 * len(chosen)
    assert np.mean([one.face == 2 for one in settled]) > 0.97
    main_alone = np.mean([one.face == 2 and not one.overruled for one in chosen])
    assert main_alone < 0.5, "the main one was right in a third"


def test_a_mirror_image_is_as_like(orl: FaceDataModule) -> None:
    faces = windows(orl)
    likeness = Likeness()
    for person in range(2):
        likeness.add(str(person), faces[person, :5])
    for shown in (faces[:4, 7], faces[:4, 7, :, ::-1]):
        np.testing.assert_allclose(
            likeness.of("1", shown), likeness.of("1", faces[:4, 7]), atol=0.02
        )


@pytest.mark.parametrize("side", [8, 32, 65])
def test_any_window_will_do(side: int) -> None:
    likeness = Likeness()
    for person in range(2):
        likeness.add(
            str(person), np.stack([draw_face(person, i, side) for i in range(LEAST_PHOTOS)])
        )
    found = likeness.of("0", np.stack([draw_face(p, 9, side) for p in range(2)]))
    assert found is not None
    assert found[0] > found[1]


def test_with_too_few_photos_or_nobody_else_nothing_is_said() -> None:
    faces = np.stack([draw_face(0, i, 32) for i in range(LEAST_PHOTOS)])
    likeness = Likeness()
    likeness.add("Ada", faces)
    assert likeness.of("Ada", faces) is None
    likeness.add("Bea", faces[1:])
    assert likeness.of("Ada", faces) is None
    likeness.add("Cleo", faces)
    assert likeness.of("Ada", faces) is not None
    assert likeness.of("Bea", faces) is None


@pytest.mark.parametrize(
    ("likeness", "main", "expected"),
    [
        (None, 1, Choice(1)),
        ([0.5, 0.1], 0, Choice(0)),
        ([0.5, 0.1], 1, Choice(0, overruled=True)),
        ([0.3, 0.2], 1, Choice(1, unclear=True)),  # hardly more
        ([0.1, -0.4], 1, Choice(1, unclear=True)),  # hardly like the person
        ([-0.2, -0.1], 1, Choice(1)),
    ],
)
def test_another_face_is_taken_only_if_it_is_clearly_the_persons(
    likeness: list[float] | None, main: int, expected: Choice
) -> None:
    assert choose(None if likeness is None else np.array(likeness), main) == expected
