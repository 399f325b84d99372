"""Name people that a network was never trained on, from a few photos of each, one is enough.

    gallery = enroll("people/", reader, model)       # in predict.enrollment
    gallery.save("people.safetensors")
    gallery = load_gallery("people.safetensors", model)

A face is compared with every enrolled photo by the cosine of their embeddings; a person's score is
that of their most similar photo. The threshold for strangers follows from how similar photos of
others look: it is the upper bound of a normal prediction interval (Student's t; Hahn 1969,
Technometrics 11:4), which also tells rates that there are too few photos to count.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from facenet_demo.predict.models import Model, Scores
from facenet_demo.predict.naming import Identification, Namer
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import new_file

SUFFIX = ".safetensors"
DEFAULT_RATE = 0.01
_KEY, _FORMAT = "facenet_demo_gallery", 3
_TENSORS = {"embeddings": torch.float32, "labels": torch.int64, "strangers": torch.float32}


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
        left_out: photos without a usable face, each with its reason; not saved, nor are
        notes: sentences on the photos as a whole.
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
    notes: tuple[str, ...] = ()

    def __call__(self, scores: Scores) -> Identification:
        similarity = by_person(scores.embeddings @ self.embeddings.T, self.labels, len(self.people))
        closest = similarity.amax(1)
        known = torch.ones(len(similarity), dtype=torch.bool)
        if self.threshold is not None:
            known = closest > self.threshold
        return Identification(self.probabilities(similarity), closest, known)

    def probabilities(self, similarity: torch.Tensor) -> torch.Tensor:
        """Of similarities `(B, P)` in [-1, 1]; what is missing to 1 is the chance of a stranger.

        A stranger takes part in the softmax with the similarity of the threshold. In double
        precision, as otherwise people far below it would all be as unlikely.
        """
        similarity = similarity.double()
        if self.threshold is None:
            return (similarity / self.temperature).softmax(1)
        stranger = torch.full((len(similarity), 1), self.threshold, dtype=torch.double)
        everybody = torch.cat([similarity, stranger], 1)
        return (everybody / self.temperature).softmax(1)[:, :-1]

    def rule(self) -> str:
        if self.threshold is None:
            return (
                "Everybody gets a name: fewer than 3 photos of different people cannot tell how "
                "similar strangers look. Name a folder with photos of some as `strangers`."
            )
        start = f"Unknown: no enrolled photo more similar than {self.threshold:.3f}"
        if self.false_accept_rate is None:
            return f"{start}, as you said."
        return (
            f"{start}; {self.false_accept_rate:.1%} of strangers are expected to get a name, "
            f"learned from {len(self.strangers)} photos."
        )

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
        """Write a safetensors file with a JSON description in it: names and embeddings, no photo.

        Only its user can read it, unless it takes the place of one that others may read.

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
            with new_file(Path(path), private=True) as temporary:
                save_file(tensors, temporary, {_KEY: json.dumps(described)})
        except (OSError, SafetensorError) as error:
            raise UserError(f"The gallery {path} cannot be written: {error}.") from error


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
        people, digest, temperature = (
            described[key] for key in ("people", "digest", "temperature")
        )
        _check(people, temperature, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} does not fit together: {error}") from error
    gallery = Gallery(tuple(people), **tensors, digest=digest, temperature=temperature)
    return of_model(gallery, model).at(DEFAULT_RATE)


def of_model(gallery: Gallery, model: Model) -> Gallery:
    """The gallery itself.

    Raises:
        UserError: if it was made with another network, or its embeddings are of another width.
    """
    if gallery.digest != model.digest:
        raise UserError(
            "The gallery was made with another network than this one: its embeddings cannot be "
            "compared. Enrol the people anew: the folder of their photos as `gallery`."
        )
    width = model(torch.zeros(1, 3, model.window, model.window)).embeddings.shape[1]
    if gallery.embeddings.shape[1] != width:
        raise UserError(
            f"The gallery's embeddings have {gallery.embeddings.shape[1]} numbers, those of this "
            f"network {width}: it is damaged. Enrol the people anew."
        )
    return gallery


def by_person(similarity: torch.Tensor, labels: torch.Tensor, num_people: int) -> torch.Tensor:
    """Each person's most similar photo: `(B, N)` by photo to `(B, P)` by person, in [-1, 1]."""
    best = torch.full((len(similarity), num_people), -1.0)
    return best.scatter_reduce(1, labels.expand(len(similarity), -1), similarity, "amax")


def _threshold(strangers: torch.Tensor, rate: float) -> float | None:
    from scipy.special import stdtrit  # takes a while to import, and most namings do without

    count = len(strangers)
    if count < 3:
        return None
    reach = float(stdtrit(count - 1, 1 - rate)) * math.sqrt(1 + 1 / count)
    return min(float(strangers.mean() + reach * strangers.std()), 1.0)


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
