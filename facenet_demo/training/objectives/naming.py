"""Learn to tell people apart, and strangers from them: cross-entropy and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torchmetrics import Metric

from facenet_demo.data.facts import Facts
from facenet_demo.data.records import PADDED, STRANGER, Batch
from facenet_demo.system.fields import check_fields
from facenet_demo.training.metrics import MacroF1, PhotoMean, Score
from facenet_demo.training.objectives.base import Goal, Objective

_NUM_GUESSES = {"accuracy": 1, "top5_accuracy": 5}


@dataclass(frozen=True)
class Naming(Objective):
    """Who is in a picture: cross-entropy over all people.

    Args:
        label_smoothing: Share of the answer that is spread over all people, in [0, 1).
    """

    targets = ("person",)
    scores = (
        Score("accuracy", "Accuracy"),
        Score("top5_accuracy", "Right name among first five"),
        Score("macro_f1", "Macro F1"),
    )

    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"label_smoothing must be at least 0 and below 1, not {self.label_smoothing}."
            )

    def build(self, facts: Facts) -> NamingGoal:
        return NamingGoal(len(facts.outputs), self.label_smoothing)


class NamingGoal(Goal):
    """Cross-entropy, accuracy and macro F1.

    Args:
        num_people: outputs of the network.
        label_smoothing: see `Naming`.
    """

    four_views = True

    def __init__(self, num_people: int, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.num_people = num_people
        self.loss = NamingLoss(label_smoothing)

    def losses(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.loss(outputs, batch.labels)

    def new_metrics(self, stage: str) -> dict[str, Metric]:
        metrics: dict[str, Metric] = {"loss": PhotoMean(), "accuracy": PhotoMean()}
        if stage != "train":
            metrics["top5_accuracy"] = PhotoMean()
            metrics["macro_f1"] = MacroF1(self.num_people)
        return metrics

    def update(
        self,
        metrics: Mapping[str, Metric],
        outputs: torch.Tensor,
        losses: torch.Tensor,
        batch: Batch,
    ) -> None:
        real = batch.labels >= 0
        for name, metric in metrics.items():
            if name == "loss":
                metric.update(losses, real)
            elif name == "macro_f1":
                metric.update(outputs, batch.labels)
            else:
                best = outputs.topk(min(_NUM_GUESSES[name], self.num_people)).indices
                metric.update((best == batch.labels[:, None]).any(1), real)


class NamingLoss(nn.Module):
    """Cross-entropy; the right answer to a stranger is everybody alike.

    Outlier exposure: Hendrycks et al. 2019, arXiv 1812.04606.
    """

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.named = nn.CrossEntropyLoss(
            label_smoothing=label_smoothing, ignore_index=PADDED, reduction="none"
        )

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Losses `(B,)` of scores `(B, P)` and labels `(B,)`; that of `PADDED` is 0."""
        named = self.named(logits, labels.clamp_min(PADDED))
        unsure = -logits.log_softmax(1).mean(1)
        return torch.where(labels == STRANGER, unsure, named)
