"""Photos as people have them: read as they are meant to be seen, or refused with the reason."""

from __future__ import annotations

import io
import os
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_face
from PIL import Image, features

from facenet_demo.faces.photos import ImageError, read_image, read_photo

FACE = draw_face(size=64)[:, :48]
RGB = Image.fromarray(FACE)
GREY = RGB.convert("L")


def save(image: Image.Image, kind: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def animation(kind: str) -> bytes:
    black = Image.new("RGB", RGB.size)
    return save(RGB, kind, save_all=True, append_images=[black, black], duration=100)


def deep(grey: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)


def with_alpha(alpha: int) -> Image.Image:
    image = RGB.copy()
    image.putalpha(alpha)
    return image


# How far a pixel's mean over all channels may be off: formats lose more or less.
READABLE: dict[str, tuple[Callable[[], bytes], float]] = {
    "jpeg": (lambda: save(RGB, "JPEG", quality=95), 3),
    "progressive jpeg": (lambda: save(RGB, "JPEG", quality=95, progressive=True), 3),
    "grey jpeg": (lambda: save(GREY, "JPEG", quality=95), 3),
    "cmyk jpeg": (lambda: save(RGB.convert("CMYK"), "JPEG", quality=95), 4),
    "png": (lambda: save(RGB, "PNG"), 0),
    "grey png": (lambda: save(GREY, "PNG"), 1),
    "16-bit png": (lambda: save(deep(GREY), "PNG"), 1),
    "palette png": (lambda: save(RGB.quantize(256), "PNG"), 4),
    "opaque alpha": (lambda: save(with_alpha(255), "PNG"), 0),
    "grey alpha": (lambda: save(GREY.convert("LA"), "PNG"), 1),
    "animated gif": (lambda: animation("GIF"), 4),
    "animated webp": (lambda: animation("WEBP"), 6),
    "mpo": (lambda: save(RGB, "MPO", save_all=True, append_images=[GREY], quality=95), 3),
    "tiff": (lambda: save(RGB, "TIFF"), 0),
    "cmyk tiff": (lambda: save(RGB.convert("CMYK"), "TIFF"), 1),
    "bmp": (lambda: save(RGB, "BMP"), 0),
    "pgm": (lambda: save(GREY, "PPM"), 1),
    "jpeg 2000": (lambda: save(RGB, "JPEG2000"), 1),
    "avif": (lambda: save(RGB, "AVIF", quality=90), 5),
    "damaged exif": (lambda: save(RGB, "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff"), 3),
    "more after the end": (lambda: save(RGB, "PNG") + b"tail" * 50, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", READABLE)
def test_it_looks_the_same(name: str, tmp_path: Path) -> None:
    if name == "avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    make, tolerance = READABLE[name]
    (tmp_path / "a.jpg").write_bytes(make())  # whatever its name says
    found = read_image(tmp_path / "a.jpg")
    assert found.dtype == np.uint8
    assert found.shape == FACE.shape
    difference = np.abs(found.mean(2) - FACE.mean(2))
    if "grey" in name or name in ("16-bit png", "pgm"):  # a weighted mean of the colours
        difference = np.abs(found.mean(2) - np.asarray(GREY))
    assert difference.mean() <= tolerance + 0.5


def test_black_and_white_is_right_on_average(tmp_path: Path) -> None:
    RGB.convert("1").save(tmp_path / "a.png")
    assert abs(read_image(tmp_path / "a.png").mean() - np.asarray(GREY).mean()) < 6


@pytest.mark.parametrize("alpha", [0, 128])
def test_transparency_shows_white(alpha: int, tmp_path: Path) -> None:
    with_alpha(alpha).save(tmp_path / "a.png")
    share = alpha / 255
    expected = FACE * share + 255 * (1 - share)
    assert np.abs(read_image(tmp_path / "a.png") - expected).max() <= 1


def test_heic_is_read_or_its_package_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(RGB).save(tmp_path / "a.heic", quality=90)
    assert np.abs(read_image(tmp_path / "a.heic") - FACE.astype(float)).mean() < 6
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match="pip install pillow-heif"):
        read_image(tmp_path / "a.heic")


def png_header(width: int, height: int) -> bytes:
    whole = save(RGB, "PNG")
    head = b"IHDR" + struct.pack(">II", width, height) + whole[24:29]
    return whole[:12] + head + struct.pack(">I", zlib.crc32(head)) + whole[33:]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "zero bytes": (lambda: b"", "^empty file$"),
    "text": (lambda: b"hello", "^not an image$"),
    "half a png": (lambda: save(RGB, "PNG")[:2000], "damaged image"),
    "half a jpeg": (lambda: save(RGB, "JPEG")[:900], "damaged image"),
    "half a gif": (lambda: save(RGB, "GIF")[:900], "damaged image"),
    "half a webp": (lambda: save(RGB, "WEBP")[:300], "damaged image|not an image"),
    "a header of 20,000 x 20,000": (lambda: png_header(20_000, 20_000), "pixels"),
    "a header of no pixels": (lambda: png_header(0, 5), "image"),
    "a script": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "^not an image$"),
    "an icon": (lambda: save(RGB, "ICO"), "^not an image$"),
    "a vector graphic": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "^not an image$"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    (tmp_path / "a.jpg").write_bytes(make())
    with pytest.raises(ImageError, match=reason):
        read_image(tmp_path / "a.jpg")


def test_one_pixel_is_a_photo(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), "red").save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 0, 0]]]


def test_a_large_jpeg_is_decoded_smaller_and_keeps_its_size(tmp_path: Path) -> None:
    RGB.resize((3600, 4800)).save(tmp_path / "a.jpg")
    photo = read_photo(tmp_path / "a.jpg", decoded_side=1000)
    assert photo.size == (4800, 3600)
    assert photo.pixels.shape == (1200, 900, 3)
    whole = np.asarray(RGB.resize((900, 1200)), float)
    assert np.abs(photo.pixels - whole).mean() < 3
    small = RGB.resize((600, 800))
    small.save(tmp_path / "b.jpg", quality=95)
    assert read_photo(tmp_path / "b.jpg").pixels.shape == (800, 600, 3)


def test_the_largest_jpeg_that_is_allowed_takes_little_memory(tmp_path: Path) -> None:
    Image.new("L", (10_000, 10_000), 200).save(tmp_path / "a.jpg")
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.size == (10_000, 10_000)
    assert photo.pixels.shape == (2500, 2500, 3)
    assert abs(int(photo.pixels.mean()) - 200) < 3


def test_pipes_devices_and_loops_are_no_photos(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    for path, reason in (
        (tmp_path / "pipe.jpg", "not a file"),
        (Path("/dev/zero"), "not a file"),
        (tmp_path / "loop.jpg", "too many levels of symbolic links"),
        (tmp_path / ("x" * 300), "too long"),
        (tmp_path / "a\0b.jpg", "null"),
    ):
        with pytest.raises(ImageError, match=reason):
            read_image(path)


def test_a_file_that_may_not_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    RGB.save(path)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything

        def denied(*args: object, **settings: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Image, "open", denied)
    with pytest.raises(ImageError, match="permission denied"):
        read_image(path)


def test_whatever_is_wrong_with_a_file_is_one_error_and_soon_said(tmp_path: Path) -> None:
    """Bytes flipped, cut out, doubled, heads exchanged: a photo or an ImageError, nothing else."""
    rng = np.random.default_rng(0)
    whole = [save(RGB, kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")]
    whole += [save(RGB, "JPEG", progressive=True), save(RGB, "JPEG2000"), animation("GIF")]
    path, slowest, reasons = tmp_path / "a.jpg", 0.0, set()
    for number in range(400):
        content = bytearray(whole[number % len(whole)])
        where = int(rng.integers(len(content)))
        match number // len(whole) % 4:
            case 0:
                for place in rng.integers(0, len(content), 1 + number % 9):
                    content[place] ^= int(rng.integers(1, 256))
            case 1:
                content = content[:where]
            case 2:
                del content[where : where + int(rng.integers(1, 99))]
            case 3:
                other = whole[int(rng.integers(len(whole)))]
                length = int(rng.integers(4, 64))
                content[:length] = other[:length]
        path.write_bytes(content)
        started = time.process_time()
        try:
            assert read_image(path).ndim == 3
        except ImageError as error:
            reasons.add(str(error))
        slowest = max(slowest, time.process_time() - started)
    assert len(reasons) > 20
    assert "" not in reasons
    assert slowest < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4_000_000  # KiB, all of pytest
