"""Photos of one person that show several faces: which of them is the person's.

A second look at a data set, once all its photos were cropped: what a person looks like is learned
from photos with one face, and the other photos are compared with it, see `likeness`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from facenet_demo.faces.likeness import LEAST_PHOTOS, MOST_PHOTOS, Likeness, choose
from facenet_demo.system.terminal import track
from facenet_demo.system.threads import ordered_map

T = TypeVar("T")

_MOST_OTHERS = 200  # people from whom the mean face is made, beside those compared with


class Cut(NamedTuple):
    """A face cut out of its photo.

    Attributes:
        image: the crop, RGB uint8 `(S, S, 3)`.
        window: its middle, `(W, W, 3)`.
        landmarks: `(5, 2)` x, y pixels in the crop.
        transform: `(2, 3)`, from pixels of the photo to pixels of the crop.
    """

    image: np.ndarray
    window: np.ndarray
    landmarks: np.ndarray
    transform: np.ndarray


class Decision(NamedTuple):
    """What was found for one photo.

    Attributes:
        row: which photo.
        other: the person's face where it is not the main one, else None.
        unclear: see `likeness.Choice`.
    """

    row: int
    other: Cut | None
    unclear: bool


def settle(
    people: Sequence[str],
    clear: np.ndarray,
    crowds: Sequence[int],
    windows: Callable[[Sequence[int]], np.ndarray],
    faces_of: Callable[[int], list[Cut]],
    num_threads: int,
) -> Iterator[Decision]:
    """Compare the faces of each photo with the person's.

    Args:
        people: whose photo each row is.
        clear: `(N,)` bool, the photos that show one face.
        crowds: the rows of photos that show several.
        windows: of rows, the middle of their crops: `(n, W, W, 3)`.
        faces_of: of a row of `crowds` the faces, the main one first; none if they are out of reach.
        num_threads: how many photos are worked on at once.
    """
    likeness = _learn(people, clear, {people[row] for row in crowds}, windows)
    compared = [row for row in crowds if likeness.knows(people[row])]

    def compare(row: int) -> Decision:
        faces = faces_of(row)
        if not faces:
            return Decision(row, None, False)
        alike = likeness.of(people[row], np.stack([face.window for face in faces]))
        chosen = choose(alike, main=0)
        return Decision(row, faces[chosen.face] if chosen.overruled else None, chosen.unclear)

    settled = ordered_map(compare, compared, num_threads)
    yield from track(settled, len(compared), "Choosing among faces") if compared else ()


def _learn(
    people: Sequence[str],
    clear: np.ndarray,
    wanted: set[str],
    windows: Callable[[Sequence[int]], np.ndarray],
) -> Likeness:
    """What those wanted, and some others, look like."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(clear).tolist():
        rows[people[row]].append(row)
    enough = [person for person, own in rows.items() if len(own) >= LEAST_PHOTOS]
    likeness = Likeness()
    if wanted.intersection(enough):
        others = _some([person for person in enough if person not in wanted], _MOST_OTHERS)
        for person in enough:
            if person in wanted or person in others:
                likeness.add(person, windows(_some(rows[person], MOST_PHOTOS)))
    return likeness


def _some(items: list[T], most: int) -> list[T]:
    """So many of the items or fewer, from all along the list."""
    return items[:: -(-len(items) // most) or 1]
