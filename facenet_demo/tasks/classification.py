"""Learn to tell people apart: cross-entropy, its metrics, and the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassF1Score

from facenet_demo.checkpoints import KEY, describe
from facenet_demo.networks import FaceCNN, NetworkSettings
from facenet_demo.records import Batch, UserError
from facenet_demo.tasks.metrics import PhotoMean
from facenet_demo.tasks.optimization import SGD, OptimizerSettings, Schedule

_PADDED = -1  # the label of what only fills up a batch
_NUM_GUESSES = {"accuracy": 1, "top5_accuracy": 5}


class ClassificationTask(pl.LightningModule):
    """A network that learns who is in a picture.

    Args:
        people: Names, in the order of the outputs; known from the data.
        window: Side of the square it is shown, pixels; known from the data.
        face_scale: How large the face is in it; known from the data.
        pixel_statistics: Mean and standard deviation of R, G and B; known from the data.
        network: FaceCNN, or Torchvision for any torchvision classifier.
        optimizer: SGD or AdamW.
        schedule: The course of the learning rate.
        label_smoothing: Share of the answer that is spread over all people, in [0, 1).
        torch_compile: Let torch.compile write code for this network and machine. The first steps
            take a minute, so it pays in long runs on a GPU; it needs a C++ compiler.
    """

    def __init__(
        self,
        people: Sequence[str],
        window: int,
        face_scale: float = 1.0,
        pixel_statistics: tuple[list[float], list[float]] = ([0.5] * 3, [0.25] * 3),
        network: NetworkSettings = FaceCNN(),  # noqa: B008 - frozen
        optimizer: OptimizerSettings = SGD(),  # noqa: B008 - frozen
        schedule: Schedule = Schedule(),  # noqa: B008 - frozen
        label_smoothing: float = 0.1,
        torch_compile: bool = False,
    ) -> None:
        super().__init__()
        self.people = list(people)
        self.window = window
        self.face_scale = face_scale
        self.network_settings = network
        self.optimizer_settings = optimizer
        self.schedule = schedule
        self.network = network.build(len(self.people))
        self.network.set_normalization(*(torch.tensor(values) for values in pixel_statistics))
        self.network.to(memory_format=torch.channels_last)
        self.torch_compile = torch_compile
        # A function rather than a compiled module, whose weights would have other names.
        self._forward = (
            torch.compile(self._embed_and_name) if torch_compile else self._embed_and_name
        )
        self.loss = nn.CrossEntropyLoss(
            label_smoothing=label_smoothing, ignore_index=_PADDED, reduction="none"
        )
        self.metrics = nn.ModuleDict(
            {
                f"of_{stage}": _new_metrics(len(self.people), stage)
                for stage in ("train", "val", "test")
            }
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (logits) `(B, P)` of windows `(B, 3, W, W)` in [0, 1]."""
        return self.network(images)

    def on_fit_start(self) -> None:
        if self.torch_compile:
            _try_compiler(self.device)

    def on_train_epoch_start(self) -> None:
        # A checkpoint of an epoch's end still holds that epoch's.
        self._reset("train")

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        return self._step(batch, "train")["loss"]

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        trainer = self.trainer
        # Before the end of the epoch, where callbacks want the metrics.
        if trainer.is_last_batch or trainer.should_stop or trainer.global_step == trainer.max_steps:
            self._log("train")

    def on_validation_epoch_start(self) -> None:
        self._reset("val")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "val")

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    def on_test_epoch_start(self) -> None:
        self._reset("test")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, torch.Tensor]:
        return self._step(batch, "test")

    def on_test_epoch_end(self) -> None:
        self._log("test")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.optimizer_settings.build(self.network)
        scheduler = self.schedule.build(optimizer, int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = describe(self.network_settings, self.people, self.window, self.face_scale)

    def _step(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        embedding, logits = self._forward(batch.images)
        losses = self.loss(logits, batch.labels)  # (B,), 0 where a batch was padded
        real = batch.labels != _PADDED
        for name, metric in self._metrics(stage).items():
            if name == "loss":
                metric.update(losses.detach(), real)
            elif name == "macro_f1":
                metric.update(logits.detach(), batch.labels)
            else:
                best = logits.detach().topk(min(_NUM_GUESSES[name], len(self.people))).indices
                metric.update((best == batch.labels[:, None]).any(1), real)
        return {"loss": losses.mean(), "logits": logits, "embedding": embedding}

    def _embed_and_name(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = self.network.embed(images)  # (B, D)
        return embedding, self.network.head(embedding)  # (B, P)

    def _log(self, stage: str) -> None:
        """Log what has been counted; once an epoch, since Lightning takes long over it."""
        for name, metric in self._metrics(stage).items():
            self.log(
                f"{stage}/{name}",
                metric,
                on_step=False,
                on_epoch=True,
                prog_bar=name in ("loss", "accuracy"),
                logger=False,  # callbacks draw training and validation into one chart
            )

    def _reset(self, stage: str) -> None:
        for metric in self._metrics(stage).values():
            metric.reset()

    def _metrics(self, stage: str) -> dict[str, Metric]:
        return dict(self.metrics[f"of_{stage}"].items())  # type: ignore[operator]


def _new_metrics(num_people: int, stage: str) -> nn.ModuleDict:
    metrics: dict[str, Metric] = {"loss": PhotoMean(), "accuracy": PhotoMean()}
    if stage == "train":
        for metric in metrics.values():
            # Saved with a checkpoint, so that an epoch that is interrupted counts as a whole.
            metric.persistent(True)
    else:
        metrics["top5_accuracy"] = PhotoMean()
        metrics["macro_f1"] = MulticlassF1Score(
            num_people, average="macro", ignore_index=_PADDED, validate_args=False
        )
    return nn.ModuleDict(metrics)


def _try_compiler(device: torch.device) -> None:
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(8, device=device))
    except Exception as error:  # of many kinds, by device and compiler
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"torch.compile does not work here: {reason}. It needs a C++ compiler, such as the "
            "package g++ or build-essential. Install one, or train without --model.torch_compile."
        ) from error
