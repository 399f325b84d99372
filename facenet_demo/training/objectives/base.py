"""What a network is trained for, as plain settings that build the rest.

    goal = Naming(label_smoothing=0.1).build(facts)
    losses = goal.losses(outputs, batch)         # (B,)

One file each, imported in `objectives/__init__.py`; `--model.objective NAME` finds it by its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torchmetrics import Metric

from facenet_demo.data.facts import Facts
from facenet_demo.data.records import Batch
from facenet_demo.networks.heads import HeadSettings
from facenet_demo.training.metrics import Score


@dataclass(frozen=True)
class Objective(ABC):
    """The plain values that a goal is built from.

    Attributes:
        targets: what data it can learn, of `data.targets.TARGETS`.
        scores: what is counted beside the loss, the most telling first.
    """

    targets: ClassVar[tuple[str, ...]]
    scores: ClassVar[tuple[Score, ...]]

    @property
    def head(self) -> HeadSettings | None:
        """The last layer that the network gets; None leaves it the linear one it has."""
        return None

    @abstractmethod
    def build(self, facts: Facts) -> Goal:
        """Loss and metrics for these data."""


class Goal(nn.Module, ABC):
    """Loss and metrics of one training.

    Attributes:
        four_views: judged as a user's photo is, by the mean of four views: see
            `FaceNetwork.recognize`.
    """

    four_views: ClassVar[bool] = False

    @abstractmethod
    def losses(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Losses `(B,)` of outputs `(B, K)`, 0 where a batch was padded."""

    @abstractmethod
    def new_metrics(self, stage: str) -> dict[str, Metric]:
        """Fresh metrics for "train", "val" or "test"; one of them is "loss"."""

    @abstractmethod
    def update(
        self,
        metrics: Mapping[str, Metric],
        outputs: torch.Tensor,
        losses: torch.Tensor,
        batch: Batch,
    ) -> None:
        """Count a batch.

        Args:
            metrics: some that `new_metrics` made.
            outputs: `(B, K)`, without gradient.
            losses: `(B,)`, without gradient.
            batch: whose `labels` are below 0 where a photo does not count.
        """

    def answers(self, outputs: torch.Tensor) -> torch.Tensor:
        """Outputs `(B, K)` of the network as they are read: scores, or numbers in their unit."""
        return outputs

    def described(self) -> dict[str, Any]:
        """What a checkpoint needs to say of it, plain values."""
        return {}
