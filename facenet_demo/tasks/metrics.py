"""Metrics of an epoch that cost a step next to nothing."""

from __future__ import annotations

import torch
from torchmetrics import Metric

ERRORS = frozenset({"loss", "rmse", "nme", "nme_of_mean_shape"})  # lower is better; else higher


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
        self.total.add_(torch.where(real, values, 0).sum())
        self.count.add_(real.sum())

    def compute(self) -> torch.Tensor:
        return self.total / self.count
