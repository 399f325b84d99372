"""Learn numbers from faces: where the five landmarks are, or one number such as an age.

    goal = Numbers().build(facts)
    goal.answers(outputs)                # (B, K), in the units of the targets

The network's own outputs have mean 0 and deviation 1 over the training photos; the goal and the
checkpoint know how to turn them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torchmetrics import Metric

from facenet_demo.data.facts import Facts
from facenet_demo.data.records import Batch
from facenet_demo.data.targets import LANDMARKS
from facenet_demo.training.metrics import PhotoMean, Score
from facenet_demo.training.objectives.base import Goal, Objective


@dataclass(frozen=True)
class Numbers(Objective):
    """Numbers: the squared error over landmarks, or over what the data set knows of each photo."""

    targets = ("landmarks", "number")
    scores = (
        Score("rmse", "Root mean squared error", ".4g", lower_is_better=True),
        Score("nme", "Mean distance, in eye distances", lower_is_better=True),
        Score("nme_of_mean_shape", "Of the mean shape", lower_is_better=True),
    )

    def build(self, facts: Facts) -> NumbersGoal:
        return NumbersGoal(facts)


class NumbersGoal(Goal):
    """The mean squared error of numbers brought to mean 0 and deviation 1.

    Args:
        facts: of the data.
    """

    target_mean: torch.Tensor
    target_std: torch.Tensor

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        assert facts.target_statistics is not None
        self.target_statistics = facts.target_statistics
        mean, std = (torch.tensor(v, dtype=torch.float32) for v in facts.target_statistics)
        self.register_buffer("target_mean", mean, persistent=False)
        self.register_buffer("target_std", std, persistent=False)
        self.finds_landmarks = tuple(facts.outputs) == LANDMARKS

    def answers(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs * self.target_std + self.target_mean

    def losses(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        wanted = (batch.targets - self.target_mean) / self.target_std
        return (outputs - wanted).pow(2).mean(dim=1) * (batch.labels >= 0)

    def new_metrics(self, stage: str) -> dict[str, Metric]:
        metrics: dict[str, Metric] = {"loss": PhotoMean(), "rmse": _RootMean()}
        if self.finds_landmarks:
            metrics["nme"] = PhotoMean()
            if stage != "train":
                metrics["nme_of_mean_shape"] = PhotoMean()  # what looking at the photo must beat
        return metrics

    def update(
        self,
        metrics: Mapping[str, Metric],
        outputs: torch.Tensor,
        losses: torch.Tensor,
        batch: Batch,
    ) -> None:
        answers = self.answers(outputs)
        values = {"loss": losses, "rmse": (answers - batch.targets).pow(2).mean(dim=1)}
        if self.finds_landmarks:
            values["nme"] = normalised_error(answers, batch.targets)
            mean_shape = self.target_mean.expand_as(batch.targets)
            values["nme_of_mean_shape"] = normalised_error(mean_shape, batch.targets)
        real = batch.labels >= 0  # (B,), False for what only fills up a batch
        for name, metric in metrics.items():
            metric.update(values[name], real)

    def described(self) -> dict[str, Any]:
        return {"target_statistics": self.target_statistics}


class _RootMean(PhotoMean):
    """The root of a mean: of squared errors, the error."""

    def compute(self) -> torch.Tensor:
        return super().compute().sqrt()


def normalised_error(answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean distance of the five landmarks, in distances between the eyes, `(B,)`.

    Args:
        answers: `(B, 10)` x, y, x, y, ... in any unit; the first two points are the eyes.
        targets: `(B, 10)`.
    """
    found, wanted = (values.unflatten(1, (5, 2)) for values in (answers, targets))
    eyes = (wanted[:, 0] - wanted[:, 1]).norm(dim=1)
    return (found - wanted).norm(dim=2).mean(dim=1) / eyes
