"""Learn to tell people apart, and strangers from them: cross-entropy and its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassF1Score

from facenet_demo.data.records import PADDED, STRANGER, Batch
from facenet_demo.networks import FaceCNN, NetworkSettings
from facenet_demo.networks.checkpoints import KEY, describe
from facenet_demo.training.metrics import PhotoMean
from facenet_demo.training.optimization import SGD, OptimizerSettings, Schedule
from facenet_demo.training.task import FaceTask

_NUM_GUESSES = {"accuracy": 1, "top5_accuracy": 5}


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


class ClassificationTask(FaceTask):
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
            take up to a minute, and networks as small as FaceCNN's gained nothing by it on a GPU;
            it needs a C++ compiler.
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
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"label_smoothing must be at least 0 and below 1, not {label_smoothing}."
            )
        super().__init__(
            network, len(people), window, face_scale, pixel_statistics, optimizer, schedule,
            torch_compile,
        )  # fmt: skip
        self.people = list(people)
        self.loss = NamingLoss(label_smoothing)
        self.metrics = nn.ModuleDict(
            {
                f"of_{stage}": _new_metrics(len(self.people), stage)
                for stage in ("train", "val", "test")
            }
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = describe(self.network_settings, self.people, self.window, self.face_scale)

    def _step(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        # Between epochs validation sees each face once, as training does, which takes less time.
        once = stage == "train" or self.trainer.state.fn == TrainerFn.FITTING
        embedding, logits = (self._forward if once else self.network.recognize)(batch.images)
        losses = self.loss(logits, batch.labels)  # (B,), 0 where a batch was padded
        real = batch.labels >= 0
        for name, metric in self._metrics(stage).items():
            if name == "loss":
                metric.update(losses.detach(), real)
            elif name == "macro_f1":
                metric.update(logits.detach(), batch.labels)
            else:
                best = logits.detach().topk(min(_NUM_GUESSES[name], len(self.people))).indices
                metric.update((best == batch.labels[:, None]).any(1), real)
        return {"loss": losses.mean(), "logits": logits, "embedding": embedding}


def _new_metrics(num_people: int, stage: str) -> nn.ModuleDict:
    metrics: dict[str, Metric] = {"loss": PhotoMean(), "accuracy": PhotoMean()}
    if stage == "train":
        for metric in metrics.values():
            # Saved with a checkpoint, so that an epoch that is interrupted counts as a whole.
            metric.persistent(True)
    else:
        metrics["top5_accuracy"] = PhotoMean()
        metrics["macro_f1"] = MulticlassF1Score(
            num_people, average="macro", ignore_index=PADDED, validate_args=False
        )
    return nn.ModuleDict(metrics)
