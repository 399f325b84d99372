"""Any Pillow image as RGB uint8, in little more memory than what comes out.

    pixels = to_rgb(image)               # (H, W, 3)
    pixels = to_rgb(image, factor=4)     # (H / 4, W / 4, 3), each the mean of 16

An image is converted strip by strip: Pillow would make up to four copies of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image, TiffTags

_STRIP = 1 << 20  # pixels
# Containers have 16 or 32 bits; what is in them has these.
_WHITE = (2**8 - 1, 2**12 - 1, 2**16 - 1)
# By so much floats may pass the white level: sharpening and enlarging do it.
_OVERSHOOT = 1.25
_TAGS = {tag.name: number for number, tag in TiffTags.TAGS_V2.items()}


def to_rgb(image: Image.Image, factor: int = 1) -> np.ndarray:
    """Any Pillow image as RGB uint8 `(H, W, 3)`; what is transparent becomes white.

    Which value is white, in grey of more than 8 bits and in floats, the file says: by TIFF's tags
    MaxSampleValue and BitsPerSample, by the maxval of a PGM. (PNG's sBIT says how many bits there
    were before they were stretched to 16: nothing is to be done.) Where it does not, or names all
    bits of the container, the brightest pixel tells. Whole numbers are taken to have 8, 12 or 16
    bits, or as many as it needs; floats to end at 1 or at the white of 8, 12 or 16 bits, which
    sharpened ones may pass by a quarter, or at the brightest pixel. What is negative or no number
    (NaN) is black.

    Args:
        image: best not decoded yet: Pillow then still knows the maxval of a PGM.
        factor: the result is so many times smaller; sides are rounded up.

    Raises:
        ValueError: for a colour space that Pillow cannot turn into RGB.
    """
    deep = image.mode == "F" or image.mode.startswith("I")  # Pillow would cut it off at 255
    white = (_stated_white(image) or _white_of_brightest(image)) if deep else 255
    inverted = deep and _tags(image).get(_TAGS["PhotometricInterpretation"]) == 0
    width, height = image.size
    pixels = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    for top, strip in _strips(image, factor):
        if deep:
            strip = _to_8_bits(np.asarray(strip), white, inverted)
        if strip.has_transparency_data:
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        strip = strip.convert("RGB")
        if factor > 1:
            strip = strip.reduce(factor)
        pixels[top // factor : top // factor + strip.height] = np.asarray(strip)
    return pixels


def _stated_white(image: Image.Image) -> float | None:
    if image.format == "PPM" and (undecoded := getattr(image, "tile", ())):
        decoder, _, _, settings = undecoded[0]
        # Any but the raw decoder stretches the pixels from their maxval to 16 bits.
        return _WHITE[-1] if decoder != "raw" and settings[-1] < _WHITE[-1] else None
    tags = _tags(image)
    for name in ("SMaxSampleValue", "MaxSampleValue"):
        if (value := _number(tags.get(_TAGS[name]))) is not None:
            return 1 if image.mode == "F" and value <= 1 else _bits(value)
    bits = _number(tags.get(_TAGS["BitsPerSample"]))
    return 2**bits - 1 if bits is not None and 8 <= bits < 16 else None


def _tags(image: Image.Image) -> Mapping[int, Any]:
    return getattr(image, "tag_v2", {})


def _number(value: object) -> float | None:
    """A tag's value: a number, or one for each channel; None if it is neither or not above 0."""
    first = value[0] if isinstance(value, tuple) and value else value
    try:
        number = float(first)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if 0 < number < math.inf else None


def _bits(value: float) -> float:
    """White where this is the brightest pixel, as many bits as it takes."""
    return 2 ** max(8, math.ceil(math.log2(value + 1))) - 1


def _white_of_brightest(image: Image.Image) -> float:
    brightest = 0.0
    for _, strip in _strips(image):
        values = np.asarray(strip)
        brightest = max(brightest, float(values.max(initial=0, where=np.isfinite(values))))
    if image.mode == "F":
        levels = (1.0, *_WHITE)
        return next((white for white in levels if brightest <= white * _OVERSHOOT), brightest)
    return next((white for white in _WHITE if brightest <= white), _bits(brightest))


def _to_8_bits(values: np.ndarray, white: float, inverted: bool) -> Image.Image:
    known = np.nan_to_num(values.astype(np.float64), nan=0, posinf=white, neginf=0)
    grey = (known * (255 / white)).round().clip(0, 255).astype(np.uint8)
    return Image.fromarray(255 - grey if inverted else grey)


def _strips(image: Image.Image, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Parts of full width, each with the row it starts at, which is a multiple of `multiple`."""
    width, height = image.size
    rows = max(1, _STRIP // (width * multiple)) * multiple
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))
