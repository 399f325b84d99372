"""Whether a face is shown well enough for its name to mean much."""

from __future__ import annotations

import cv2
import numpy as np

# A face enlarged more than so many times has fewer details than the network looks for.
_MOST_ENLARGED = 2.0
# Mean square of the Laplacian in units of the window's variance, at the scale of a 64-pixel window.
# Sharp faces have .15 and more; blurred by a Gaussian of 2 pixels they have a tenth of that.
_LEAST_SHARPNESS = 0.03
_SHARPNESS_SIDE = 64
# How far the nose lies beside the middle of the eyes, in units of the eyes' distance.
_MOST_TURNED = 0.35


def warnings(window: np.ndarray, landmarks: np.ndarray, transform: np.ndarray) -> tuple[str, ...]:
    """Words for what is wrong with a face, none if nothing is.

    Args:
        window: what the network is shown, RGB uint8 `(W, W, 3)`.
        landmarks: `(5, 2)` x, y pixels in the photo.
        transform: `(2, 3)`, from pixels of the photo to pixels of the crop.
    """
    found = {
        "small": float(np.hypot(transform[0, 0], transform[1, 0])) > _MOST_ENLARGED,
        "blurred": sharpness(window) < _LEAST_SHARPNESS,
        "turned": turn(landmarks) > _MOST_TURNED,
    }
    return tuple(word for word, applies in found.items() if applies)


def sharpness(window: np.ndarray) -> float:
    """Mean square of the Laplacian of a window's grey values over their variance."""
    small = cv2.resize(window, (_SHARPNESS_SIDE,) * 2, interpolation=cv2.INTER_AREA)
    grey: np.ndarray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.square(cv2.Laplacian(grey, cv2.CV_32F)).mean() / max(grey.var(), 1.0))


def turn(landmarks: np.ndarray) -> float:
    """How far the nose lies beside the middle of the eyes, in units of their distance; 0: ahead."""
    left, right, nose = landmarks[:3]
    eyes = right - left
    return float(abs((nose - (left + right) / 2) @ eyes) / max(eyes @ eyes, 1e-6))
