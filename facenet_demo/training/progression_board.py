"""Parts and people appear while a network trains: their scores, layer by layer, for TensorBoard.

`ProgressionBoard` measures on a small fixed sample every few epochs and draws the progression and
top patches at the end. It is off unless `--run.measure_every` is set: measuring takes seconds.
"""

from __future__ import annotations

from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.tensorboard import SummaryWriter

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.evidence import FACE_PARTS, JitteredViews, make_evidence
from facenet_demo.faces.parts import PARTS
from facenet_demo.features.dissection import dissect
from facenet_demo.features.patches import cut, top_patches
from facenet_demo.features.progression import (
    measure,
    part_score,
    top_units,
)
from facenet_demo.features.selectivity import pool, selectivity
from facenet_demo.features.trace import unreadable
from facenet_demo.networks.untrained import untrained_twin
from facenet_demo.pictures import figures, sheets
from facenet_demo.training.task import FaceTask
from facenet_demo.training.tensorboard import tensorboard_writer

_NUM_UNITS = 16  # of each layer, with their top patches
_NUM_WINDOWS = 300
_BATCH = 64


class ProgressionBoard(Callback):
    """Writes `parts/LAYER` and `people/LAYER` while training, and the progression after the test.

    Args:
        every_n_epochs: how often.
        num_views: jittered training and validation views that parts are measured on.
    """

    def __init__(self, every_n_epochs: int, num_views: int = 80) -> None:
        self.every_n_epochs = every_n_epochs
        self.num_views = num_views

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        writer = tensorboard_writer(trainer)
        if writer is not None and epoch % self.every_n_epochs == 0:
            data = cast(Any, trainer).datamodule
            self._write_scores(writer, cast(FaceTask, pl_module), data, epoch)

    def _write_scores(
        self, writer: SummaryWriter, task: FaceTask, data: FaceDataModule, epoch: int
    ) -> None:
        network, rows = task.network, data.split.rows
        layers = _layers(task, data)
        held = rows["val"] if len(rows["val"]) > 1 else rows["train"]
        chosen, held_out = (
            dissect(network, layers, views, len(PARTS))
            for views in (
                JitteredViews(data, rows["train"], self.num_views, 0, task.device),
                JitteredViews(data, held, self.num_views, 1, task.device),
            )
        )
        some = held[np.linspace(0, len(held) - 1, min(len(held), _NUM_WINDOWS)).round().astype(int)]
        windows = data.windows(some).to(task.device)
        pooled = pool(network, layers, windows.split(_BATCH))
        for layer in layers:
            units, parts = top_units(chosen[layer], FACE_PARTS)
            weights = np.ones(held_out[layer].num_blocks)
            score = part_score(held_out[layer], units, parts, weights).mean()
            writer.add_scalar(f"parts/{layer}", score, epoch)
            labels = data.split.labels[some]
            found = selectivity(pooled[layer], labels, len(data.people)).mean()
            writer.add_scalar(f"people/{layer}", found, epoch)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = tensorboard_writer(trainer)
        data: FaceDataModule = cast(Any, trainer).datamodule
        if writer is None or len(data.split.rows["test"]) < 2:
            return
        # Lightning tests in inference mode, whose tensors have no gradient.
        with torch.inference_mode(False):
            self._draw_progression(writer, cast(FaceTask, pl_module), data)

    def _draw_progression(
        self, writer: SummaryWriter, task: FaceTask, data: FaceDataModule
    ) -> None:
        network = task.network
        evidence = make_evidence(data, 2 * self.num_views, 0, task.device)
        twin = untrained_twin(network, task.network_settings, evidence.train_windows, seed=1)
        layers = _layers(task, data)
        trained, control = (measure(one, layers, evidence) for one in (network, twin))
        figure = figures.progression(
            layers,
            trained.field_sizes,
            {"trained": trained.curves, "untrained": control.curves},
            trained.part_lines,
        )
        writer.add_figure("test/progression", figure)
        numbers = np.arange(len(evidence.test_windows))
        batches = zip(evidence.test_windows.split(_BATCH), np.split(
            numbers, range(_BATCH, len(numbers), _BATCH)), strict=True)  # fmt: skip
        for layer, top in top_patches(network, layers, batches).items():
            field = trained.layers[layer].field
            faces = [
                sheets.patch_sheet(cut(evidence.test_windows, field, rows, places), side=40)
                for rows, places in list(zip(top.rows, top.places, strict=True))[:_NUM_UNITS]
            ]
            sheet = sheets.tile(np.stack(faces), columns=4, gap=8)
            writer.add_image(f"test/patches/{layer}", sheet, dataformats="HWC")


def _layers(task: FaceTask, data: FaceDataModule) -> list[str]:
    """The network's layers that have maps, or numbers of each unit."""
    window = data.windows(data.split.rows["train"][:1]).to(task.device)
    unread = unreadable(task.network, task.network.layers, window)
    return [layer for layer in task.network.layers if layer not in unread]
