from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from facenet_demo.data.crops import prepare_crops
from facenet_demo.data.sources import ORL
from facenet_demo.data.stored import Crops, CropSettings
from facenet_demo.data.windows import CentreWindow
from facenet_demo.faces.align import crop_size
from facenet_demo.faces.photos import read_image
from facenet_demo.predict.reader import FaceReader, as_photo


def main_window(reader: FaceReader, path: Path) -> torch.Tensor:
    read = reader(path)
    return read.windows[read.main]


def test_the_network_sees_what_training_shows_it(
    orl_crops: Crops, orl_windows: torch.Tensor
) -> None:
    reader = FaceReader(48, 0.8)
    for file, window in zip(orl_crops.files[::3], orl_windows[::3], strict=True):
        assert torch.equal(main_window(reader, Path(file)), window)


def test_so_it_does_at_another_size(tmp_path: Path) -> None:
    samples = ORL().samples()[::80]
    crops = prepare_crops(samples, CropSettings(crop_size(65), 65), tmp_path)
    windows = CentreWindow(65)(torch.from_numpy(crops.images.copy()).permute(0, 3, 1, 2))
    reader = FaceReader(65, 1.0)
    for sample, window in zip(samples, windows, strict=True):
        assert torch.equal(main_window(reader, sample.path), window)


@pytest.fixture(scope="module")
def face(orl_root: Path) -> np.ndarray:
    """An ORL photo, RGB uint8 (112, 92, 3)."""
    return read_image(orl_root / "s1/1.pgm")


def test_faces_come_from_left_to_right_with_all_of_them(face: np.ndarray) -> None:
    photo = np.full((240, 480, 3), 128, np.uint8)
    for x in (300, 20, 160):
        photo[60:172, x : x + 92] = face
    read = FaceReader(48, 1.0)(photo)
    assert len(read.faces) == 3
    lefts = [face.box[0] for face in read.faces]
    assert lefts == sorted(lefts)
    assert read.windows.shape == (3, 3, 48, 48)
    assert 0 <= read.windows.min() < read.windows.max() <= 1


def test_no_face_is_no_windows() -> None:
    read = FaceReader(48, 1.0)(np.full((50, 70, 3), 128, np.uint8))
    assert (read.size, read.faces, read.windows.shape) == ((50, 70), [], (0, 3, 48, 48))


@pytest.mark.parametrize("orientation", [1, 6])
def test_of_a_large_jpeg_boxes_count_in_its_own_pixels(
    orientation: int, face: np.ndarray, tmp_path: Path
) -> None:
    """Decoded at half its size, the face is where it was put."""
    photo = np.full((2400, 3200, 3), 128, np.uint8)
    photo[700:1820, 400:1320] = cv2.resize(face, (920, 1120))
    stored = Image.fromarray(np.rot90(photo, orientation == 6))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", exif=exif)
    assert max(read_image(tmp_path / "a.jpg").shape) == 1600
    read = FaceReader(48, 1.0)(tmp_path / "a.jpg")
    assert read.size == (2400, 3200)
    small = FaceReader(48, 1.0)(face).faces[0]
    np.testing.assert_allclose(
        read.faces[0].landmarks, small.landmarks * 10 + [400, 700], atol=0.06 * 1120
    )


def test_a_face_of_a_twentieth_of_a_large_photo_is_found(face: np.ndarray) -> None:
    box = FaceReader(48, 1.0)(face).faces[0].box
    scale = 1600 / 20 / (box[2:] - box[:2]).max()
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    photo = np.full((1200, 1600, 3), 128, np.uint8)
    photo[800 : 800 + small.shape[0], 1100 : 1100 + small.shape[1]] = small
    (found,) = FaceReader(48, 1.0)(photo).faces
    np.testing.assert_allclose(found.box, box * scale + np.tile([1100, 800], 2), atol=12)


def as_rgba(a: np.ndarray) -> np.ndarray:
    return np.dstack([a, np.full(a.shape[:2], 255, np.uint8)])


FORMS = {
    "Pillow": Image.fromarray,
    "grey Pillow": lambda a: Image.fromarray(a[:, :, 0]),
    "array": lambda a: a,
    "grey array": lambda a: a[:, :, 0],
    "one channel": lambda a: a[:, :, :1],
    "RGBA": as_rgba,
    "floats": lambda a: a / 255,
    "not contiguous": lambda a: np.asfortranarray(a),
    "tensor": lambda a: torch.from_numpy(a.copy()).permute(2, 0, 1),
    "float tensor": lambda a: torch.from_numpy(a / np.float32(255)).permute(2, 0, 1),
    "grey tensor": lambda a: torch.from_numpy(a[:, :, 0].copy())[None],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_image_is_the_same_photo(form: str, face: np.ndarray) -> None:
    photo = as_photo(FORMS[form](face))  # ORL is grey, so all forms hold the same
    assert np.array_equal(photo.pixels, face)
    assert photo.size == face.shape[:2]


def test_a_pillow_image_is_turned_as_its_exif_says(face: np.ndarray) -> None:
    image = Image.fromarray(np.ascontiguousarray(np.rot90(face)))
    image.getexif()[0x0112] = 6
    assert np.array_equal(as_photo(image).pixels, face)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((5, 5, 2), np.uint8), r"\(5, 5, 2\)"),
        (np.zeros((0, 5, 3), np.uint8), r"\(0, 5, 3\)"),
        (np.zeros(5, np.uint8), r"\(5,\)"),
        (np.zeros((5, 5, 3), np.int64), "int64"),
        (np.full((5, 5, 3), 200.0), r"\[0, 1\]"),
        (np.full((5, 5, 3), np.nan), r"\[0, 1\]"),
        (torch.zeros(5, 5), r"\(5, 5\)"),
        (torch.zeros(5, 5, 3), r"\(5, 3, 5\)"),
        (7, "int"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_image_is_an_error_that_says_so(image: object, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        as_photo(image)
