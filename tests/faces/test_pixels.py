"""Grey photos of many bits, and large photos in little memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_face
from PIL import Image

from facenet_demo.data.sources import ORL
from facenet_demo.faces import pixels
from facenet_demo.faces.detect import FaceDetector
from facenet_demo.faces.photos import ImageError, read_image, read_photo
from facenet_demo.faces.pixels import to_rgb
from facenet_demo.predict.reader import as_photo

FACE = np.array(Image.open(ORL().samples()[0].path))  # grey, uint8 (112, 92)


def save(values: np.ndarray, path: Path, **settings: object) -> None:
    Image.fromarray(values).save(path, **settings)


def pgm(values: np.ndarray, maxval: int) -> bytes:
    height, width = values.shape
    return b"P5 %d %d %d\n" % (width, height, maxval) + values.astype(">u2").tobytes()


def plain_pgm(values: np.ndarray, maxval: int) -> bytes:
    height, width = values.shape
    return b"P2 %d %d %d\n" % (width, height, maxval) + " ".join(map(str, values.flat)).encode()


def pfm(values: np.ndarray) -> bytes:
    height, width = values.shape
    return b"Pf\n%d %d\n-1.0\n" % (width, height) + values[::-1].astype("<f4").tobytes()


def tiff(values: np.ndarray, bits: int, *more: tuple[int, int]) -> bytes:
    """A grey TIFF of 12 bits, two pixels in three bytes, or of 16; `more` are tags."""
    height, width = values.shape
    if bits == 12:
        a, b = values.reshape(-1, 2).astype(int).T
        data = np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], 1).astype(np.uint8).tobytes()
    else:
        data = values.astype("<u2").tobytes()
    tags = dict([(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8),
                 (277, 1), (278, height), (279, len(data)), *more])  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return (
        b"II*\0"
        + struct.pack("<I", 8 + len(data))
        + data
        + struct.pack("<H", len(tags))
        + (entries + bytes(4))
    )


BRIGHT = FACE.astype(np.uint32)
TWELVE = (FACE * (4095 / 255)).round().astype(np.uint16)
SIXTEEN = FACE.astype(np.uint16) * 257
UNIT = (FACE / 255).astype(np.float32)
# The same photo, stored in each of these ways.
STORED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "8 bits in a PNG of 16": ("png", lambda p: save(FACE.astype(np.uint16), p)),
    "12 bits in a PNG of 16": ("png", lambda p: save(TWELVE, p)),
    "a PNG of 16": ("png", lambda p: save(SIXTEEN, p)),
    "12 bits in a TIFF of 16": ("tif", lambda p: save(TWELVE, p)),
    "a TIFF of 16": ("tif", lambda p: save(SIXTEEN, p)),
    "a TIFF of 12": ("tif", lambda p: p.write_bytes(tiff(TWELVE, 12))),
    "a TIFF that says its white": (
        "tif", lambda p: p.write_bytes(tiff(FACE.astype(int) * 64, 16, (281, 2**14 - 1)))
    ),
    "a TIFF that says its white, too": (
        "tif", lambda p: p.write_bytes(tiff(FACE.astype(int) * 4, 16, (341, 1023)))
    ),
    "a TIFF whose white is 0": (
        "tif", lambda p: p.write_bytes(tiff(65535 - SIXTEEN, 16, (262, 0)))
    ),
    "int32 of 8 bits": ("tif", lambda p: save(FACE.astype(np.int32), p)),
    "int32 of 12 bits": ("tif", lambda p: save(TWELVE.astype(np.int32), p)),
    "int32 of 16 bits": ("tif", lambda p: save(SIXTEEN.astype(np.int32), p)),
    "int32 of 24 bits": ("tif", lambda p: save(FACE.astype(np.int32) * 65793, p)),
    "float to 1": ("tif", lambda p: save(UNIT, p)),
    "float to 255": ("tif", lambda p: save(UNIT * 255, p)),
    "float to 4095": ("tif", lambda p: save(UNIT * 4095, p)),
    "float to 65535": ("tif", lambda p: save(UNIT * 65535, p)),
    "a PGM of 12": ("pgm", lambda p: p.write_bytes(pgm(TWELVE, 4095))),
    "a PGM of 10": ("pgm", lambda p: p.write_bytes(pgm(FACE.astype(int) * 4, 1023))),
    "a plain PGM of 12": ("pgm", lambda p: p.write_bytes(plain_pgm(TWELVE, 4095))),
    "12 bits in a PGM of 16": ("pgm", lambda p: p.write_bytes(pgm(TWELVE, 65535))),
    "a PGM of 16": ("pgm", lambda p: p.write_bytes(pgm(SIXTEEN, 65535))),
    "a PFM": ("pfm", lambda p: p.write_bytes(pfm(UNIT))),
}  # fmt: skip


@pytest.mark.parametrize("kind", STORED)
def test_a_face_looks_the_same_however_it_is_stored(kind: str, tmp_path: Path) -> None:
    suffix, write = STORED[kind]
    path = tmp_path / f"a.{suffix}"
    write(path)
    for found in (read_image(path), as_photo(Image.open(path)).pixels):
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - FACE[:, :, None]).max() <= 1
    assert len(FaceDetector()(read_image(path))) == 1


def test_floats_may_pass_white_a_little_and_need_not_be_numbers(tmp_path: Path) -> None:
    values = UNIT.copy()
    values[0, :5] = 1.2, -0.5, np.nan, np.inf, -np.inf
    save(values, tmp_path / "a.tif")
    found = read_image(tmp_path / "a.tif")[:, :, 0].astype(int)
    assert found[0, :5].tolist() == [255, 0, 0, 255, 0]
    assert np.abs(found[1:] - FACE[1:]).max() <= 1


@pytest.mark.parametrize("value", [0, np.nan])
def test_black_stays_black(value: float, tmp_path: Path) -> None:
    save(np.full((5, 7), value, np.float32), tmp_path / "a.tif")
    assert not read_image(tmp_path / "a.tif").any()


# Large photos

RGB = Image.fromarray(draw_face(size=90)[:, :70])


def with_alpha() -> Image.Image:
    image = RGB.copy()
    image.putalpha(Image.fromarray(np.arange(90 * 70, dtype=np.uint8).reshape(90, 70)))
    return image


@pytest.mark.parametrize("factor", [1, 2, 8])
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I", "F"])
def test_strips_are_the_whole(mode: str, factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = with_alpha() if mode == "RGBA" else RGB.convert("L").convert(mode)
    if mode == "P":
        image.info["transparency"] = bytes(range(256))
    whole = to_rgb(image)
    expected = np.asarray(Image.fromarray(whole).reduce(factor)) if factor > 1 else whole
    monkeypatch.setattr(pixels, "_STRIP", 70 * 3)
    assert np.array_equal(to_rgb(image, factor), expected)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_every_large_photo_is_read_smaller_and_keeps_its_size(
    kind: str, orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = RGB.resize((1400, 1800))
    large.save(tmp_path / f"a.{kind}", exif=exif)
    photo = read_photo(tmp_path / f"a.{kind}", decoded_side=400)
    expected = np.asarray(large.reduce(4))
    if orientation == 6:
        expected = np.rot90(expected, -1)
    assert photo.size == ((1800, 1400) if orientation == 1 else (1400, 1800))
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 3


def png(path: Path, width: int, height: int) -> Path:
    """A black and transparent RGBA image, made in little memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    deflate = zlib.compressobj()
    data = b"".join(deflate.compress(bytes(1 + 4 * width)) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", data + deflate.flush()), (b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


PEAK = r"""
import re, sys
from pathlib import Path
from facenet_demo.faces import photos as transforms
from facenet_demo.system.threads import Limit, ordered_map

def peak():  # not getrusage's, which is that of the parent as long as it is larger
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024

path, pixels, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
transforms._DECODING = Limit(pixels)
before = peak()
for image in ordered_map(transforms.read_image, [path] * threads, threads):
    assert (image == 255).all()
print((peak() - before) / pixels)
"""


@pytest.mark.parametrize(("num_threads", "most"), [(1, 6), (4, 10)])
def test_a_large_photo_takes_little_more_memory_than_its_pixels_in_all_threads(
    num_threads: int, most: float, tmp_path: Path
) -> None:
    width, height = 5000, 4000
    path = png(tmp_path / "a.png", width, height)
    assert path.stat().st_size < 100_000
    command = [sys.executable, "-c", PEAK, str(path), str(width * height), str(num_threads)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    # Bytes a pixel: Pillow decodes to 4, and each thread keeps a quarter of the pixels, of 3 bytes.
    assert float(done.stdout) < most


def test_a_phones_jpeg_of_108_megapixels_is_read(tmp_path: Path) -> None:
    Image.new("L", (12_000, 9000), 90).save(tmp_path / "a.jpg")
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.size == (9000, 12_000)
    assert photo.pixels.shape == (2250, 3000, 3)


@pytest.mark.parametrize(
    ("max_pixels", "settings", "read"),
    [
        (5_000_000, {}, True),
        (4_000_000, {}, False),  # a quarter of the whole and less
        (5_000_000, {"progressive": True}, False),  # decoded as a whole
        (18_000_000, {"progressive": True}, True),
    ],
)
def test_how_large_a_jpeg_may_be_is_bounded(
    max_pixels: int, settings: dict, read: bool, tmp_path: Path
) -> None:
    Image.new("L", (4800, 3600), 90).save(tmp_path / "a.jpg", **settings)
    if read:
        assert read_photo(tmp_path / "a.jpg", max_pixels).pixels.shape == (1800, 2400, 3)
    else:
        with pytest.raises(ImageError, match=f"4800 x 3600 pixels are more than {max_pixels}"):
            read_photo(tmp_path / "a.jpg", max_pixels)
