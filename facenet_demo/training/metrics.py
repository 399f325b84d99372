"""Metrics of an epoch that cost a step next to nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torchmetrics import Metric
from torchmetrics.classification import MulticlassF1Score


@dataclass(frozen=True)
class Score:
    """How a figure that is counted is told to people.

    Attributes:
        name: in metrics.json, `val/NAME`.
        label: in words.
        form: of its value, as `format` takes it; "%" makes a percentage.
        lower_is_better: it is an error.
    """

    name: str
    label: str
    form: str = ".1%"
    lower_is_better: bool = False


class PhotoMean(Metric):
    """The mean over photos, those on other devices too.

    torchmetrics' MeanMetric looks for NaN, and its accuracy picks out what is not padded; for both
    the host would have to wait for the device at each step.
    """

    full_state_update = False
    total: torch.Tensor
    count: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, values: torch.Tensor, real: torch.Tensor) -> None:
        """Add numbers or truth values `(B,)`; those that are not `real`, `(B,)` bool, count not."""
        # Not in place: a task of 16 bits casts its metrics too, and a count would stop at 256.
        dtype = torch.promote_types(values.dtype, torch.float32)
        self.total = self.total + torch.where(real, values, 0).sum(dtype=dtype)
        self.count = self.count + real.sum(dtype=torch.float32)

    def compute(self) -> torch.Tensor:
        return self.total / self.count


class MacroF1(MulticlassF1Score):
    """The mean over people of F1, as torchmetrics has it, counted on the device alone.

    torchmetrics picks out what is not padded and counts the rest by `bincount`; for both the host
    would have to wait.

    Args:
        num_people: outputs of the network.
    """

    def __init__(self, num_people: int) -> None:
        super().__init__(num_people, average="macro", validate_args=False)

    def update(self, preds: torch.Tensor, target: torch.Tensor) -> None:
        """Count outputs `(B, P)`; where a label, `(B,)`, is below 0, nobody was to be named."""
        people = torch.arange(preds.shape[1], device=target.device)
        real = (target >= 0)[:, None]
        true = target[:, None] == people  # (B, P)
        named = (preds.argmax(1)[:, None] == people) & real
        counted = {
            "tp": true & named,
            "fp": named & ~true,
            "fn": true & ~named,
            "tn": real & ~true & ~named,
        }
        for name, found in counted.items():
            setattr(self, name, getattr(self, name) + found.sum(0))
