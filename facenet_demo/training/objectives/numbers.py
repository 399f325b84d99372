"""Learn numbers from faces: where the five landmarks are, or one number such as an age.

    task = RegressionTask(["left eye x", ...], window=64, target_statistics=(mean, std))
    task(windows)                        # (B, K), in the units of the targets

The network's own outputs have mean 0 and deviation 1 over the training photos; the task and the
checkpoint know how to turn them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torchmetrics import Metric

from facenet_demo.data.records import Batch
from facenet_demo.networks import FaceCNN, NetworkSettings
from facenet_demo.networks.checkpoints import KEY, describe
from facenet_demo.training.metrics import PhotoMean
from facenet_demo.training.optimization import SGD, OptimizerSettings, Schedule
from facenet_demo.training.task import FaceTask

_NUM_LANDMARK_VALUES = 10


class _RootMean(PhotoMean):
    """The root of a mean: of squared errors, the error."""

    def compute(self) -> torch.Tensor:
        return super().compute().sqrt()


class RegressionTask(FaceTask):
    """A network that learns numbers.

    Args:
        target_names: What each output says; known from the data.
        window: Side of the square it is shown, pixels; known from the data.
        face_scale: How large the face is in it; known from the data.
        target_statistics: Mean and standard deviation of each target; known from the data.
        pixel_statistics: Mean and standard deviation of R, G and B; known from the data.
        network: FaceCNN, or Torchvision for any torchvision classifier.
        optimizer: SGD or AdamW.
        schedule: The course of the learning rate.
        torch_compile: Let torch.compile write code for this network and machine. The first steps
            take up to a minute, and networks as small as FaceCNN's gained nothing by it on a GPU;
            it needs a C++ compiler.
    """

    target_mean: torch.Tensor
    target_std: torch.Tensor

    def __init__(
        self,
        target_names: Sequence[str],
        window: int,
        face_scale: float = 1.0,
        target_statistics: tuple[list[float], list[float]] = ([0.0], [1.0]),
        pixel_statistics: tuple[list[float], list[float]] = ([0.5] * 3, [0.25] * 3),
        network: NetworkSettings = FaceCNN(),  # noqa: B008 - frozen
        optimizer: OptimizerSettings = SGD(),  # noqa: B008 - frozen
        schedule: Schedule = Schedule(),  # noqa: B008 - frozen
        torch_compile: bool = False,
    ) -> None:
        super().__init__(
            network, len(target_names), window, face_scale, pixel_statistics, optimizer, schedule,
            torch_compile,
        )  # fmt: skip
        self.target_names = list(target_names)
        self.target_statistics = target_statistics
        mean, std = (torch.tensor(values, dtype=torch.float32) for values in target_statistics)
        self.register_buffer("target_mean", mean, persistent=False)
        self.register_buffer("target_std", std, persistent=False)
        self.finds_landmarks = len(self.target_names) == _NUM_LANDMARK_VALUES
        self.metrics = nn.ModuleDict(
            {f"of_{stage}": self._new_metrics(stage) for stage in ("train", "val", "test")}
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Answers `(B, K)`, in the units of the targets, to windows `(B, 3, W, W)` in [0, 1]."""
        return self.network(images) * self.target_std + self.target_mean

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        described = describe(self.network_settings, self.target_names, self.window, self.face_scale)
        checkpoint[KEY] = {**described, "target_statistics": self.target_statistics}

    def _new_metrics(self, stage: str) -> nn.ModuleDict:
        metrics: dict[str, Metric] = {"loss": PhotoMean(), "rmse": _RootMean()}
        if self.finds_landmarks:
            metrics["nme"] = PhotoMean()
            if stage != "train":
                metrics["nme_of_mean_shape"] = PhotoMean()  # what looking at the photo must beat
        for metric in metrics.values():
            # Saved with a checkpoint, so that an epoch that is interrupted counts as a whole.
            metric.persistent(stage == "train")
        return nn.ModuleDict(metrics)

    def _step(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        embedding, outputs = self._forward(batch.images)
        wanted = (batch.targets - self.target_mean) / self.target_std
        real = batch.labels >= 0  # (B,), False for what only fills up a batch
        losses = (outputs - wanted).pow(2).mean(dim=1)
        answers = (outputs * self.target_std + self.target_mean).detach()
        values = {
            "loss": losses.detach(),
            "rmse": (answers - batch.targets).pow(2).mean(dim=1),
        }
        if self.finds_landmarks:
            values["nme"] = normalised_error(answers, batch.targets)
            mean_shape = self.target_mean.expand_as(batch.targets)
            values["nme_of_mean_shape"] = normalised_error(mean_shape, batch.targets)
        for name, metric in self._metrics(stage).items():
            metric.update(values[name], real)
        return {"loss": (losses * real).mean(), "answers": answers, "embedding": embedding}


def normalised_error(answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean distance of the five landmarks, in distances between the eyes, `(B,)`.

    Args:
        answers: `(B, 10)` x, y, x, y, ... in any unit; the first two points are the eyes.
        targets: `(B, 10)`.
    """
    found, wanted = (values.unflatten(1, (5, 2)) for values in (answers, targets))
    eyes = (wanted[:, 0] - wanted[:, 1]).norm(dim=1)
    return (found - wanted).norm(dim=2).mean(dim=1) / eyes
