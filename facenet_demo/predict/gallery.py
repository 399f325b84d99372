"""Name people that a network was never trained on, from a few photos of each, one is enough.

    gallery = enroll("people/", reader, model)       # people/Ada/*.jpg, people/Grace/*.jpg, ...
    gallery.save("people.safetensors")
    gallery = load_gallery("people.safetensors", model)

A face is compared with every enrolled photo by the cosine of their embeddings; a person's score is
that of their most similar photo. How similar strangers look is learned from the enrolled photos
themselves, each compared with everybody else's, or from photos of strangers. The largest of many
such scores follows an extreme value distribution (Gumbel 1958, "Statistics of Extremes"): fitted by
its mean and deviation it gives the threshold that a stated share of strangers passes, also where
there are fewer photos than that share takes to be counted.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from facenet_demo.datasets.base import scan_people
from facenet_demo.faces.detect import main_face
from facenet_demo.predict.inputs import find_files
from facenet_demo.predict.models import Model, Scores
from facenet_demo.predict.naming import Named, Namer
from facenet_demo.predict.reader import FaceReader
from facenet_demo.progress import track
from facenet_demo.records import UserError
from facenet_demo.storage import as_text, new_file
from facenet_demo.transforms import ImageError

SUFFIX = ".safetensors"
DEFAULT_RATE = 0.01
_KEY, _FORMAT = "facenet_demo_gallery", 1
_TENSORS = {"embeddings": torch.float32, "labels": torch.int64, "strangers": torch.float32}
_TEMPERATURES = torch.logspace(-2.5, 0, 60)
_EULER = 0.5772156649


@dataclass(frozen=True)
class Gallery(Namer):
    """Enrolled people.

    Attributes:
        people: names.
        embeddings: `(N, D)` of the enrolled photos, of length 1.
        labels: `(N,)` int64, whose they are, as positions in `people`.
        strangers: `(M,)` largest similarity of strangers' photos to enrolled ones, in [-1, 1].
        digest: of the network that made the embeddings.
        temperature: divides similarities before the softmax.
        threshold: a face whose largest similarity is not above it is a stranger's; None if there
            was nobody to set it on.
        false_accept_rate: share of strangers expected to pass, None if the threshold was named.
        left_out: photos without a usable face, each with its reason; not saved.
    """

    people: tuple[str, ...]
    embeddings: torch.Tensor
    labels: torch.Tensor
    strangers: torch.Tensor
    digest: str
    temperature: float = 0.1
    threshold: float | None = None
    false_accept_rate: float | None = DEFAULT_RATE
    left_out: tuple[tuple[str, str], ...] = ()

    def __call__(self, scores: Scores) -> Named:
        similarity = self.similarity(scores.embeddings)
        known = torch.ones(len(similarity), dtype=torch.bool)
        if self.threshold is not None:
            known = similarity.amax(1) > self.threshold
        return Named(_probabilities(similarity, self.threshold, self.temperature), known)

    def similarity(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Each person's most similar photo: `(B, D)` of length 1 to `(B, P)` in [-1, 1]."""
        return _by_person(embeddings @ self.embeddings.T, self.labels, len(self.people))

    def rule(self) -> str:
        if self.threshold is None:
            return (
                "Everybody gets a name: fewer than 3 photos of different people cannot tell how "
                "similar strangers look. Name a folder with photos of some: --strangers."
            )
        start = f"Unknown: no enrolled photo more similar than {self.threshold:.3f}"
        if self.false_accept_rate is None:
            return f"{start}, as you said."
        return f"{start}; {self.false_accept_rate:.1%} of strangers are expected to get a name."

    def at(self, false_accept_rate: float) -> Gallery:
        """The same with the threshold that this share of strangers is expected to pass.

        Raises:
            UserError: for a share not between 0 and 1.
        """
        if not 0 < false_accept_rate < 1:
            raise UserError(
                f"A gallery's false-accept rate lies between 0 and 1, not {false_accept_rate}."
            )
        threshold = _threshold(self.strangers, false_accept_rate)
        return replace(self, threshold=threshold, false_accept_rate=false_accept_rate)

    def save(self, path: Path | str) -> None:
        """Write a safetensors file with a JSON description in it; names and embeddings, no photo.

        Raises:
            UserError: if it cannot be written.
        """
        described = {
            "format": _FORMAT,
            "people": self.people,
            "digest": self.digest,
            "temperature": self.temperature,
        }
        tensors = {name: getattr(self, name).contiguous() for name in _TENSORS}
        try:
            with new_file(Path(path)) as temporary:
                save_file(tensors, temporary, {_KEY: json.dumps(described)})
        except (OSError, SafetensorError) as error:
            raise UserError(f"The gallery {path} cannot be written: {error}.") from error


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
    samples = scan_people(Path(folder))
    left_out: list[tuple[str, str]] = []
    rows, owners = [], []
    for sample in track(samples, len(samples), "Enrolling"):
        embedding = _embed(sample.path, reader, model, left_out)
        if embedding is not None:
            rows.append(embedding)
            owners.append(sample.person)
    if not rows:
        raise UserError(f"No faces found in {folder} ({len(samples)} files read).")
    people = tuple(dict.fromkeys(owners))
    embeddings = torch.stack(rows)
    labels = torch.tensor([people.index(person) for person in owners])
    similarity = embeddings @ embeddings.T
    same = labels[:, None] == labels
    found = similarity.masked_fill(same, -math.inf).amax(1)
    if strangers is not None:
        files = find_files([Path(strangers)]).photos
        others = [_embed(f, reader, model, left_out) for f in track(files, len(files), "Strangers")]
        seen = [embedding for embedding in others if embedding is not None]
        if not seen:
            raise UserError(f"No faces found in {strangers} ({len(files)} photos read).")
        found = (torch.stack(seen) @ embeddings.T).amax(1)
    gallery = Gallery(
        people,
        embeddings,
        labels,
        found[found.isfinite()],  # with one person only there is nobody else to compare with
        model.digest,
        left_out=tuple(left_out),
    ).at(DEFAULT_RATE)
    others_of_same = same & ~torch.eye(len(same), dtype=torch.bool)
    twice = others_of_same.any(1)
    similarity = similarity.masked_fill(torch.eye(len(same), dtype=torch.bool), -1.0)
    return replace(
        gallery,
        temperature=_temperature(
            _by_person(similarity[twice], labels, len(people)), labels[twice], gallery
        ),
    )


def load_gallery(path: Path | str, model: Model) -> Gallery:
    """Read a gallery that `Gallery.save` wrote.

    Raises:
        UserError: if it is missing, damaged, or was made with another network than `model`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in _TENSORS}
    except FileNotFoundError:
        raise UserError(f"There is no gallery {path}.") from None
    except KeyError:
        raise UserError(f"{path} is not a gallery of facenet_demo.") from None
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a gallery, or is damaged: {error}") from error
    try:
        if described["format"] != _FORMAT:
            raise ValueError(f"format {described['format']}, this version reads {_FORMAT}")
        people, digest = described["people"], described["digest"]
        _check(people, described["temperature"], tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} does not fit together: {error}") from error
    if digest != model.digest:
        raise UserError(
            f"{path} was made with another network than this one: its embeddings cannot be "
            "compared. Enrol the people anew: --gallery FOLDER --save-gallery FILE."
        )
    gallery = Gallery(
        tuple(people), **tensors, digest=digest, temperature=float(described["temperature"])
    )
    return gallery.at(DEFAULT_RATE)


def _check(people: object, temperature: object, tensors: dict[str, torch.Tensor]) -> None:
    for name, dtype in _TENSORS.items():
        value = tensors[name]
        if value.dtype != dtype or not value.isfinite().all():
            raise ValueError(f"its {name} are not finite numbers of type {dtype}")
    embeddings, labels, strangers = (tensors[name] for name in _TENSORS)
    if not isinstance(people, list) or not people or not all(isinstance(p, str) for p in people):
        raise ValueError("its people are not a list of names")
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1] or strangers.ndim != 1:
        raise ValueError("the shapes of its tensors do not belong together")
    if sorted(set(labels.tolist())) != list(range(len(people))):
        raise ValueError("it does not have a photo of each of its people")
    if not torch.allclose(embeddings.norm(dim=1), torch.ones(len(embeddings)), atol=1e-3):
        raise ValueError("its embeddings do not have length 1")
    if not isinstance(temperature, float) or not 0 < temperature < math.inf:
        raise ValueError(f"its temperature is {temperature}")


def _embed(
    path: Path, reader: FaceReader, model: Model, left_out: list[tuple[str, str]]
) -> torch.Tensor | None:
    """The embedding `(D,)` of a photo's main face; or None, with a line in `left_out`."""
    try:
        read = reader(path)
    except ImageError as error:
        left_out.append((as_text(path), str(error)))
        return None
    if not read.faces:
        left_out.append((as_text(path), "no face found"))
        return None
    face = main_face(read.faces, read.size)
    row = next(i for i, other in enumerate(read.faces) if other is face)
    return model(read.windows[row : row + 1]).embeddings[0]


def _by_person(similarity: torch.Tensor, labels: torch.Tensor, num_people: int) -> torch.Tensor:
    """`(B, N)` by photo to `(B, P)` by person."""
    best = torch.full((len(similarity), num_people), -1.0)
    return best.scatter_reduce(1, labels.expand(len(similarity), -1), similarity, "amax")


def _probabilities(
    similarity: torch.Tensor, threshold: float | None, temperature: float
) -> torch.Tensor:
    """`(B, P)`; what is missing to 1 is the chance of a stranger, who sits at the threshold."""
    if threshold is None:
        return (similarity / temperature).softmax(1)
    stranger = torch.full((len(similarity), 1), threshold)
    return (torch.cat([similarity, stranger], 1) / temperature).softmax(1)[:, :-1]


def _threshold(strangers: torch.Tensor, rate: float) -> float | None:
    if len(strangers) < 3:
        return None
    scale = float(strangers.std()) * math.sqrt(6) / math.pi
    start = float(strangers.mean()) - _EULER * scale
    return min(start - scale * math.log(-math.log1p(-rate)), 1.0)


def _temperature(similarity: torch.Tensor, labels: torch.Tensor, gallery: Gallery) -> float:
    """That which makes the photos of people enrolled more than once likeliest, each left out once;
    without any the spread of strangers' similarities stands in.
    """
    if not len(labels):
        spread = float(gallery.strangers.std()) if len(gallery.strangers) > 2 else 0.1
        return max(spread, float(_TEMPERATURES[0]))
    rows = torch.arange(len(labels))
    losses = [
        float(-_probabilities(similarity, gallery.threshold, float(t))[rows, labels].log().mean())
        for t in _TEMPERATURES
    ]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def open_gallery(
    source: Path | str, reader: FaceReader, model: Model, strangers: Path | str | None = None
) -> Gallery:
    """A gallery from a saved file (`.safetensors`) or a folder of people."""
    if Path(source).suffix == SUFFIX and not Path(source).is_dir():
        if strangers is not None:
            raise UserError(f"Strangers set the threshold when a folder is enrolled; {source} is "
                            "a gallery made before.")  # fmt: skip
        return load_gallery(source, model)
    return enroll(source, reader, model, strangers)


def with_rule(
    gallery: Gallery, threshold: float | None, false_accept_rate: float | None
) -> Gallery:
    """The gallery with another threshold, a similarity in [-1, 1], or false-accept rate."""
    if threshold is not None:
        return replace(gallery, threshold=threshold, false_accept_rate=None)
    return gallery if false_accept_rate is None else gallery.at(false_accept_rate)
