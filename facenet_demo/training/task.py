"""What every task has: a network, how its weights move, and one step for three stages."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import Metric

from facenet_demo.data.records import Batch
from facenet_demo.networks import FaceNetwork, NetworkSettings
from facenet_demo.system.errors import UserError
from facenet_demo.training.optimization import OptimizerSettings, Schedule, go_on


class FaceTask(pl.LightningModule, ABC):
    """A network and what it is trained for; a task says what a step is.

    Args:
        network: what it is built from.
        num_outputs: of the network.
        window: side of the square it is shown, pixels.
        face_scale: how large the face is in it.
        pixel_statistics: mean and standard deviation of R, G and B, in [0, 1].
        optimizer: its settings.
        schedule: of the learning rate.
        torch_compile: let torch.compile write code for the network.

    Attributes:
        network: what is trained.
        metrics: `of_train`, `of_val`, `of_test`, each name -> metric; the task fills it.
    """

    metrics: nn.ModuleDict

    def __init__(
        self,
        network: NetworkSettings,
        num_outputs: int,
        window: int,
        face_scale: float,
        pixel_statistics: tuple[list[float], list[float]],
        optimizer: OptimizerSettings,
        schedule: Schedule,
        torch_compile: bool,
    ) -> None:
        super().__init__()
        self.window = window
        self.face_scale = face_scale
        self.network_settings = network
        self.optimizer_settings = optimizer
        self.schedule = schedule
        self.network: FaceNetwork = network.build(num_outputs)
        self.network.set_normalization(*(torch.tensor(values) for values in pixel_statistics))
        self.network.to(memory_format=torch.channels_last)
        _try_window(self.network, window)
        self.torch_compile = torch_compile
        # A function rather than a compiled module, whose weights would have other names.
        self._forward = torch.compile(self._embed_and_answer) if torch_compile else (
            self._embed_and_answer
        )  # fmt: skip

    @abstractmethod
    def _step(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        """The loss of a batch and what callbacks look at; updates the metrics of `stage`."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The network's outputs `(B, K)` for windows `(B, 3, W, W)` in [0, 1]."""
        return self.network(images)

    def on_fit_start(self) -> None:
        if self.torch_compile:
            _try_compiler(self.device)

    def on_train_start(self) -> None:
        if self.trainer.ckpt_path is not None:  # an interrupted run goes on
            (optimizer,), (course,) = self.trainer.optimizers, self.trainer.lr_scheduler_configs
            scheduler = cast(LambdaLR, course.scheduler)
            go_on(self.optimizer_settings, self.network, optimizer, scheduler)

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
        num_steps = self.trainer.estimated_stepping_batches
        if num_steps == math.inf and self.schedule.name != "constant":
            raise UserError(
                "Without a number of epochs there is no course of the learning rate: set "
                "--trainer.max_epochs, or --model.schedule.name constant."
            )
        scheduler = self.schedule.build(optimizer, num_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _embed_and_answer(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = self.network.embed(images)  # (B, D)
        return embedding, self.network.head(embedding)  # (B, K)

    def _metrics(self, stage: str) -> dict[str, Metric]:
        return dict(self.metrics[f"of_{stage}"].items())  # type: ignore[operator]

    def _log(self, stage: str) -> None:
        """Log what has been counted; once an epoch, since Lightning takes long over it."""
        for name, metric in self._metrics(stage).items():
            self.log(
                f"{stage}/{name}",
                metric,
                on_step=False,
                on_epoch=True,
                prog_bar=name in ("loss", "accuracy", "rmse"),
                logger=False,  # callbacks draw training and validation into one chart
            )

    def _reset(self, stage: str) -> None:
        for metric in self._metrics(stage).values():
            metric.reset()


def _try_window(network: FaceNetwork, window: int) -> None:
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, window, window))
    except Exception as error:  # each network has its own way to say so
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"The network does not take windows of {window} x {window} pixels: {reason}. Set "
            "another --data.window, or fewer stages."
        ) from error
    network.train()


def _try_compiler(device: torch.device) -> None:
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(8, device=device))
    except Exception as error:  # of many kinds, by device and compiler
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"torch.compile does not work here: {reason}. It needs a C++ compiler, such as the "
            "package g++ or build-essential. Install one, or train without --model.torch_compile."
        ) from error
