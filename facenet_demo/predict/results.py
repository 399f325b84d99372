"""What comes out: plain frozen values that compare, hash and turn into JSON.

docs/predictions.md describes the JSON; a change that breaks its readers raises `SCHEMA`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from facenet_demo.data.records import UNKNOWN

SCHEMA = "facenet_demo/prediction/1"
NOT_ANNOTATED = "not annotated"  # an error that begins so: named, but its copy is missing


class Guess(NamedTuple):
    """A person that a face may show, and how likely, in [0, 1]."""

    name: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """One face and who it is.

    Attributes:
        name: who it is; None if it is a stranger.
        probability: calibrated, of the likeliest person, in [0, 1].
        certainty: a face is known if this is above the threshold: its largest probability before
            calibration, in [0, 1]; with a gallery its largest similarity, in [-1, 1].
        guesses: the likeliest people, the first first, whether or not the face is known.
        box: x1, y1, x2, y2, pixels of the whole photo; may reach beyond its border.
        landmarks: five x, y: left eye, right eye, nose, left and right mouth corner, left and right
            as seen in the photo.
        detector_score: how sure the detector is that this is a face, in [0, 1].
        size: longer side of the box, pixels of the whole photo.
        warnings: why the answer may mean little: "small", "blurred", "turned".
    """

    name: str | None
    probability: float
    certainty: float
    guesses: tuple[Guess, ...]
    box: tuple[float, ...]
    landmarks: tuple[tuple[float, float], ...]
    detector_score: float
    size: int
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name, or the word for a stranger."""
        return label_of(self.name)


@dataclass(frozen=True)
class PhotoResult:
    """One photo and the faces in it.

    Attributes:
        file: its path as text, None if it came from memory.
        size: height and width, pixels; None if it could not be read.
        faces: from left to right.
        error: why it could not be read, or "not annotated: " and why its copy is missing; else
            None.
    """

    file: str | None
    size: tuple[int, int] | None
    faces: tuple[Prediction, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Appearance:
    """One person seen in a video without a break.

    Attributes:
        name: who it is, from all frames together; None for a stranger.
        probability, certainty, guesses: as in `Prediction`, from all frames together.
        start, end: first and last time seen, seconds.
        num_frames: how many of the frames looked at show the face.
        best: where the face is in the frame that shows it best, named as above, and
        best_time: when that is, seconds.
    """

    name: str | None
    probability: float
    certainty: float
    guesses: tuple[Guess, ...]
    start: float
    end: float
    num_frames: int
    best: Prediction
    best_time: float

    @property
    def label(self) -> str:
        """The name, or the word for a stranger."""
        return label_of(self.name)


@dataclass(frozen=True)
class VideoResult:
    """One video and who is seen when.

    Attributes:
        file: its path as text.
        num_frames: frames looked at.
        appearances: in order of their start.
        error: why it could not be read, or not to its end, or not annotated; else None.
    """

    file: str
    num_frames: int
    appearances: tuple[Appearance, ...] = ()
    error: str | None = None


def label_of(name: str | None) -> str:
    """A name as text that no stranger shares; None is a stranger.

    Nobody can be enrolled or trained under that word, but older networks and galleries, and those
    from elsewhere, may know somebody who is.
    """
    if name is None:
        return UNKNOWN
    return f"{name} (a name)" if name.strip().casefold() == UNKNOWN else name
