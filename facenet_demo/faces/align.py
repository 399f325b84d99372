"""Bring a face to the canonical position: eyes level, the same size, the same place.

    crop, transform = align(image, face.landmarks, template(size=96, window=64), size=96)

A crop shows the face at the scale of the network's window with a margin of real pixels around it:
training shifts, turns and scales the window inside the crop, evaluation takes its centre.
"""

from __future__ import annotations

import cv2
import numpy as np

# Where the five landmarks lie in a window of side 1: the mean face of ArcFace (Deng et al. 2019,
# arXiv 1801.07698), which a window of 112 x 112 pixels frames.
TEMPLATE = (
    np.array(
        [
            [38.2946, 51.6963],
            [73.5318, 51.5014],
            [56.0252, 71.7366],
            [41.5493, 92.3655],
            [70.7299, 92.2041],
        ]
    )
    / 112
)


# A crop's margin around the window, in windows: room for every shift, turn and growth of the
# default augmentation.
CROP_MARGIN = 0.25

# A face ten times as large as its window shows a piece of skin.
MOST_SCALE = 10.0


def crop_size(window: int) -> int:
    """Side of the crop in whose centre a window lies, pixels."""
    return window + 2 * round(window * CROP_MARGIN)


def template(size: int, window: int, face_scale: float = 1.0) -> np.ndarray:
    """Canonical landmarks `(5, 2)` in a crop.

    Args:
        size: side of the crop, pixels.
        window: side of the network's window in the crop's centre, pixels.
        face_scale: how large the face is in the window; at 1 it is framed from brow to chin.
    """
    return (TEMPLATE - 0.5) * window * face_scale + size / 2


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, uniform scale and shift that best maps `source` to `target`, least squares.

    Args:
        source: points `(N, 2)`, N >= 2, not all the same.
        target: points `(N, 2)`.

    Returns:
        `(2, 3)` matrix `[A | b]`, so that `source @ A.T + b` is near `target`.
    """
    # As complex numbers a similarity is z -> a z + b.
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    centred = z - z.mean()
    a = np.vdot(centred, w - w.mean()) / np.vdot(centred, centred).real
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(
    image: np.ndarray, landmarks: np.ndarray, target: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the face out of its photo in canonical position.

    Args:
        image: RGB uint8 `(H, W, 3)`.
        landmarks: `(5, 2)` x, y pixels in `image`.
        target: `(5, 2)` where they go in the crop, as near as a similarity brings them.
        size: side of the crop, pixels.

    Returns:
        The crop, RGB uint8 `(size, size, 3)`, its border pixels repeated where the photo ends, and
        the `(2, 3)` matrix that maps points of the photo to points of the crop.
    """
    transform = similarity(landmarks, target)
    return _warp(image, transform, size), transform


def centre_crop(image: np.ndarray, size: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The middle of a photo as a crop, for a photo whose face was not found.

    The largest centred square becomes the window of `window` pixels; otherwise as `align`.
    """
    height, width = image.shape[:2]
    scale = window / min(height, width)
    shift = size / 2 - scale * np.array([width, height]) / 2
    transform = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return _warp(image, transform, size), transform


def _warp(image: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    if scale < 0.75:
        # Bilinear sampling of a much larger image would alias: average its pixels first.
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        step = np.array([width / image.shape[1], height / image.shape[0]])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        linear = transform[:, :2] / step
        # Pixel centres lie at whole numbers, so the resize also moves the origin by half a pixel.
        offset = transform[:, 2] + linear @ ((1 - step) / 2)
        transform = np.column_stack([linear, offset])
    return cv2.warpAffine(
        image, transform, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
