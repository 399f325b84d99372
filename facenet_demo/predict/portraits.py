"""From the photos of a gallery to one face of each: whose it is, and which cannot be used.

    portraits = find_portraits(samples, reader, left_out)
    portraits[0].person, portraits[0].window

Of a photo with several faces the main one counts, unless another is clearly more like the person's
other photos. A face that lies under two names would set the threshold by its likeness to itself,
and has one of them wrongly: it is used under neither.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from facenet_demo.data.duplicates import near_pairs
from facenet_demo.data.records import Sample
from facenet_demo.data.windows import to_pixels
from facenet_demo.faces.likeness import MOST_PHOTOS, Likeness, choose
from facenet_demo.faces.photos import ImageError
from facenet_demo.predict.reader import FaceReader
from facenet_demo.system.files import as_text
from facenet_demo.system.terminal import track

LeftOut = list[tuple[str, str]]


class Portrait(NamedTuple):
    """The face taken of one photo.

    Attributes:
        sample: the photo.
        windows: of all faces in it, `(F, 3, W, W)`, float in [0, 1].
        face: which of them is taken.
        digest: of the file.
    """

    sample: Sample
    windows: torch.Tensor
    face: int
    digest: bytes

    @property
    def window(self) -> torch.Tensor:
        """The face `(3, W, W)`."""
        return self.windows[self.face]


def find_portraits(
    samples: Sequence[Sample], reader: FaceReader, left_out: LeftOut, what: str = "Enrolling"
) -> list[Portrait]:
    """The main face of each photo.

    Args:
        samples: the photos.
        reader: finds the faces.
        left_out: gets the photos without one, each with its reason.
        what: is being done, for the progress bar.
    """
    found = []
    for sample in track(samples, len(samples), what):
        reason = "no face found"
        try:
            read = reader(sample.path)
            if read.faces:
                digest = hashlib.sha256(sample.path.read_bytes()).digest()
                found.append(Portrait(sample, read.windows, read.main, digest))
                continue
        except ImageError as error:
            reason = str(error)
        left_out.append((as_text(sample.path), reason))
    return found


def whose_they_are(portraits: Sequence[Portrait], left_out: LeftOut) -> list[Portrait]:
    """Those that are surely a person's, each with the face that is.

    Args:
        portraits: of all people.
        left_out: gets the others, each with its reason.
    """
    kept = _chosen(portraits, left_out)
    contested: dict[int, int] = {}
    copies: dict[int, int] = {}
    for one, other in same_faces(kept, kept):
        if kept[one].sample.person != kept[other].sample.person:
            contested.setdefault(one, other)
        elif one > other and kept[one].digest == kept[other].digest:
            copies.setdefault(one, other)
    for row, portrait in enumerate(kept):
        file = as_text(portrait.sample.path)
        if row in contested:
            twin = as_text(kept[contested[row]].sample.path)
            left_out.append((file, f"the same face as in {twin}, under another name"))
        elif row in copies:
            first = as_text(kept[copies[row]].sample.path)
            left_out.append((file, f"the same file as {first}"))
    return [p for row, p in enumerate(kept) if row not in contested and row not in copies]


def same_faces(some: Sequence[Portrait], others: Sequence[Portrait]) -> list[tuple[int, int]]:
    """Which of some show the very face of which of the others, in one file or another.

    Returns:
        pairs of positions; nothing is paired with itself.
    """
    if not some or not others:
        return []
    pairs = near_pairs(
        *(to_pixels(torch.stack([p.window for p in group])) for group in (some, others))
    )
    same = {(one, other) for one, other in pairs if some[one] is not others[other]}
    by_file: dict[tuple[bytes, int], list[int]] = defaultdict(list)
    for row, portrait in enumerate(others):
        by_file[portrait.digest, portrait.face].append(row)
    for row, portrait in enumerate(some):
        equal = by_file.get((portrait.digest, portrait.face), ())
        same |= {(row, other) for other in equal if others[other] is not portrait}
    return sorted(same)


def _chosen(portraits: Sequence[Portrait], left_out: LeftOut) -> list[Portrait]:
    """The portraits, of photos with several faces that of the person; without those not clear."""
    clear: dict[str, list[np.ndarray]] = defaultdict(list)
    for portrait in portraits:
        if len(portrait.windows) == 1 and len(clear[portrait.sample.person]) < MOST_PHOTOS:
            clear[portrait.sample.person].append(to_pixels(portrait.window))
    likeness = Likeness()
    for person, windows in clear.items():
        likeness.add(person, np.stack(windows))
    kept = []
    for portrait in portraits:
        person, faces = portrait.sample.person, to_pixels(portrait.windows)
        alike = likeness.of(person, faces) if len(faces) > 1 else None
        chosen = choose(alike, portrait.face)
        if chosen.unclear:
            reason = f"shows {len(faces)} faces, and it is not clear which is {person}'s"
            left_out.append((as_text(portrait.sample.path), reason))
        else:
            kept.append(portrait._replace(face=chosen.face))
    return kept
