"""Learn to tell people apart: cross-entropy, its metrics, and the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from facenet_demo.checkpoints import KEY, describe
from facenet_demo.networks import FaceCNN, NetworkSettings
from facenet_demo.records import Batch
from facenet_demo.tasks.base import FaceTask
from facenet_demo.tasks.optimization import SGD, OptimizerSettings, Schedule

_PADDED = -1  # the label of what only fills up a batch


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
        self.loss = nn.CrossEntropyLoss(
            label_smoothing=label_smoothing, ignore_index=_PADDED, reduction="none"
        )
        self.metrics = nn.ModuleDict(
            {f"of_{stage}": _metrics(len(self.people), stage) for stage in ("train", "val", "test")}
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = describe(self.network_settings, self.people, self.window, self.face_scale)

    def _step(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        embedding = self.network.embed(batch.images)  # (B, D)
        logits = self.network.head(embedding)  # (B, P)
        losses = self.loss(logits, batch.labels)  # (B,), 0 where a batch was padded
        metrics = cast(MetricCollection, self.metrics[f"of_{stage}"])
        for name, metric in metrics.items(keep_base=True):
            if name == "loss":
                metric.update(losses.detach(), (batch.labels >= 0).float())
            else:
                metric.update(logits.detach(), batch.labels)
            self.log_metric(stage, name, metric, batch)
        return {"loss": losses.mean(), "logits": logits, "embedding": embedding}


def _metrics(num_people: int, stage: str) -> MetricCollection:
    settings: dict[str, Any] = {
        "num_classes": num_people,
        "ignore_index": _PADDED,
        "validate_args": False,  # it would make the host wait for the device
    }
    metrics: dict[str, Metric | MetricCollection] = {
        "loss": MeanMetric(),
        "accuracy": MulticlassAccuracy(average="micro", **settings),
    }
    if stage == "train":
        # Saved with a checkpoint, so that an epoch that is interrupted counts as a whole.
        collection = MetricCollection(metrics)
        collection.persistent(True)
        return collection
    metrics["top5_accuracy"] = MulticlassAccuracy(
        average="micro", top_k=min(5, num_people), **settings
    )
    metrics["macro_f1"] = MulticlassF1Score(average="macro", **settings)
    return MetricCollection(metrics, compute_groups=False)
