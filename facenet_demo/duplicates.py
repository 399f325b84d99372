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
_BLOCK, _PART = 4096, 512


def exact_copies(crops: Crops) -> dict[int, int]:
    """Rows whose file is byte for byte that of an earlier row, each with that earlier row."""
    digests = np.ascontiguousarray(crops.digests).view("S32").ravel()
    _, firsts, which = np.unique(digests, return_index=True, return_inverse=True)
    earlier = firsts[which]
    copies = np.flatnonzero(earlier < np.arange(len(crops)))
    return dict(zip(copies.tolist(), earlier[copies].tolist(), strict=True))


def near_duplicates(crops: Crops, threshold: float = NEAR) -> np.ndarray:
    """Pairs of rows `(P, 2)`, the smaller first, that show nearly the same picture.

    Two faces are compared by the correlation of their aligned crops, grey, 32 x 32.
    """
    pairs = [np.empty((0, 2), int)]
    # 4 KB a pattern are too many to keep: block by block, most are made several times.
    for start in range(0, len(crops), _BLOCK):
        block = _patterns(crops.images[start : start + _BLOCK])
        for other in range(start, len(crops), _PART):
            alike = block @ _patterns(crops.images[other : other + _PART]).T
            rows, others = np.nonzero(alike > threshold)
            found = np.stack([rows + start, others + other], axis=1)
            pairs.append(found[found[:, 0] < found[:, 1]])
    together = np.concatenate(pairs)
    return together[np.lexsort(together.T[::-1])]


def _patterns(images: np.ndarray) -> np.ndarray:
    patterns = np.empty((len(images), _SIDE**2), np.float32)
    for pattern, image in zip(patterns, images, strict=True):
        pattern[:] = _pattern(image)
    return patterns


def _pattern(image: np.ndarray) -> np.ndarray:
    margin = len(image) // 6  # the face, not what is behind it
    grey = cv2.cvtColor(image[margin:-margin, margin:-margin], cv2.COLOR_RGB2GRAY)
    pattern = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).ravel()
    pattern = pattern.astype(np.float32) - pattern.mean(dtype=np.float32)
    return pattern / max(float(np.linalg.norm(pattern)), 1e-6)
