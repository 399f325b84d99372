"""Who is seen when in a video.

    result = predict_video(predictor, Path("party.mp4"), every=5)
    for person in result.appearances:
        print(person.label, person.start, person.end)

Every n-th frame is searched. A face goes on a track if it overlaps that track's last box, and a
track is named once, from the mean of its frames' scores: one bad frame then changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from facenet_demo.faces.photos import ImageError
from facenet_demo.predict.models import Scores
from facenet_demo.predict.predictor import Predictor
from facenet_demo.predict.results import Appearance, Prediction, VideoResult
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text

# Boxes of one face in two frames overlap at least so much, intersection over union.
_LEAST_OVERLAP = 0.3
# A face not seen for so many seconds has gone; when it comes back, that is another appearance.
# Where frames are looked at more rarely, one that is in the next of them has not gone.
_LONGEST_GAP = 1.0
# Of the frames that a whole video announces so many can be read.
_LEAST_SHARE = 0.9


def silence_opencv() -> None:
    """Keep what OpenCV makes of a broken video out of the terminal."""
    # The function moved in 4.13.
    levels = getattr(cv2.utils, "logging", cv2)
    levels.setLogLevel(0)


class Frame(NamedTuple):
    """One frame: when, seconds, and its pixels, RGB uint8 `(H, W, 3)`."""

    time: float
    pixels: np.ndarray


@dataclass
class _Track:
    logits: list[torch.Tensor] = field(default_factory=list)
    embeddings: list[torch.Tensor] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    box: np.ndarray = field(default_factory=lambda: np.zeros(4))
    best: Prediction | None = None
    best_time: float = 0.0

    def add(
        self, time: float, face: Prediction, logits: torch.Tensor, embedding: torch.Tensor
    ) -> None:
        self.times.append(time)
        self.logits.append(logits)
        self.embeddings.append(embedding)
        self.box = np.array(face.box)
        if self.best is None or _quality(face) > _quality(self.best):
            self.best, self.best_time = face, time


def predict_video(predictor: Predictor, path: Path, every: int = 5) -> VideoResult:
    """Name the people in a video.

    Args:
        predictor: whom to name.
        path: a video that OpenCV reads.
        every: look at every so-manyth frame.

    Returns:
        A result; one that says why, if the video cannot be read.
    """
    tracks: list[_Track] = []
    num_frames, error = 0, None
    last = 0.0
    try:
        for frame in read_frames(path, every):
            num_frames += 1
            gap, last = max(_LONGEST_GAP, frame.time - last), frame.time
            read = predictor.reader(frame.pixels)
            scores = predictor.scores(read)
            if scores is not None:
                _follow(tracks, frame.time, gap, predictor.predictions(read, scores), scores)
    except ImageError as problem:
        error = str(problem)
    appearances = [_appearance(predictor, track) for track in tracks]
    return VideoResult(as_text(path), num_frames, tuple(appearances), error)


def read_frames(path: Path, every: int) -> Iterator[Frame]:
    """Every `every`-th frame, the first one first.

    Raises:
        ImageError: if there is no such file, or OpenCV cannot read it, or not to its end.
        UserError: if `every` is not positive.
    """
    if every < 1:
        raise UserError(f"Every 1st frame is the most that can be looked at, not {every}.")
    if not path.is_file():
        raise ImageError("is a directory" if path.is_dir() else "no such file")
    if path.stat().st_size == 0:
        raise ImageError("empty file")
    # A video can name other files; nothing is fetched from the net for it.
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said once, by us
    video = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    try:
        number = 0
        while video.grab():
            if number % every == 0:
                whole, pixels = video.retrieve()
                if whole:
                    time = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
                    yield Frame(round(max(time, 0.0), 3), cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
            number += 1
        if number == 0:
            raise ImageError("not a video that can be read")
        announced = int(video.get(cv2.CAP_PROP_FRAME_COUNT))  # not exact in every format
        if number < _LEAST_SHARE * announced:
            raise ImageError(f"damaged: {number} of {announced} frames can be read")
    finally:
        video.release()


def frame_at(path: Path, time: float) -> np.ndarray:
    """The first frame at or after `time` seconds, RGB uint8 `(H, W, 3)`.

    Raises:
        ImageError: if the video has none.
    """
    for frame in read_frames(path, 1):
        if frame.time >= time:
            return frame.pixels
    raise ImageError("it ends early")


def _follow(
    tracks: list[_Track],
    time: float,
    gap: float,
    faces: tuple[Prediction, ...],
    scores: Scores,
) -> None:
    active = [track for track in tracks if time - track.times[-1] <= gap]
    pairs = sorted(
        ((_overlap(track.box, np.array(face.box)), t, f)
         for t, track in enumerate(active) for f, face in enumerate(faces)),
        reverse=True,
    )  # fmt: skip
    chosen: dict[int, _Track] = {}
    taken: set[int] = set()
    for overlap, t, f in pairs:
        if overlap >= _LEAST_OVERLAP and t not in taken and f not in chosen:
            chosen[f] = active[t]
            taken.add(t)
    for f, face in enumerate(faces):
        track = chosen.get(f)
        if track is None:
            track = _Track()
            tracks.append(track)
        track.add(time, face, scores.logits[f], scores.embeddings[f])


def _appearance(predictor: Predictor, track: _Track) -> Appearance:
    logits = torch.stack(track.logits).mean(0, keepdim=True)
    embedding = torch.stack(track.embeddings).mean(0, keepdim=True)
    scores = Scores(logits, torch.nn.functional.normalize(embedding, dim=1))
    name, certainty, guesses = predictor.name(predictor.namer(scores), 0)
    assert track.best is not None
    probability = guesses[0].probability
    best = replace(
        track.best, name=name, probability=probability, certainty=certainty, guesses=guesses
    )
    return Appearance(
        name, probability, certainty, guesses, track.times[0], track.times[-1], len(track.times),
        best, track.best_time,
    )  # fmt: skip


def _quality(face: Prediction) -> tuple[int, float]:
    return -len(face.warnings), face.size * face.detector_score


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    return shared / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared)
