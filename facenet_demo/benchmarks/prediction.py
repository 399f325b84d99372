"""How well photos given as files are named: as they are, changed, and by a gallery.

results = run(Path("runs/lfw-..."), lfw_root=Path("lfw_funneled"))

The run's own split says which photos are test photos and which people are strangers to it; whose
photo a file is, its folder says. A photo is named rightly if its main face's likeliest person is
right; a photo in which no face is found is named wrongly.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from PIL import Image
from rich.table import Table
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from facenet_demo.benchmarks.peers import GREY
from facenet_demo.data.sources import ORL
from facenet_demo.data.splits import SPLITS
from facenet_demo.faces.detect import main_face
from facenet_demo.faces.photos import read_image
from facenet_demo.predict import Predictor
from facenet_demo.system.errors import UserError
from facenet_demo.system.threads import ordered_map

_CANVAS = (1200, 1600)


@dataclass(frozen=True)
class Faces:
    """What the detector sees in photos of one person each.

    Attributes:
        photos: how many there are.
        found: in how many a face is found.
        more: faces beside the main one in each photo, on average: other people and mistakes.
    """

    photos: int
    found: int
    more: float


@dataclass(frozen=True)
class GalleryScore:
    """One enrolled photo for each of people never trained on, in [0, 1].

    Attributes:
        rank_1: share of their other photos whose most similar enrolled photo is right.
        auroc: chance that such a photo is more similar to an enrolled one than a stranger's is.
    """

    rank_1: float
    auroc: float


@dataclass(frozen=True)
class Results:
    """What came of it; accuracies in [0, 1].

    Attributes:
        training_accuracy: the run's own, on the crops of the same photos.
        accuracy: by what was done with the test photos.
        faces: by data set.
        gallery: by method, empty if the run knows too few strangers with several photos.
    """

    training_accuracy: float
    accuracy: dict[str, float]
    faces: dict[str, Faces]
    gallery: dict[str, GalleryScore]


def run(folder: Path, lfw_root: Path | None) -> Results:
    """Measure a finished run.

    Args:
        folder: the run folder.
        lfw_root: the folder lfw_funneled, to count faces in it too.

    Raises:
        UserError: if the run has no test photos.
    """
    try:
        split = json.loads((folder / SPLITS).read_text("utf-8"))
        metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
        training_accuracy = float(metrics["test/accuracy"])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder} is no finished run with test photos: {error}.") from error
    predictor = Predictor(folder)
    test = [Path(file) for file in split["test"]]
    accuracy = {name: _accuracy(predictor, test, change) for name, change in CHANGES.items()}
    faces = {"ORL": count_faces(predictor, [sample.path for sample in ORL().samples()])}
    if lfw_root is not None:
        faces["LFW"] = count_faces(predictor, sorted(lfw_root.glob("*/*.jpg")))
    # Not the strangers who taught.
    outsiders = [Path(file) for stage in ("val", "test") for file in split["outsiders"][stage]]
    train = [Path(file) for file in split["train"]]
    return Results(training_accuracy, accuracy, faces, _galleries(predictor, outsiders, train))


def tables(results: Results) -> list[Table]:
    """One for each question."""
    named = Table("test photos as files", "rightly named", title_justify="left")
    named.add_row("crops, as training tests", f"{results.training_accuracy:.1%}")
    for name, accuracy in results.accuracy.items():
        named.add_row(name, f"{accuracy:.1%}")
    found = Table("photos of", "faces found", "more faces in each", title_justify="left")
    for name, faces in results.faces.items():
        found.add_row(name, f"{faces.found} of {faces.photos}", f"{faces.more:.3f}")
    made = [named, found]
    if results.gallery:
        gallery = Table("gallery, one photo of each", "rank 1", "AUROC", title_justify="left")
        for name, score in results.gallery.items():
            gallery.add_row(name, f"{score.rank_1:.1%}", f"{score.auroc:.3f}")
        made.append(gallery)
    return made


def count_faces(predictor: Predictor, files: Sequence[Path]) -> Faces:
    """How many faces are found in photos of one person each."""
    counts = [len(result.faces) for result in predictor.stream(files)]
    found = sum(count > 0 for count in counts)
    return Faces(len(counts), found, (sum(counts) - found) / max(len(counts), 1))


class ChangedPhoto(NamedTuple):
    """A photo after something was done with it.

    Attributes:
        image: RGB uint8 `(H, W, 3)`.
        frame: where in it the photo is now: top, left, height, width, pixels.
    """

    image: np.ndarray
    frame: tuple[int, int, int, int]


Change: TypeAlias = "Callable[[np.ndarray, np.random.Generator], ChangedPhoto]"


def _whole(image: np.ndarray) -> ChangedPhoto:
    return ChangedPhoto(image, (0, 0, *image.shape[:2]))


def _as_it_is(image: np.ndarray, rng: np.random.Generator) -> ChangedPhoto:
    return _whole(image)


def _scaled(factor: float) -> Change:
    def change(image: np.ndarray, rng: np.random.Generator) -> ChangedPhoto:
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        return _whole(cv2.resize(image, None, fx=factor, fy=factor, interpolation=method))

    return change


def _turned(image: np.ndarray, rng: np.random.Generator) -> ChangedPhoto:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 15 * rng.choice([-1, 1]), 1)
    # Beyond its edges the photo goes on as it ends: a wedge of black is no part of the question.
    return _whole(
        cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    )


def _compressed(image: np.ndarray, rng: np.random.Generator) -> ChangedPhoto:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=30)
    return _whole(np.asarray(Image.open(buffer)))


def _placed(image: np.ndarray, rng: np.random.Generator) -> ChangedPhoto:
    rows, columns = _CANVAS[0] - image.shape[0], _CANVAS[1] - image.shape[1]
    top, left = int(rng.integers(rows + 1)), int(rng.integers(columns + 1))
    edges = (top, rows - top, left, columns - left)
    placed = cv2.copyMakeBorder(image, *edges, borderType=cv2.BORDER_REPLICATE)
    return ChangedPhoto(placed, (top, left, *image.shape[:2]))


CHANGES: Mapping[str, Change] = {
    "as they are": _as_it_is,
    "half the size": _scaled(0.5),
    "twice the size": _scaled(2.0),
    "turned by 15 degrees": _turned,
    "JPEG quality 30": _compressed,
    "somewhere in 1,600 x 1,200 pixels": _placed,
}


def _accuracy(predictor: Predictor, files: Sequence[Path], change: Change) -> float:
    def right(row: int) -> bool:
        image, (top, left, *size) = change(read_image(files[row]), np.random.default_rng(row))
        faces = predictor(image).faces
        if not faces:
            return False
        boxes = np.array([face.box for face in faces]) - (left, top, left, top)
        main = faces[main_face(boxes, (size[0], size[1]))]
        return main.guesses[0].name == files[row].parent.name

    return float(np.mean(list(ordered_map(right, range(len(files))))))


def _galleries(
    predictor: Predictor, outsiders: Sequence[Path], train: Sequence[Path]
) -> dict[str, GalleryScore]:
    """Half of the people with several photos are enrolled; all others are strangers."""
    photos: dict[str, list[Path]] = defaultdict(list)
    for file in outsiders:
        photos[file.parent.name].append(file)
    enrolled = sorted(name for name, files in photos.items() if len(files) > 1)[::2]
    strangers = [file for name in photos if name not in enrolled for file in photos[name]]
    if len(enrolled) < 2 or not strangers:
        return {}
    gallery = _windows(predictor, [photos[name][0] for name in enrolled])
    probes = _windows(predictor, [file for name in enrolled for file in photos[name][1:]])
    owners = np.repeat(np.arange(len(enrolled)), [len(photos[n]) - 1 for n in enrolled])
    parts = [gallery, probes, _windows(predictor, strangers)]
    pixels = _grey(_windows(predictor, train))
    eigenfaces = PCA(min(150, len(pixels) // 2), whiten=True, random_state=0).fit(pixels)
    return {
        "embeddings": _score([predictor.embed(part).numpy() for part in parts], owners),
        "eigenfaces": _score([_unit(eigenfaces.transform(_grey(part))) for part in parts], owners),
    }


def _score(parts: Sequence[np.ndarray], owners: np.ndarray) -> GalleryScore:
    gallery, probes, strangers = parts
    similarity, other = probes @ gallery.T, (strangers @ gallery.T).max(1)
    known = np.repeat([1, 0], [len(probes), len(strangers)])
    auroc = roc_auc_score(known, np.concatenate([similarity.max(1), other]))
    return GalleryScore(float((similarity.argmax(1) == owners).mean()), float(auroc))


def _windows(predictor: Predictor, files: Sequence[Path]) -> torch.Tensor:
    """The main face of each photo, grey where none is found, `(N, 3, W, W)`."""
    side = predictor.model.window

    def window(file: Path) -> torch.Tensor:
        read = predictor.reader(file)
        if not read.faces:
            return torch.full((3, side, side), 0.5)
        return read.windows[read.main]

    return torch.stack(list(ordered_map(window, files)))


def _grey(windows: torch.Tensor) -> np.ndarray:
    return (windows.permute(0, 2, 3, 1).numpy() @ GREY).reshape(len(windows), -1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
