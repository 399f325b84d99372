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

from facenet_demo.datasets.base import scan_people
from facenet_demo.predict.gallery import (
    DEFAULT_RATE,
    SUFFIX,
    Gallery,
    by_person,
    load_gallery,
)
from facenet_demo.predict.inputs import find_files
from facenet_demo.predict.models import Model
from facenet_demo.predict.reader import FaceReader
from facenet_demo.progress import track
from facenet_demo.records import UserError
from facenet_demo.storage import as_text
from facenet_demo.transforms import ImageError

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
        folder: of a photo with several faces the main one counts.
        reader: finds the faces.
        model: embeds them.
        strangers: a folder with photos of people who are not in it; they set the threshold.

    Raises:
        UserError: if there is no face in any photo, or a folder cannot be read.
    """
    samples = list(scan_people(Path(folder)))
    left_out: list[tuple[str, str]] = []
    found = _embed([s.path for s in samples], reader, model, left_out, "Enrolling")
    kept = [row for row, embedding in enumerate(found) if embedding is not None]
    embeddings = _stack(found, folder)
    people = tuple(dict.fromkeys(samples[row].person for row in kept))
    labels = torch.tensor([people.index(samples[row].person) for row in kept])
    if strangers is None:
        similarity = embeddings @ embeddings.T
        others = similarity.masked_fill(labels[:, None] == labels, -math.inf).amax(1)
        others = others[others.isfinite()]  # with one person only there is nobody to compare with
    else:
        files = find_files([Path(strangers)]).photos
        outside = _stack(_embed(files, reader, model, left_out, "Strangers"), strangers)
        others = (outside @ embeddings.T).amax(1)
    gallery = Gallery(
        people, embeddings, labels, others, model.digest, left_out=tuple(left_out)
    ).at(DEFAULT_RATE)
    return replace(gallery, temperature=_temperature(gallery))


def _embed(
    files: Sequence[Path],
    reader: FaceReader,
    model: Model,
    left_out: list[tuple[str, str]],
    what: str,
) -> list[torch.Tensor | None]:
    """The embedding `(D,)` of each photo's main face; or None, and a line in `left_out`."""
    embeddings: list[torch.Tensor | None] = []
    for file in track(files, len(files), what):
        embedding, reason = None, "no face found"
        try:
            read = reader(file)
            if read.faces:
                embedding = model(read.windows[read.main][None]).embeddings[0]
        except ImageError as error:
            reason = str(error)
        if embedding is None:
            left_out.append((as_text(file), reason))
        embeddings.append(embedding)
    return embeddings


def _stack(embeddings: Sequence[torch.Tensor | None], folder: Path | str) -> torch.Tensor:
    found = [embedding for embedding in embeddings if embedding is not None]
    if not found:
        raise UserError(f"No faces found in {folder} ({len(embeddings)} files read).")
    return torch.stack(found)


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
