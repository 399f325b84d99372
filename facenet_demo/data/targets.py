"""What is to be learned of each photo: who it is, where its landmarks are, or a number.

target = TARGETS["landmarks"](source, crops)
target.split(SplitSettings())        # of people here, of photos where people are learned
target.values(rows, theta)           # (B, 10), in windows that were cut at theta
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch

from facenet_demo.data.sources.base import FaceSource
from facenet_demo.data.splits import STAGES, Split, SplitSettings, make_split, split_people
from facenet_demo.data.stored import Crops
from facenet_demo.data.windows import to_window
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text

LANDMARKS = tuple(
    f"{part} {axis}"
    for part in ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
    for axis in ("x", "y")
)


class Target(ABC):
    """What a data set's photos are to teach.

    Args:
        source: the data set.
        crops: of it.

    Attributes:
        names_people: the outputs are people.
        moves_windows: judged by windows moved off the centre.
        needs_landmarks: of photos without a detected face nothing is known.
    """

    names_people: ClassVar[bool] = False
    moves_windows: ClassVar[bool] = False
    needs_landmarks: ClassVar[bool] = False

    def __init__(self, source: FaceSource, crops: Crops) -> None:
        self.source = source
        self.crops = crops

    @abstractmethod
    def split(self, settings: SplitSettings) -> Split:
        """Which photos teach, choose and judge.

        Raises:
            UserError: if these photos cannot be split so.
        """

    @abstractmethod
    def outputs(self, split: Split) -> list[str]:
        """What each output of a network says."""

    @abstractmethod
    def values(self, rows: np.ndarray, theta: torch.Tensor) -> torch.Tensor:
        """What a network should answer to windows of some rows of the crops.

        Args:
            rows: `(B,)`.
            theta: `(B, 2, 3)`, where the windows were cut, see `windows.to_window`.

        Returns:
            `(B, K)` float; K is 0 where people are learned, whom the labels tell.
        """


class Person(Target):
    """Who it is."""

    names_people = True

    def split(self, settings: SplitSettings) -> Split:
        return make_split(self.crops, settings, self._given_stages())

    def outputs(self, split: Split) -> list[str]:
        return split.people

    def values(self, rows: np.ndarray, theta: torch.Tensor) -> torch.Tensor:
        return torch.empty(len(rows), 0)

    def _given_stages(self) -> np.ndarray | None:
        """What the data set itself has each photo for, see `make_split`."""
        if not self.source.has_split:
            return None
        known = {as_text(s.path.absolute()): s.stage or "train" for s in self.source.samples()}
        return np.array([STAGES.index(known[file]) for file in self.crops.files])


class _Numbers(Target):
    """Numbers: to judge them on people never seen, people are split rather than photos."""

    def split(self, settings: SplitSettings) -> Split:
        if self.source.has_split:
            raise UserError(
                "The data set's own split is one of photos; where landmarks or numbers are learned "
                "people are split. Take `data.source.split_folders` pool."
            )
        return split_people(self.crops, settings)


class Landmarks(_Numbers):
    """Where the five landmarks are: x, y, x, y, ... from 0 to 1 across the window.

    In aligned crops all landmarks lie nearly where their mean does, so that there would be nothing
    to find in windows that are not moved.
    """

    moves_windows = True
    needs_landmarks = True

    def outputs(self, split: Split) -> list[str]:
        return list(LANDMARKS)

    def values(self, rows: np.ndarray, theta: torch.Tensor) -> torch.Tensor:
        landmarks = torch.from_numpy(self.crops.landmarks[rows])
        return to_window(landmarks, theta.cpu(), self.crops.images.shape[1]).flatten(1)


class Number(_Numbers):
    """The number that the data set knows of each photo."""

    def outputs(self, split: Split) -> list[str]:
        return ["number"]

    def values(self, rows: np.ndarray, theta: torch.Tensor) -> torch.Tensor:
        return self._known[rows]

    @cached_property
    def _known(self) -> torch.Tensor:
        """Of each crop, `(N, 1)`."""
        samples = self.source.samples()
        known = {as_text(sample.path.absolute()): sample.number for sample in samples}
        found = [known[file] for file in self.crops.files]
        if None in found:
            raise UserError(
                f"{self.source.title} knows no number of its photos: `data.target` number needs a "
                "data set that does, such as UTKFace."
            )
        return torch.tensor(found, dtype=torch.float32)[:, None]


TARGETS: dict[str, type[Target]] = {"person": Person, "landmarks": Landmarks, "number": Number}
