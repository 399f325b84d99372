"""From a photo file to RGB.

image = read_image("photo.jpg")      # RGB uint8 (H, W, 3)
"""

from __future__ import annotations

import ctypes
import os
import stat
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from facenet_demo.faces.pixels import to_rgb
from facenet_demo.system.threads import Limit

MAX_PIXELS = 100_000_000
# A photo is read at 1/2, 1/4 or 1/8 as long as its longer side keeps so many pixels.
DECODED_SIDE = 1600
_MOST_OF_JPEG = 4  # times as many pixels may a file have that is decoded at a smaller size
_DECODING = Limit(MAX_PIXELS)
_LARGE = 4_000_000  # pixels

# What photos come in. Others that Pillow knows are left alone: some of them run programs.
_FORMATS = ("JPEG", "PNG", "PPM", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)  # of these, height and width change places


class ImageError(Exception):
    """A file that is not a photo, or not one that can be read; the message says why."""


class Photo(NamedTuple):
    """A photo as it is meant to be seen.

    Attributes:
        pixels: RGB uint8 `(H, W, 3)`; of a large photo at a reduced size.
        size: `(height, width)` of the whole photo, pixels.
    """

    pixels: np.ndarray
    size: tuple[int, int]


def read_image(path: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The pixels of `read_photo`, RGB uint8 `(H, W, 3)`."""
    return read_photo(path, max_pixels).pixels


def read_photo(
    path: Path | str, max_pixels: int = MAX_PIXELS, decoded_side: int = DECODED_SIDE
) -> Photo:
    """Read a photo as it is meant to be seen: turned as its EXIF says, transparency on white.

    However many threads read photos, at most 100 million pixels are decoded at a time.

    Args:
        path: a file that Pillow reads, HEIC too if `pillow-heif` is there; of an animation the
            first frame.
        max_pixels: larger images are refused by their header, before decoding; a JPEG, whose
            decoder makes it smaller, only if it has more than that when decoded, or four times as
            many in the file. Pillow's own limit, twice Image.MAX_IMAGE_PIXELS, holds too.
        decoded_side: a photo whose longer side keeps so many pixels is read at 1/2, 1/4 or 1/8.

    Raises:
        ImageError: naming what is wrong with the file.
    """
    try:
        _check_regular(path)
        with warnings.catch_warnings():
            # Our own limit below is stricter than Pillow's, and a bad file is an error below.
            warnings.simplefilter("ignore")
            with _open(path) as file:
                width, height = file.size
                longer = max(width, height)
                factor = next((f for f in (8, 4, 2) if longer >= f * decoded_side), 1)
                decoded = _draft(file, factor)
                if decoded > max_pixels or width * height > _MOST_OF_JPEG * max_pixels:
                    raise ImageError(f"{width} x {height} pixels are more than {max_pixels}")
                if file.size != (width, height):
                    factor = 1  # it is as small as it should be
                with _DECODING.taking(decoded):
                    pixels = to_rgb(file, factor)
                    orientation = _orientation(file)
                    if decoded >= _LARGE:
                        file.close()
                        _return_memory()
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except Exception as error:  # Pillow's decoders raise whatever their formats inspire them to
        raise ImageError(_reason(path, error)) from error
    if orientation in _TURNS:
        pixels = np.asarray(Image.fromarray(pixels).transpose(_TURNS[orientation]))
    if max(pixels.shape[:2]) == longer:
        return Photo(pixels, pixels.shape[:2])
    return Photo(pixels, (width, height) if orientation in _SIDEWAYS else (height, width))


def upright(image: Image.Image) -> np.ndarray:
    """A Pillow image as RGB uint8 `(H, W, 3)`, turned and mirrored as its EXIF orientation says."""
    pixels, orientation = to_rgb(image), _orientation(image)
    if orientation not in _TURNS:
        return pixels
    return np.asarray(Image.fromarray(pixels).transpose(_TURNS[orientation]))


def _draft(file: Image.Image, factor: int) -> int:
    """Have a JPEG decoded so many times smaller; returns how many pixels decoding takes."""
    width, height = file.size
    if factor > 1:  # only JPEG heeds it
        file.draft(None, (width // factor or 1, height // factor or 1))
    # Of a progressive JPEG the whole is kept in memory before any of it is seen.
    kept = file.size if not file.info.get("progressive") else (width, height)
    return kept[0] * kept[1]


def _return_memory() -> None:
    """glibc keeps what each thread has freed, for that thread: as much as its largest photo."""
    with suppress(AttributeError, OSError, TypeError):  # other systems do not have it
        ctypes.CDLL(None).malloc_trim(0)


def _check_regular(path: Path | str) -> None:
    mode = os.stat(path).st_mode  # noqa: PTH116 - a path may be text here
    if stat.S_ISDIR(mode):
        raise ImageError("is a directory")
    if not stat.S_ISREG(mode):  # a pipe would wait for ever, a device never end
        raise ImageError("not a file")


def _open(path: Path | str) -> Image.Image:
    try:
        return Image.open(path, formats=_FORMATS)
    except Image.UnidentifiedImageError:
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(12)
        if head[4:8] != b"ftyp" or head[8:12] not in _HEIF_BRANDS:
            raise
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(
            "HEIC photos need one more package: pip install pillow-heif (the extra heif)"
        ) from None
    pillow_heif.register_heif_opener(thumbnails=False)
    return Image.open(path, formats=["HEIF"])


def is_photo(path: Path | str) -> bool:
    """Whether a file begins as a photo does, whatever its name; it may still be damaged."""
    try:
        _check_regular(path)
    except (ImageError, OSError, ValueError):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _open(path).close()
    except (ImageError, Image.DecompressionBombError):  # one that cannot be read here
        return True
    except Exception:  # as in `read_photo`
        return False
    return True


def _orientation(file: Image.Image) -> int:
    try:
        return int(file.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a photo is no worse for notes about it that nobody can read
        return 1


def _reason(path: Path | str, error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image" if Path(path).stat().st_size else "empty file"
    if isinstance(error, Image.DecompressionBombError):
        return f"too many pixels ({error})"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    return f"damaged image ({error})"
