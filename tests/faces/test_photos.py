from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_face
from PIL import Image

from facenet_demo.faces.photos import ImageError, read_image

FACE = draw_face(size=40)[:, :30]  # not square, so that a turn shows


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, 1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, -1)),
    ],
)
def test_a_photo_is_turned_as_its_exif_says(
    tmp_path: Path, orientation: int, stored: Callable[[np.ndarray], np.ndarray]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored(FACE))).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), FACE)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb_that_looks_the_same(tmp_path: Path, mode: str) -> None:
    grey = np.asarray(Image.fromarray(FACE).convert("L"))
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert("RGB" if mode == "CMYK" else "L").convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    found = read_image(path)
    assert found.shape == FACE.shape
    assert found.dtype == np.uint8
    difference = np.abs(found.mean(axis=2) - grey)
    # Black and white dithers: right on average only.
    assert (abs(found.mean() - grey.mean()) if mode == "1" else difference.max()) < 6


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    flat = Image.fromarray(FACE).quantize(16)
    flat.save(tmp_path / "a.png", transparency=bytes(range(0, 256, 16)))
    share = np.asarray(flat)[:, :, None] * 16 / 255  # how opaque each pixel is
    expected = np.asarray(flat.convert("RGB")) * share + 255 * (1 - share)
    assert np.abs(read_image(tmp_path / "a.png") - expected).max() <= 1
    Image.fromarray(np.dstack([FACE, np.zeros_like(FACE[:, :, 0])])).save(tmp_path / "b.png")
    assert (read_image(tmp_path / "b.png") == 255).all()


def test_of_an_animation_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "a.gif") == [255, 0, 0]).all()


def jpeg(folder: Path) -> bytes:
    Image.fromarray(draw_face()).save(folder / "whole.jpg")
    return (folder / "whole.jpg").read_bytes()


def test_a_damaged_file_is_an_error_that_says_what_is_wrong(tmp_path: Path) -> None:
    whole = jpeg(tmp_path)
    contents = {
        "empty file": b"",
        "not an image": b"hello",
        "damaged image": whole[: len(whole) // 2],
    }
    for reason, content in contents.items():
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(ImageError, match=reason):
            read_image(tmp_path / "a.jpg")


def test_a_folder_and_nothing_are_no_photos(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(ImageError, match="is a directory"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "b.jpg")


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    # The header promises more than the file holds: decoding would end in another error.
    Image.new("1", (3000, 3000)).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:60])
    with pytest.raises(ImageError, match="3000 x 3000 pixels are more than 1000000"):
        read_image(tmp_path / "a.png", max_pixels=1_000_000)


def test_a_decompression_bomb_is_an_error(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="pixels"):
        read_image(tmp_path / "a.png")
