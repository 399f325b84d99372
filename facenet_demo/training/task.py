"""A network and what it is trained for: one step for three stages."""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import Metric

from facenet_demo.data.facts import Facts
from facenet_demo.data.records import Batch
from facenet_demo.networks import FaceCNN, FaceNetwork, NetworkSettings
from facenet_demo.networks.checking import check_network
from facenet_demo.networks.checkpoints import KEY, describe
from facenet_demo.system.errors import UserError
from facenet_demo.training.objectives import Naming, Objective
from facenet_demo.training.optimization import SGD, OptimizerSettings, Schedule, go_on

CAPTURED = "reduce-overhead"


class FaceTask(pl.LightningModule):
    """A network that learns what its objective says.

    Args:
        facts: What follows from the data.
        network: FaceCNN, or Torchvision for any torchvision classifier.
        objective: Naming tells people apart, Margin does with room to spare, Numbers learns
            landmarks or numbers. Where `data.target` is no person, Numbers stands for Naming.
        optimizer: SGD or AdamW.
        schedule: The course of the learning rate.
        torch_compile: Let torch.compile write code for this network and machine. The first steps
            take up to a minute, and networks as small as FaceCNN's gained nothing by it on a GPU;
            it needs a C++ compiler. "reduce-overhead" also captures what a GPU is told to do in a
            step (CUDA graphs), and tells it all at once: for networks that wait for Python.

    Attributes:
        network: what is trained.
        goal: loss and metrics, which the objective built.
        metrics: `of_train`, `of_val`, `of_test`, each name -> metric.
    """

    def __init__(
        self,
        facts: Facts,
        network: NetworkSettings = FaceCNN(),  # noqa: B008 - frozen
        objective: Objective = Naming(),  # noqa: B008 - frozen
        optimizer: OptimizerSettings = SGD(),  # noqa: B008 - frozen
        schedule: Schedule = Schedule(),  # noqa: B008 - frozen
        torch_compile: bool | Literal["reduce-overhead"] = False,
    ) -> None:
        super().__init__()
        self.facts = facts
        self.network_settings = network
        self.objective = objective
        self.optimizer_settings = optimizer
        self.schedule = schedule
        self.network: FaceNetwork = network.build(len(facts.outputs))
        check_network(self.network, network)
        if objective.head is not None:
            self.network.replace_head(objective.head)
        mean, std = (torch.tensor(values) for values in facts.pixel_statistics)
        self.network.set_normalization(mean, std)
        self.network.to(memory_format=torch.channels_last)
        _try_window(self.network, facts.window)
        self.goal = objective.build(facts)
        self.metrics = nn.ModuleDict(
            {f"of_{stage}": self._new_metrics(stage) for stage in ("train", "val", "test")}
        )
        self.torch_compile = torch_compile
        # A function rather than a compiled module, whose weights would have other names.
        mode = CAPTURED if torch_compile == CAPTURED else None
        self._forward = torch.compile(self._embed_and_answer, mode=mode) if torch_compile else (
            self._embed_and_answer
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Answers `(B, K)` to windows `(B, 3, W, W)` in [0, 1]: scores, or numbers."""
        return self.goal.answers(self.network(images))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        facts, head = self.facts, self.objective.head
        described = describe(
            self.network_settings, facts.outputs, facts.window, facts.face_scale, head
        )
        checkpoint[KEY] = {**described, **self.goal.described()}

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
                "`trainer.max_epochs`, or `schedule.name` constant."
            )
        scheduler = self.schedule.build(optimizer, num_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _step(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        """The loss of a batch and what callbacks look at; updates the metrics of `stage`."""
        if self.torch_compile == CAPTURED:
            # What the last step put out may go, gradients too: this one puts its own there.
            if stage == "train":
                self.network.zero_grad()
            torch.compiler.cudagraph_mark_step_begin()
        # Between epochs validation sees each face once, as training does, which takes less time.
        once = stage == "train" or self.trainer.state.fn == TrainerFn.FITTING
        if once or not self.goal.four_views:
            labels = batch.labels if stage == "train" else None
            embedding, outputs = self._forward(batch.images, labels)
        else:
            embedding, outputs = self.network.recognize(batch.images)
        losses = self.goal.losses(outputs, batch)  # (B,), 0 where a batch was padded
        self.goal.update(self._metrics(stage), outputs.detach(), losses.detach(), batch)
        return {"loss": losses.mean(), "outputs": outputs, "embedding": embedding}

    def _embed_and_answer(
        self, images: torch.Tensor, labels: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = self.network.embed(images)  # (B, D)
        return embedding, self.network.head(embedding, labels)  # (B, K)

    def _new_metrics(self, stage: str) -> nn.ModuleDict:
        metrics = self.goal.new_metrics(stage)
        for metric in metrics.values():
            # Saved with a checkpoint, so that an epoch that is interrupted counts as a whole.
            metric.persistent(stage == "train")
        return nn.ModuleDict(metrics)

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
                prog_bar=name in ("loss", self.objective.scores[0].name),
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
            "another `data.window`, or fewer stages."
        ) from error
    network.train()


def _try_compiler(device: torch.device) -> None:
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(8, device=device))
    except Exception as error:  # of many kinds, by device and compiler
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"torch.compile does not work here: {reason}. It needs a C++ compiler, such as the "
            "package g++ or build-essential. Install one, or train without `torch_compile`."
        ) from error
