"""Photos that a data set holds twice: a copy in the test split would be an answer known before.

    copies = exact_copies(crops)         # rows to leave out, each with the row it repeats
    pairs = near_duplicates(crops)       # rows that show almost the same picture

Copies are byte for byte, near duplicates a matter of a threshold.
"""

from __future__ import annotations

import cv2
import numpy as np

from facenet_demo.faces.crops import Crops

# Least correlation of two aligned faces to be called near duplicates. On LFW all pairs above it are
# one photo in two versions (flipped through, recoloured, cut anew); on ORL they are neighbours in a
# sitting that the eye hardly tells apart.
NEAR = 0.98

_SIDE = 32
_BLOCK = 2048


def exact_copies(crops: Crops) -> dict[int, int]:
    """Rows whose file is byte for byte that of an earlier row, each with that earlier row."""
    first: dict[str, int] = {}
    copies = {}
    for row, digest in enumerate(crops.digests):
        if digest in first:
            copies[row] = first[digest]
        else:
            first[digest] = row
    return copies


def near_duplicates(crops: Crops, threshold: float = NEAR) -> np.ndarray:
    """Pairs of rows `(P, 2)`, the smaller first, that show nearly the same picture.

    Two faces are compared by the correlation of their aligned crops, grey, 32 x 32.
    """
    if not len(crops):
        return np.empty((0, 2), int)
    patterns = np.stack([_pattern(image) for image in crops.images])
    pairs = []
    for start in range(0, len(patterns), _BLOCK):
        alike = patterns[start : start + _BLOCK] @ patterns[start:].T
        rows, others = np.nonzero(np.triu(alike, 1) > threshold)
        pairs.append(np.stack([rows, others], axis=1) + start)
    return np.concatenate(pairs)


def _pattern(image: np.ndarray) -> np.ndarray:
    margin = len(image) // 6  # the face, not what is behind it
    grey = cv2.cvtColor(image[margin:-margin, margin:-margin], cv2.COLOR_RGB2GRAY)
    pattern = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).ravel()
    pattern = pattern.astype(np.float32) - pattern.mean(dtype=np.float32)
    return pattern / max(float(np.linalg.norm(pattern)), 1e-6)
