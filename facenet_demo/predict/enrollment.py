"""From photos of people to a gallery.

    gallery = enroll("people/", reader, model)       # people/Ada/*.jpg, people/Grace/*.jpg, ...

How similar strangers look is learned from the enrolled photos themselves, each compared with
everybody else's, or from photos of strangers. How sure to be starts from the spread of strangers'
similarities and is learned from people with several photos, each left out once; as in `calibration`
a prior keeps few photos that are all named rightly from making it certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from facenet_demo.data.records import UNKNOWN, Sample
from facenet_demo.data.sources.base import scan_people
from facenet_demo.data.sources.layout import doubts_about_layout
from facenet_demo.faces.likeness import LEAST_PHOTOS
from facenet_demo.predict.gallery import (
    DEFAULT_RATE,
    SUFFIX,
    Gallery,
    by_person,
    load_gallery,
)
from facenet_demo.predict.inputs import find_files
from facenet_demo.predict.models import Model
from facenet_demo.predict.portraits import (
    LeftOut,
    Portrait,
    find_portraits,
    same_faces,
    whose_they_are,
)
from facenet_demo.predict.reader import FaceReader
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text
from facenet_demo.system.texts import some

_TEMPERATURES = torch.logspace(-4, 0, 100).tolist()
_ROUGH_TEMPERATURE = 0.1


def open_gallery(
    source: Path | str, reader: FaceReader, model: Model, strangers: Path | str | None = None
) -> Gallery:
    """A gallery from a saved file, or from a folder of people.

    Raises:
        UserError: as `load_gallery` and `enroll`; for strangers beside a saved file.
    """
    source = Path(source)
    if source.is_dir() or source.suffix != SUFFIX:
        return enroll(source, reader, model, strangers)
    if strangers is not None:
        raise UserError(
            f"Strangers set the threshold when a folder is enrolled; {source} was made before."
        )
    return load_gallery(source, model)


def enroll(
    folder: Path | str, reader: FaceReader, model: Model, strangers: Path | str | None = None
) -> Gallery:
    """Make a gallery of a folder that holds one folder of photos per person.

    Args:
        folder: which of several faces in a photo counts is said in `portraits`.
        reader: finds the faces.
        model: embeds them.
        strangers: a folder with photos of people who are not in it; they set the threshold.

    Raises:
        UserError: if there is no face in any photo, or a folder cannot be read.
    """
    samples = list(scan_people(Path(folder)))
    left_out: LeftOut = []
    portraits = whose_they_are(find_portraits(samples, reader, left_out), left_out)
    embeddings = _embed(portraits, model, folder, len(samples), left_out)
    people = tuple(dict.fromkeys(portrait.sample.person for portrait in portraits))
    labels = torch.tensor([people.index(portrait.sample.person) for portrait in portraits])
    if strangers is None:
        similarity = embeddings @ embeddings.T
        others = similarity.masked_fill(labels[:, None] == labels, -math.inf).amax(1)
        others = others[others.isfinite()]  # with one person only there is nobody to compare with
    else:
        files = find_files([Path(strangers)]).photos
        not_used: LeftOut = []
        outside = find_portraits([Sample(f, UNKNOWN) for f in files], reader, not_used, "Strangers")
        enrolled = {one: portraits[row] for one, row in same_faces(outside, portraits)}
        for row, known in enrolled.items():
            reason = f"no stranger's: the same face as in {as_text(known.sample.path)}"
            not_used.append((as_text(outside[row].sample.path), reason))
        outside = [portrait for row, portrait in enumerate(outside) if row not in enrolled]
        apart = _embed(outside, model, strangers, len(files), not_used)
        left_out += not_used
        others = (apart @ embeddings.T).amax(1)
    gallery = Gallery(
        people,
        embeddings,
        labels,
        others,
        model.digest,
        left_out=tuple(left_out),
        notes=tuple(_notes(Path(folder), samples, portraits)),
    ).at(DEFAULT_RATE)
    return replace(gallery, temperature=_temperature(gallery))


def _notes(folder: Path, samples: Sequence[Sample], portraits: Sequence[Portrait]) -> list[str]:
    """What is to be said of the photos as a whole."""
    notes = doubts_about_layout(folder)
    several = sum(len(portrait.windows) > 1 for portrait in portraits)
    if several:
        notes.append(
            f"{several} photos show several faces: the main one is taken, or the one clearly more "
            f"like the person's other photos, where {LEAST_PHOTOS} of them show one face."
        )
    enrolled = {portrait.sample.person for portrait in portraits}
    missing = [person for person in dict.fromkeys(s.person for s in samples)
               if person not in enrolled]  # fmt: skip
    if missing:
        notes.append(f"Not in the gallery, as no photo of theirs can be used: {some(missing)}.")
    return notes


def _embed(
    portraits: Sequence[Portrait],
    model: Model,
    folder: Path | str,
    num_files: int,
    left_out: LeftOut,
) -> torch.Tensor:
    """Their embeddings `(N, D)`.

    Raises:
        UserError: if there are none, and why.
    """
    if not portraits:
        reasons = some(list(dict.fromkeys(reason for _, reason in left_out)))
        raise UserError(f"No faces found in {folder} ({num_files} files read): {reasons}.")
    return torch.cat([model(portrait.window[None]).embeddings for portrait in portraits])


def _temperature(gallery: Gallery) -> float:
    """That under which the names of people enrolled more than once are likeliest, with a prior."""
    spread = float(gallery.strangers.std()) if len(gallery.strangers) > 2 else 0.0
    rough = max(spread, _TEMPERATURES[0]) if spread else _ROUGH_TEMPERATURE
    labels = gallery.labels
    itself = torch.eye(len(labels), dtype=torch.bool)
    again = ((labels[:, None] == labels) & ~itself).any(1)
    if not again.any():
        return rough
    similarity = (gallery.embeddings @ gallery.embeddings.T).masked_fill(itself, -1.0)
    similarity = by_person(similarity[again], labels, len(gallery.people))

    def loss(temperature: float) -> float:
        probabilities = replace(gallery, temperature=temperature).probabilities(similarity)
        own = probabilities.gather(1, labels[again, None])
        prior = math.log(temperature / rough) ** 2 / 2
        return float(-own.clamp_min(1e-300).log().sum()) + prior

    return min(_TEMPERATURES, key=loss)
