"""Photos that a data set holds twice: a copy in the test split would be an answer known before.

    copies = exact_copies(crops)         # rows to leave out, each with the row it repeats
    pairs = near_duplicates(crops)       # rows that show almost the same picture
    doubles = contested(crops, pairs)    # faces that lie under two names

Copies are byte for byte, near duplicates a matter of a threshold. Two faces of one photo, as where
that lies in the folders of both people in it, are neither.
"""

from __future__ import annotations

import cv2
import numpy as np

from facenet_demo.data.stored import Crops

# Least correlation of two aligned faces to be called near duplicates. On LFW all pairs above it are
# one photo in two versions (flipped through, recoloured, cut anew); on ORL they are neighbours in a
# sitting that the eye hardly tells apart.
NEAR = 0.98
# Most that the colours of near duplicates differ by, in grey levels on average, to be called one
# photo: an LFW photo saved anew, resized or cut differs by 9 at most, drawn people by 17 and more.
SAME = 10

_SIDE, _COARSE_SIDE = 32, 8
_BLOCK, _PART = 8192, 256


def exact_copies(crops: Crops) -> dict[int, int]:
    """Rows that show the face of an earlier row in a file that is the same byte for byte.

    Returns:
        each with that earlier row.
    """
    # Of equal files the same face is cut by the same transform.
    places = np.ascontiguousarray(crops.transforms.reshape(len(crops), 6)).view(np.uint8)
    faces = np.concatenate([np.asarray(crops.digests), places], axis=1)
    faces = np.ascontiguousarray(faces).view(f"V{faces.shape[1]}").ravel()
    _, firsts, which = np.unique(faces, return_index=True, return_inverse=True)
    earlier = firsts[which]
    copies = np.flatnonzero(earlier < np.arange(len(crops)))
    return dict(zip(copies.tolist(), earlier[copies].tolist(), strict=True))


def contested(crops: Crops, near: np.ndarray) -> dict[int, int]:
    """Rows whose very face lies under another name, too: at least one of the two is wrong.

    Args:
        crops: the photos.
        near: `(P, 2)` rows of near duplicates.

    Returns:
        each with such a row.
    """
    found: dict[int, int] = {}
    same = list(exact_copies(crops).items())
    same += [(a, b) for a, b in near.tolist() if same_picture(crops.images[a], crops.images[b])]
    for one, other in same:
        if crops.people[one] != crops.people[other]:
            found.setdefault(one, other)
            found.setdefault(other, one)
    return found


def same_picture(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether near duplicates, uint8, are one photo in two files, for all that can be seen."""
    return float(np.abs(one.astype(np.int16) - other).mean()) <= SAME


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


def near_pairs(some: np.ndarray, others: np.ndarray) -> list[tuple[int, int]]:
    """Which of some faces, uint8 `(N, W, W, 3)`, are one picture with which of the others.

    Faces without the backdrop that crops have around them; few enough to compare all with all.
    """
    patterns, other_patterns = _normalised(some), _normalised(others)
    return [
        (row, int(other))
        for row, pattern in enumerate(patterns)
        for other in np.flatnonzero(other_patterns @ pattern > NEAR)
        if same_picture(some[row], others[other])
    ]


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
    """The faces of crops without what is behind them, see `_normalised`."""
    margin = images.shape[1] // 6
    return _normalised(images[:, margin:-margin, margin:-margin])


def _normalised(faces: np.ndarray) -> np.ndarray:
    """Faces `(N, H, W, 3)`, grey, 32 x 32, `(N, 1024)`, each of mean 0 and length 1."""
    num, height, width, _ = faces.shape
    grey = cv2.cvtColor(faces.reshape(num * height, width, 3), cv2.COLOR_RGB2GRAY)
    small = [
        cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        for face in grey.reshape(num, height, width)
    ]
    patterns = np.stack(small).reshape(num, -1).astype(np.float32)
    patterns -= patterns.mean(axis=1, keepdims=True)
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True).clip(1e-6)
    return patterns
