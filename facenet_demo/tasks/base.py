"""What every task has: a network, how its weights move, and one step for three stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torchmetrics import MetricCollection

from facenet_demo.networks import FaceNetwork, NetworkSettings
from facenet_demo.records import Batch
from facenet_demo.tasks.optimization import OptimizerSettings, Schedule


class FaceTask(pl.LightningModule, ABC):
    """A network and what it is trained for; a task says what a step is.

    Attributes:
        network: what is trained.
        network_settings: what it was built from.
        metrics: a collection for each stage: `of_train`, `of_val`, `of_test`.
        window: side of the square it is shown, pixels.
        face_scale: how large the face is in it.
    """

    network: FaceNetwork
    network_settings: NetworkSettings
    optimizer_settings: OptimizerSettings
    schedule: Schedule
    metrics: nn.ModuleDict
    window: int
    face_scale: float

    @abstractmethod
    def _step(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        """The loss of a batch and what callbacks look at; logs the metrics of `stage`."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The network's outputs `(B, K)` for windows `(B, 3, W, W)` in [0, 1]."""
        return self.network(images)

    def on_train_epoch_start(self) -> None:
        # A checkpoint of an epoch's end still holds that epoch's.
        cast(MetricCollection, self.metrics["of_train"]).reset()

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        return self._step(batch, "train")["loss"]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, torch.Tensor]:
        return self._step(batch, "test")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.optimizer_settings.build(self.network)
        scheduler = self.schedule.build(optimizer, int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def log_metric(self, stage: str, name: str, metric: Any, batch: Batch) -> None:
        """Log a metric of the epoch; callbacks draw training and validation into one chart."""
        self.log(
            f"{stage}/{name}",
            metric,
            on_step=False,
            on_epoch=True,
            prog_bar=name in ("loss", "accuracy", "rmse"),
            logger=False,
            batch_size=len(batch.labels),
        )
