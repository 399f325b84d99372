"""From a network's scores to names: who it may be, how likely, and whether it is a stranger."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from facenet_demo.networks.calibration import Calibration, certainty
from facenet_demo.predict.models import Scores


class Identification(NamedTuple):
    """Attributes:
    probabilities: `(B, P)`, one for each person, in [0, 1].
    certainty: `(B,)`, what the threshold is compared with.
    known: `(B,)` bool, False: a stranger.
    """

    probabilities: torch.Tensor
    certainty: torch.Tensor
    known: torch.Tensor


class Namer(ABC):
    """Whom scores stand for.

    Attributes:
        people: names, in the order of the probabilities.
    """

    people: Sequence[str]

    @abstractmethod
    def __call__(self, scores: Scores) -> Identification:
        """Names for a batch."""

    @abstractmethod
    def rule(self) -> str:
        """What makes a face unknown, as a sentence for the user."""


class TrainedNamer(Namer):
    """The people that the network was trained to name.

    Args:
        people: their names, in the order of the logits.
        calibration: of the network.
        threshold: replaces that of the calibration, in [0, 1].
        false_accept_rate: sets the threshold that a stranger passes with at most this chance.

    Raises:
        UserError: for a rate that the calibration cannot be set to.
    """

    def __init__(
        self,
        people: Sequence[str],
        calibration: Calibration,
        threshold: float | None = None,
        false_accept_rate: float | None = None,
    ) -> None:
        self.people = people
        self._own_threshold = threshold is not None
        if threshold is not None:
            calibration = replace(calibration, threshold=threshold)
        elif false_accept_rate is not None:
            calibration = calibration.at(false_accept_rate)
        self.calibration = calibration

    def __call__(self, scores: Scores) -> Identification:
        return Identification(
            self.calibration.probability(scores.logits),
            certainty(scores.logits),
            self.calibration.knows(scores.logits),
        )

    def rule(self) -> str:
        threshold, rate = self.calibration.threshold, self.calibration.false_accept_rate
        if threshold is None:
            return (
                "Everybody gets a name: no threshold came with the network, for want of strangers "
                "or because only best.ckpt has one. Set `threshold`, or train with "
                "`data.split.outsiders`."
            )
        start = f"Unknown: a certainty of {threshold:.1%} or less"
        if self._own_threshold:
            return f"{start}, as you said."
        share = max(rate, 1 / (len(self.calibration.outsider_certainty) + 1))
        return f"{start}; {share:.1%} of strangers or fewer are expected to get a name."
