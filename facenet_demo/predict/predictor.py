"""Predictor: images in, names out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
import torch

from facenet_demo.faces.photos import MAX_PIXELS, ImageError
from facenet_demo.predict.enrollment import open_gallery
from facenet_demo.predict.gallery import Gallery, of_model
from facenet_demo.predict.models import Model, Scores, load_model
from facenet_demo.predict.naming import Identification, Namer, TrainedNamer
from facenet_demo.predict.reader import FaceReader, ImageLike, PhotoFaces
from facenet_demo.predict.results import Guess, PhotoResult, Prediction
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text
from facenet_demo.system.threads import ordered_map


class Predictor:
    """Finds every face in an image and names it; safe to use from several threads.

    Args:
        model: a run folder, a checkpoint, an ONNX file, or a model loaded before.
        gallery: name these people instead of those it was trained on: a folder with one folder of
            photos per person, a saved gallery, or a `Gallery`.
        strangers: with a folder as gallery: photos of others, who set its threshold.
        threshold: above it a face is known: a certainty in [0, 1], with a gallery a similarity in
            [-1, 1]; by default what training, or the gallery, learned.
        false_accept_rate: the share of strangers that may get a name, in place of a threshold.
        num_guesses: how many people to list for each face.
        search_side: larger photos are searched at this longer side, pixels, where faces of 32
            pixels or more are found.
        max_pixels: larger files are refused by their header.

    Raises:
        UserError: if a file cannot be used, or settings contradict each other.
    """

    def __init__(
        self,
        model: Path | str | Model,
        gallery: Path | str | Gallery | None = None,
        strangers: Path | str | None = None,
        threshold: float | None = None,
        false_accept_rate: float | None = None,
        num_guesses: int = 3,
        search_side: int = 640,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if threshold is not None and false_accept_rate is not None:
            raise UserError("Set a threshold or a false-accept rate, not both.")
        if strangers is not None and (gallery is None or isinstance(gallery, Gallery)):
            raise UserError("Strangers are for a gallery's folder: name it, too.")
        self.model = model if isinstance(model, Model) else load_model(model)
        self.reader = FaceReader(self.model.window, self.model.face_scale, search_side, max_pixels)
        self.num_guesses = num_guesses
        lowest = 0 if gallery is None else -1  # of a probability, of a similarity
        if threshold is not None and not lowest <= threshold <= 1:
            raise UserError(f"The threshold must be in [{lowest}, 1], not {threshold}.")
        self.namer: Namer
        if gallery is None:
            self.namer = TrainedNamer(
                self.model.people, self.model.calibration, threshold, false_accept_rate
            )
        else:
            if isinstance(gallery, Gallery):
                gallery = of_model(gallery, self.model)
            else:
                gallery = open_gallery(gallery, self.reader, self.model, strangers)
            if threshold is not None:
                gallery = replace(gallery, threshold=threshold, false_accept_rate=None)
            elif false_accept_rate is not None:
                gallery = gallery.at(false_accept_rate)
            self.namer = gallery

    @overload
    def __call__(self, image: ImageLike) -> PhotoResult: ...
    @overload
    def __call__(self, image: list[ImageLike] | tuple[ImageLike, ...]) -> list[PhotoResult]: ...
    def __call__(
        self, image: ImageLike | list[ImageLike] | tuple[ImageLike, ...]
    ) -> PhotoResult | list[PhotoResult]:
        """Name the faces in one image, or in many.

        Args:
            image: a path; a Pillow image; an array `(H, W)`, `(H, W, 3)` or `(H, W, 4)`; or a
                tensor `(C, H, W)` with C 1, 3 or 4. Grey, RGB or RGBA, uint8 or float in [0, 1].
                Many: a list or tuple of them, an array `(N, H, W, C)` or a tensor `(N, C, H, W)`.

        Returns:
            One result, or a list in the order of the images. A file that cannot be read is a result
            that says why.

        Raises:
            TypeError, ValueError: for an array or tensor that is no image.
        """
        if isinstance(image, list | tuple):
            return list(self.stream(image))
        if isinstance(image, np.ndarray | torch.Tensor) and image.ndim == 4:
            return list(self.stream(list(image)))
        return self._one(image)

    def stream(
        self, images: Iterable[ImageLike], num_threads: int | None = None
    ) -> Iterator[PhotoResult]:
        """Results one after the other, in order; memory does not grow with their number.

        Args:
            images: as in `__call__`; read as results are asked for.
            num_threads: how many are worked on at once; by default one per core.
        """
        return ordered_map(self._one, images, num_threads)

    def windows(self, image: ImageLike) -> torch.Tensor:
        """The faces of one image as the network is shown them: `(F, 3, W, W)`, float in [0, 1].

        Raises:
            ImageError: if a file cannot be read.
        """
        return self.reader(image).windows

    def embed(self, faces: torch.Tensor) -> torch.Tensor:
        """Embeddings `(F, D)` of length 1: the more alike two faces, the larger their product.

        Args:
            faces: windows `(F, 3, W, W)`, float in [0, 1], such as `windows` returns.

        Raises:
            ValueError: for another shape, type or range.
        """
        side = self.model.window
        if faces.ndim != 4 or tuple(faces.shape[1:]) != (3, side, side):
            raise ValueError(f"Faces are (F, 3, {side}, {side}), not {tuple(faces.shape)}.")
        if not faces.is_floating_point() or not ((faces >= 0) & (faces <= 1)).all():
            raise ValueError("The pixels of faces are floats in [0, 1].")
        return self.model(faces.float()).embeddings

    def scores(self, read: PhotoFaces) -> Scores | None:
        """What the network says of the faces of a photo; None if there are none."""
        return self.model(read.windows) if read.faces else None

    def predictions(self, read: PhotoFaces, scores: Scores | None) -> tuple[Prediction, ...]:
        """One prediction for each face."""
        if scores is None:
            return ()
        named = self.namer(scores)
        return tuple(
            _prediction(read, row, *self.name(named, row)) for row in range(len(read.faces))
        )

    def name(self, named: Identification, row: int) -> tuple[str | None, float, tuple[Guess, ...]]:
        """Who a row of a batch is, None for a stranger; the certainty; the likeliest people."""
        count = min(max(self.num_guesses, 1), len(self.namer.people))
        best = named.probabilities[row].topk(count)
        guesses = tuple(
            Guess(self.namer.people[person], round(float(probability), 6))
            for probability, person in zip(best.values, best.indices.tolist(), strict=True)
        )
        name = guesses[0].name if named.known[row] else None
        return name, round(float(named.certainty[row]), 6), guesses

    def _one(self, image: ImageLike) -> PhotoResult:
        file = as_text(image) if isinstance(image, str | os.PathLike) else None
        try:
            read = self.reader(image)
            return PhotoResult(file, read.size, self.predictions(read, self.scores(read)))
        except ImageError as error:
            return PhotoResult(file, None, error=str(error))


def _prediction(
    read: PhotoFaces, row: int, name: str | None, certainty: float, guesses: tuple[Guess, ...]
) -> Prediction:
    face = read.faces[row]
    return Prediction(
        name=name,
        probability=guesses[0].probability,
        certainty=certainty,
        guesses=guesses,
        box=tuple(face.box.round(2).tolist()),
        landmarks=tuple((x, y) for x, y in face.landmarks.round(2).tolist()),
        detector_score=round(face.score, 6),
        size=round(float((face.box[2:] - face.box[:2]).max())),
        warnings=read.warnings[row],
    )
