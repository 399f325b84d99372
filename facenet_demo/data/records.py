"""The vocabulary of data as types: what is handed from a data set to a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

# Labels of photos that show nobody a network can name.
PADDED = -1  # no photo: it fills up a batch
STRANGER = -2  # somebody it should be unsure about

UNKNOWN = "unknown"  # what results call a stranger; nobody's name


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
