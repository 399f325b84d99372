"""The vocabulary as types: what is handed from one part of the house to the next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    import numpy as np


# Labels of photos that show nobody a network can name.
PADDED = -1  # no photo: it fills up a batch
STRANGER = -2  # somebody it should be unsure about

UNKNOWN = "unknown"  # what results call a stranger; nobody's name


class UserError(Exception):
    """A mistake of the user's that a message can mend; scripts print it without a traceback."""


@dataclass(frozen=True)
class Sample:
    """One photo of a data set: where it lies and who is in it.

    Attributes:
        path: of its file.
        person: whose photo it is.
        number: what a regression is to learn of it, such as an age; None if there is none.
        stage: "train", "val" or "test", where the data set itself says what it is for.
    """

    path: Path
    person: str
    number: float | None = None
    stage: str | None = None


@dataclass(frozen=True)
class Face:
    """One detected face.

    Attributes:
        box: `(4,)` xyxy, pixels of the image it was found in; may reach beyond its border.
        landmarks: `(5, 2)` x, y pixels: left eye, right eye, nose, left and right mouth corner,
            left and right as seen in the image.
        score: the detector's confidence in [0, 1].
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float


class Batch(NamedTuple):
    """What a loader yields and, once the data module has cut the windows, what a task is fed.

    Attributes:
        images: crops as stored, `(B, 3, S, S)` uint8; after the transfer to the device windows,
            `(B, 3, W, W)` float in [0, 1].
        labels: `(B,)` int64, the position of the person in the data module's `people`; `PADDED`,
            or in training `STRANGER`.
        rows: `(B,)` int64, the row of the crop in the data set's crop cache.
        targets: `(B, K)` float, what a regression should answer to the images as they now are; K is
            0 if people are to be told apart.
    """

    images: torch.Tensor
    labels: torch.Tensor
    rows: torch.Tensor
    targets: torch.Tensor = torch.empty(0)
