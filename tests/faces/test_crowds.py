"""Photos of one person that show several faces, from files to crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawing import draw_face, draw_people
from PIL import Image

from facenet_demo.data import crops as module
from facenet_demo.data.crops import prepare_crops
from facenet_demo.data.sources import Folder
from facenet_demo.data.stored import Crops, CropSettings
from facenet_demo.faces import crowds
from facenet_demo.faces.align import align, template
from facenet_demo.faces.detect import FaceDetector
from facenet_demo.faces.likeness import Choice
from facenet_demo.faces.photos import read_image

SETTINGS = CropSettings(size=48, window=32)
ADA, BEA = 1, 5  # two drawn people who differ in shape, too


def group(*people: int, photo: int = 9) -> Image.Image:
    """Faces side by side, the first one large."""
    tall = [draw_face(person, photo, 150 if i == 0 else 110) for i, person in enumerate(people)]
    padded = [np.pad(face, ((0, 150 - len(face)), (0, 0), (0, 0)), mode="edge") for face in tall]
    return Image.fromarray(np.concatenate(padded, axis=1))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five photos of Ada and of Bea alone, and one of both in the folders of both."""
    for name, person in (("Ada", ADA), ("Bea", BEA)):
        (tmp_path / "people" / name).mkdir(parents=True)
        for photo in range(5):
            Image.fromarray(draw_face(person, photo)).save(
                tmp_path / "people" / name / f"{photo}.png"
            )
        group(BEA, ADA).save(tmp_path / "people" / name / "both.png")
    return tmp_path / "people"


def prepared(root: Path, cache: Path, **settings: object) -> Crops:
    return prepare_crops(list(Folder(root).samples()), SETTINGS, cache, **settings)


def row_of(crops: Crops, name: str) -> int:
    return [Path(file).relative_to(Path(file).parents[1]).as_posix() for file in crops.files].index(
        name
    )


def place(crops: Crops, row: int) -> np.ndarray:
    """Where in the photo the middle of a crop lies."""
    linear, shift = crops.transforms[row][:, :2], crops.transforms[row][:, 2]
    return np.linalg.solve(linear, np.array([24, 24]) - shift)


def test_a_photo_of_two_in_the_folders_of_both_shows_each_of_them(
    root: Path, tmp_path: Path
) -> None:
    crops = prepared(root, tmp_path)
    ada, bea = (row_of(crops, f"{name}/both.png") for name in ("Ada", "Bea"))
    assert crops.num_faces[[ada, bea]].tolist() == [2, 2]
    assert place(crops, bea)[0] < 150 < place(crops, ada)[0], "Ada stands on the right"
    assert crops.overruled == [ada]
    assert crops.unclear == []
    # What is stored belongs together: pixels, landmarks and transform of the face on the right.
    for row, name in enumerate(crops.files):
        image = read_image(name)
        side = max if row == ada else min
        face = side(FaceDetector()(image), key=lambda face: float(face.box[0]))
        pixels, transform = align(image, face.landmarks, template(48, 32), 48)
        assert np.array_equal(crops.images[row], pixels), name
        np.testing.assert_allclose(crops.transforms[row], transform)
        moved = face.landmarks @ transform[:, :2].T + transform[:, 2]
        np.testing.assert_allclose(crops.landmarks[row], moved, atol=1e-3)


def test_without_enough_photos_alone_the_main_face_is_taken(root: Path, tmp_path: Path) -> None:
    for number in range(3):
        (root / "Ada" / f"{number}.png").unlink()
    crops = prepared(root, tmp_path)
    ada, bea = (row_of(crops, f"{name}/both.png") for name in ("Ada", "Bea"))
    assert crops.overruled == []
    assert np.array_equal(crops.transforms[ada], crops.transforms[bea])


@pytest.mark.parametrize("num_threads", [1, 3])
def test_the_number_of_threads_changes_nothing(
    root: Path, tmp_path: Path, num_threads: int
) -> None:
    one, other = (
        prepared(root, tmp_path / "a"),
        prepared(root, tmp_path / "b", num_threads=num_threads),
    )
    assert np.array_equal(one.images, other.images)
    assert one.overruled == other.overruled


def test_a_choice_that_was_stopped_is_made_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepared(root, tmp_path / "whole")
    settle, done = crowds.settle, []

    def stopped(*args: object) -> object:
        for one in settle(*args):  # type: ignore[arg-type]
            yield one
            done.append(one.row)
            if one.other is not None:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(crowds, "settle", stopped)
        with pytest.raises(KeyboardInterrupt):
            prepared(root, tmp_path / "cache")
    assert done, "Ada's crop was written over"
    monkeypatch.setattr(module, "_crop", None)  # no photo is searched for faces again
    again = prepared(root, tmp_path / "cache")
    for name, value in vars(whole).items():
        assert np.array_equal(value, getattr(again, name)), name


def test_a_photo_that_is_gone_by_then_keeps_its_main_face(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = crowds.settle

    def late(*args: object) -> object:
        (root / "Ada" / "both.png").unlink()
        yield from settle(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(crowds, "settle", late)
    crops = prepared(root, tmp_path)
    ada = row_of(crops, "Ada/both.png")
    assert place(crops, ada)[0] < 150
    assert crops.overruled == []


def test_what_is_not_clear_is_said(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowds, "choose", lambda alike, main: Choice(main, unclear=True))
    crops = prepared(root, tmp_path)
    assert crops.unclear == sorted(row_of(crops, f"{name}/both.png") for name in ("Ada", "Bea"))


def test_photos_of_one_face_each_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowds, "Likeness", None)
    crops = prepared(draw_people(tmp_path / "people", 2, 3), tmp_path)
    assert (crops.num_faces == 1).all()
