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

_SIDE, _COARSE_SIDE = 32, 8
_BLOCK, _PART = 8192, 256


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
    # Too many to keep: they are made block by block, most of them several times.
    for start in range(0, len(crops), _BLOCK):
        block = np.concatenate(
            [
                _outline(_patterns(crops.images[part : min(part + _PART, start + _BLOCK)]))
                for part in range(start, min(start + _BLOCK, len(crops)), _PART)
            ]
        )
        for other in range(start, len(crops), _PART):
            patterns = _patterns(crops.images[other : other + _PART])
            perhaps = (block @ _outline(patterns).T > threshold).any(axis=1)
            candidates = start + np.flatnonzero(perhaps)
            for first in range(0, len(candidates), _PART):
                some = candidates[first : first + _PART]
                alike = _patterns(crops.images[some]) @ patterns.T
                rows, others = np.nonzero(alike > threshold)
                found = np.stack([some[rows], others + other], axis=1)
                pairs.append(found[found[:, 0] < found[:, 1]])
    together = np.concatenate(pairs)
    return together[np.lexsort(together.T[::-1])]


def _outline(patterns: np.ndarray) -> np.ndarray:
    """Short vectors `(N, 65)` whose products are no smaller than those of the patterns.

    A pattern in 8 x 8 squares, and the length of what that leaves out (Cauchy and Schwarz).
    """
    step = _SIDE // _COARSE_SIDE
    squares = patterns.reshape(-1, _COARSE_SIDE, step, _COARSE_SIDE, step).sum((2, 4)) / step
    squares = squares.reshape(len(patterns), -1)
    left = np.square(patterns).sum(axis=1) - np.square(squares).sum(axis=1)
    # Rounding errors must not make a product smaller.
    return np.column_stack([squares, np.sqrt(left.clip(0) + 1e-6)])


def _patterns(images: np.ndarray) -> np.ndarray:
    """The faces `(N, 1024)` without what is behind them, each of mean 0 and length 1."""
    margin = images.shape[1] // 6
    middle = images[:, margin:-margin, margin:-margin]
    num, height, width, _ = middle.shape
    grey = cv2.cvtColor(middle.reshape(num * height, width, 3), cv2.COLOR_RGB2GRAY)
    small = [
        cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        for face in grey.reshape(num, height, width)
    ]
    patterns = np.stack(small).reshape(num, -1).astype(np.float32)
    patterns -= patterns.mean(axis=1, keepdims=True)
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True).clip(1e-6)
    return patterns
