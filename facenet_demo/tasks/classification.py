"""Learn to tell people apart: cross-entropy, its metrics, and the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from facenet_demo.checkpoints import KEY, describe
from facenet_demo.networks import FaceCNN, NetworkSettings
from facenet_demo.records import Batch
from facenet_demo.tasks.optimization import SGD, OptimizerSettings, Schedule


class ClassificationTask(pl.LightningModule):
    """A network that learns who is in a picture.

    Args:
        people: Names, in the order of the outputs; known from the data.
        window: Side of the square it is shown, pixels; known from the data.
        pixel_statistics: Mean and standard deviation of R, G and B; known from the data.
        network: FaceCNN, or Torchvision for any torchvision classifier.
        optimizer: SGD or AdamW.
        schedule: The course of the learning rate.
        label_smoothing: Share of the answer that is spread over all people, in [0, 1).
    """

    def __init__(
        self,
        people: Sequence[str],
        window: int,
        pixel_statistics: tuple[list[float], list[float]] = ([0.5] * 3, [0.25] * 3),
        network: NetworkSettings = FaceCNN(),  # noqa: B008 - frozen
        optimizer: OptimizerSettings = SGD(),  # noqa: B008 - frozen
        schedule: Schedule = Schedule(),  # noqa: B008 - frozen
        label_smoothing: float = 0.1,
    ) -> None:
        super().__init__()
        self.people = list(people)
        self.window = window
        self.network_settings = network
        self.optimizer_settings = optimizer
        self.schedule = schedule
        self.network = network.build(len(self.people))
        self.network.set_normalization(*(torch.tensor(values) for values in pixel_statistics))
        self.network.to(memory_format=torch.channels_last)
        self.loss = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        self.metrics = nn.ModuleDict(
            {stage: _metrics(len(self.people)) for stage in ("val", "test")}
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (logits) `(B, P)` of windows `(B, 3, W, W)` in [0, 1]."""
        return self.network(images)

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

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = describe(self.network_settings, self.people, self.window)

    def _step(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        embedding = self.network.embed(batch.images)  # (B, D)
        logits = self.network.head(embedding)  # (B, P)
        loss = self.loss(logits, batch.labels)
        accuracy = (logits.detach().argmax(1) == batch.labels).float().mean()
        self._log({"loss": loss, "accuracy": accuracy}, stage, len(batch.labels), prog_bar=True)
        if stage != "train":
            metrics = cast(MetricCollection, self.metrics[stage])
            metrics.update(logits, batch.labels)
            self._log(dict(metrics.items()), stage, len(batch.labels))
        return {"loss": loss, "logits": logits, "embedding": embedding}

    def _log(
        self, values: dict[str, Any], stage: str, batch_size: int, prog_bar: bool = False
    ) -> None:
        self.log_dict(
            {f"{stage}/{name}": value for name, value in values.items()},
            on_step=False,
            on_epoch=True,
            prog_bar=prog_bar,
            logger=False,  # callbacks draw training and validation into one chart
            batch_size=batch_size,
            sync_dist=stage != "train",
        )


def _metrics(num_people: int) -> MetricCollection:
    return MetricCollection(
        {
            "top5_accuracy": MulticlassAccuracy(
                num_people, average="micro", top_k=min(5, num_people)
            ),
            "macro_f1": MulticlassF1Score(num_people, average="macro"),
        }
    )
