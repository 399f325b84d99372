"""Edges, parts and people appear while a network trains: each measure, layer by layer, on a board.

`ProgressionBoard` measures on a small fixed sample every few epochs and draws the progression and
top patches at the end, for TensorBoard. It is off unless `run.measure_every` is set: a measurement
takes about as long as an epoch of ORL.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.tensorboard import SummaryWriter

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.evidence import make_evidence
from facenet_demo.features.measures import Edges, Measure, all_measures
from facenet_demo.features.observe import View
from facenet_demo.features.patches import Patches, TopPatches, cut
from facenet_demo.features.progression import measure
from facenet_demo.features.receptive_field import ReceptiveField
from facenet_demo.features.survey import Evidence, Reading, held_out_windows
from facenet_demo.features.trace import IMAGES_AT_ONCE, unreadable
from facenet_demo.networks.untrained import untrained_twin
from facenet_demo.pictures import figures, sheets
from facenet_demo.training.task import FaceTask
from facenet_demo.training.tensorboard import tensorboard_writer

_NUM_UNITS = 16  # of each layer, with their top patches
_NUM_WINDOWS = 128
# A curve over time can do with fewer units than a report, in an eighth of the time.
_BRIEF: dict[str, Measure[Any]] = {Edges.name: Edges(num_units=6, num_images=8)}
_PATCHES = Reading[TopPatches](held_out_windows, lambda evidence, seed: Patches())


class ProgressionBoard(Callback):
    """Writes MEASURE/LAYER for each measure while training, and the progression after the test.

    Args:
        every_n_epochs: how often.
        num_views: jittered training and validation views that parts are measured on.
    """

    def __init__(self, every_n_epochs: int, num_views: int = 64) -> None:
        self.every_n_epochs = every_n_epochs
        self.num_views = num_views
        # What does not change from one measurement to the next.
        self._evidence: Evidence | None = None
        self._layers: list[str] = []
        self._fields: dict[str, ReceptiveField] | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._evidence = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        writer = tensorboard_writer(trainer)
        if writer is not None and epoch % self.every_n_epochs == 0:
            data = cast(Any, trainer).datamodule
            self._write_scores(writer, cast(FaceTask, pl_module), data, epoch)

    def _write_scores(
        self, writer: SummaryWriter, task: FaceTask, data: FaceDataModule, epoch: int
    ) -> None:
        if self._evidence is None:
            val, train = data.split.rows["val"], data.split.rows["train"]
            held_out = val if len(val) > 1 else train
            made = make_evidence(data, self.num_views, 0, task.device, held_out, _NUM_WINDOWS)
            self._evidence = replace(
                made,
                train_views=_together(made.train_views),
                test_views=_together(made.test_views),
                num_blocks=1,
            )
            self._layers, self._fields = _layers(task, data), None
        measures = [_BRIEF.get(one.name, one) for one in all_measures()]
        found = measure(
            task.network, self._layers, self._evidence, measures=measures, num_replicates=0,
            fields=self._fields,
        )  # fmt: skip
        self._fields = {name: layer.field for name, layer in found.survey.layers.items()}
        for name, values in found.estimates.items():
            for layer, value in zip(found.layers, values, strict=True):
                writer.add_scalar(f"{name}/{layer}", value, epoch)

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
        trained = measure(network, layers, evidence, also=(_PATCHES,))
        control = measure(twin, layers, evidence)
        figure = figures.progression(
            trained.measures,
            layers,
            trained.field_sizes,
            {"trained": trained.curves, "untrained": control.curves},
            trained.lines,
        )
        writer.add_figure("test/progression", figure)
        for layer, read in trained.survey.layers.items():
            top = read[_PATCHES]
            faces = [
                sheets.patch_sheet(cut(evidence.test_windows, read.field, rows, places), side=40)
                for rows, places in list(zip(top.rows, top.places, strict=True))[:_NUM_UNITS]
            ]
            sheet = sheets.tile(np.stack(faces), columns=4, gap=8)
            writer.add_image(f"test/patches/{layer}", sheet, dataformats="HWC")


def _together(views: Iterable[View]) -> list[View]:
    """Views in as few batches as fit into memory: no bootstrap draws from them."""
    images, parts = (torch.cat(all_of_them) for all_of_them in zip(*views, strict=True))
    return list(map(View, images.split(IMAGES_AT_ONCE), parts.split(IMAGES_AT_ONCE)))


def _layers(task: FaceTask, data: FaceDataModule) -> list[str]:
    """The network's layers that have maps, or numbers of each unit."""
    window = data.windows(data.split.rows["train"][:1]).to(task.device)
    unread = unreadable(task.network, task.network.layers, window)
    return [layer for layer in task.network.layers if layer not in unread]
