"""The curves of a training, kept and drawn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch.utils.tensorboard import SummaryWriter

from facenet_demo.data.records import Batch
from facenet_demo.training.tensorboard import purge_step, tensorboard_writer


class History(Callback):
    """Keeps the metrics of every epoch and how long training took.

    Writes `loss` and `accuracy` of training and validation to two TensorBoard runs below the run
    folder, which is what makes TensorBoard draw both into one chart.

    Args:
        resumed_after: number of epochs done when an interrupted run goes on; what TensorBoard was
            told of later ones no longer counts.

    Attributes:
        epochs: for each epoch its metrics, `train/loss`, `val/accuracy`, ...
        seconds: time spent in `fit`, validation and callbacks included.
        num_photos: photos trained on, counted once each epoch.
    """

    def __init__(self, resumed_after: int | None = None) -> None:
        self.epochs: list[dict[str, float]] = []
        self.seconds = 0.0
        self.num_photos = 0
        self._started: float | None = None
        self._resumed_after = resumed_after
        self._writers: dict[str, SummaryWriter] = {}

    @property
    def photos_per_second(self) -> float:
        return self.num_photos / max(self.seconds, 1e-9)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()
        writer = tensorboard_writer(trainer)
        if writer is not None:
            self._writers = {
                stage: SummaryWriter(
                    Path(writer.log_dir) / stage, purge_step=purge_step(self._resumed_after)
                )
                for stage in ("train", "val")
            }

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self.num_photos += len(batch.labels) * trainer.world_size

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._count_time()
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.epochs.append(metrics)
        epoch = trainer.current_epoch + 1
        for stage, writer in self._writers.items():
            for name, value in metrics.items():
                if name.startswith(f"{stage}/"):
                    writer.add_scalar(name.removeprefix(f"{stage}/"), value, epoch)
        if self._writers:
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            self._writers["train"].add_scalar("learning_rate", rate, epoch)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _count_time(self) -> None:
        # What a callback saves before training starts, to try something out, counts for nothing.
        if self._started is not None:
            now = time.perf_counter()
            self.seconds += now - self._started
            self._started = now

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def state_dict(self) -> dict[str, Any]:
        self._count_time()
        return {"epochs": self.epochs, "seconds": self.seconds, "num_photos": self.num_photos}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs = list(state_dict["epochs"])
        self.seconds = state_dict["seconds"]
        self.num_photos = state_dict["num_photos"]
