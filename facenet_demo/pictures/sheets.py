"""Sheets: pictures as uint8 arrays, drawn fast enough for every few epochs.

No function here sees a network: arrays in, arrays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

_GAP = 2
_PAPER = 255
_AGAINST, _NOTHING, _FOR = "#1453a3", "#a0a0a0", "#c8102e"
_OUTLINE = (255, 214, 10)


def tile(pictures: np.ndarray, columns: int, gap: int = _GAP) -> np.ndarray:
    """Lay out pictures `(N, H, W, 3)` uint8 in rows of `columns` on white: `(H', W', 3)`."""
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, 3), _PAPER, np.uint8
    )
    for i, picture in enumerate(pictures):
        y, x = (gap + (i // columns) * (height + gap), gap + (i % columns) * (width + gap))
        sheet[y : y + height, x : x + width] = picture
    return sheet


def kernel_sheet(kernels: np.ndarray, magnify: int = 8) -> np.ndarray:
    """The kernels of a first layer as colours, mid-grey for a weight of 0.

    Args:
        kernels: `(U, 3, k, k)` weights; each is scaled by its own largest weight.
        magnify: size of one weight, pixels.

    Returns:
        `(H, W, 3)` uint8.
    """
    largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True).clip(1e-12)
    pixels = np.round(127.5 + 127.5 * kernels / largest).astype(np.uint8).transpose(0, 2, 3, 1)
    pixels = pixels.repeat(magnify, axis=1).repeat(magnify, axis=2)
    return tile(pixels, columns=min(8, len(pixels)), gap=4)


def activation_sheet(windows: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """A row for each face: the face, then what some units of a layer make of it.

    Args:
        windows: `(F, H, W, 3)` uint8.
        maps: `(F, U, h, w)` activations; a unit has one scale over all faces, so that a dark map
            means that the unit is silent there.

    Returns:
        `(H', W', 3)` uint8.
    """
    low, high = (f(maps, axis=(0, 2, 3), keepdims=True) for f in (np.min, np.max))
    levels = np.round(255 * (maps - low) / np.maximum(high - low, 1e-12)).astype(np.uint8)
    size = windows.shape[2], windows.shape[1]
    pictures = []
    for window, units in zip(windows, _heat(levels), strict=True):
        pictures.append(window)
        pictures += [cv2.resize(unit, size, interpolation=cv2.INTER_NEAREST) for unit in units]
    return tile(np.stack(pictures), columns=1 + maps.shape[1])


def _heat(levels: np.ndarray) -> np.ndarray:
    """Levels `(..., H, W)` uint8 as colours `(..., H, W, 3)`, from black to yellow."""
    colours = cv2.applyColorMap(levels.reshape(-1, levels.shape[-1]), cv2.COLORMAP_INFERNO)
    return colours[..., ::-1].reshape(*levels.shape, 3)


def overlay(picture: np.ndarray, values: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Signed values over a photo made grey: red above 0, blue below, nothing at 0.

    Args:
        picture: `(H, W, 3)` uint8.
        values: `(H, W)`.
        largest: the value that gets the full colour; None for the largest size among `values`.

    Returns:
        `(H, W, 3)` uint8.
    """
    level = np.clip(values / (largest or np.abs(values).max() or 1.0), -1, 1)[..., None]
    against, _, for_it = _signed_colours()([0.0, 0.5, 1.0])[:, :3] * 255
    # Half its contrast, so that the darkest and brightest places can be coloured too.
    grey = 64 + picture.mean(axis=2, keepdims=True) / 2
    opacity = np.abs(level) * 0.85
    colour = np.where(level > 0, for_it, against)
    return np.round((1 - opacity) * grey + opacity * colour).astype(np.uint8)


@cache
def _signed_colours() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signed", [_AGAINST, _NOTHING, _FOR])


def patch_sheet(patches: Sequence[np.ndarray], side: int = 56) -> np.ndarray:
    """Patches `(h, w, 3)` uint8 of any size, enlarged to squares, three in a row: `(H, W, 3)`."""
    squares = [cv2.resize(p, (side, side), interpolation=cv2.INTER_LINEAR) for p in patches]
    return tile(np.stack(squares), columns=3)


def part_sheet(
    windows: np.ndarray, maps: np.ndarray, threshold: float, masks: np.ndarray, side: int = 112
) -> np.ndarray:
    """Where a unit exceeds its threshold the face is bright; the part is outlined.

    Args:
        windows: `(F, H, W, 3)` uint8.
        maps: `(F, h, w)` of one unit.
        threshold: of that unit for the part.
        masks: `(F, H', W')` bool, the part.
        side: of one face, pixels.

    Returns:
        `(H', W', 3)` uint8, two faces in a row.
    """
    size = (side, side)
    pictures = []
    for window, unit, mask in zip(windows, maps, masks, strict=True):
        face = cv2.resize(window, size, interpolation=cv2.INTER_LINEAR)
        active = cv2.resize(unit, size, interpolation=cv2.INTER_LINEAR) > threshold
        face = np.where(active[..., None], face, face // 3)
        large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        pictures.append(cv2.drawContours(np.ascontiguousarray(face), outlines, -1, _OUTLINE, 2))
    return tile(np.stack(pictures), columns=2)


def map_sheet(maps: np.ndarray, side: int = 64) -> np.ndarray:
    """Maps `(N, h, w)` of one photo, each by its own scale, three in a row: `(H, W, 3)` uint8."""
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    levels = np.round(255 * (maps - low) / np.maximum(high - low, 1e-12)).astype(np.uint8)
    size = (side, side)
    pictures = [cv2.resize(heat, size, interpolation=cv2.INTER_NEAREST) for heat in _heat(levels)]
    return tile(np.stack(pictures), columns=3)


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """A square picture `(H, H, 3)` uint8 at another size, `(side, side, 3)`."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))
