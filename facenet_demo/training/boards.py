"""When things are written down while a network trains; what they are is decided elsewhere.

`FeatureBoard` draws kernels and activation maps every few epochs, `ResultBoard` draws who was
mistaken for whom after the test.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.tensorboard import SummaryWriter

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.records import Batch
from facenet_demo.data.windows import to_pixels
from facenet_demo.features.trace import Trace, evaluating, unreadable
from facenet_demo.networks import FaceNetwork
from facenet_demo.pictures import figures, sheets
from facenet_demo.system.texts import printable
from facenet_demo.training.task import FaceTask
from facenet_demo.training.tensorboard import (
    add_image,
    add_png,
    tensorboard_logger,
    tensorboard_writer,
)

_NUM_MAPS = 8  # of each layer, its first units
WHAT_IS_WHERE = """
# What is where

- **Time Series**, **Scalars**: `loss` and `accuracy`, training and validation in one chart each;
  `learning_rate`.
- **Images**: `kernels`, the first layer's kernels. `maps/...`, what the first units of a layer make
  of the same few validation faces: move the slider under the picture to see features emerge.
  `test/...`, who was mistaken for whom, how often the network is right by how sure it is, and how
  sure it is of strangers.
- **Graphs**: the network.
- **Distributions**, **Histograms**: the weights of each layer over time.
- **Projector**: the test photos as points. Near points look like one person to the network. Colour
  by label and try t-SNE.
- **PR Curves**: precision and recall of everybody, and of each person against all others.
- **HParams**: the settings of each run beside its scores; tick a few runs.

Maps run from black (the lowest value of that unit over the faces shown) to yellow (its highest).
Mid-grey in a kernel is a weight of 0.
"""


class FeatureBoard(Callback):
    """Draws the first layer's kernels, activation maps and weight histograms for TensorBoard.

    Args:
        every_n_epochs: how often.
        num_faces: how many validation faces are shown, each of another person.
    """

    def __init__(self, every_n_epochs: int = 10, num_faces: int = 3) -> None:
        self.every_n_epochs = every_n_epochs
        self.num_faces = num_faces
        self._windows = torch.empty(0)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = tensorboard_writer(trainer)
        if writer is None:
            return
        data = _data(trainer)
        rows = data.split.rows["val"] if len(data.split.rows["val"]) else data.split.rows["train"]
        _, first = np.unique(data.split.labels[rows], return_index=True)
        self._windows = data.windows(rows[first[: self.num_faces]])
        if trainer.ckpt_path is not None:  # an interrupted run goes on; it has all this already
            return
        writer.add_text("what is where", WHAT_IS_WHERE)
        _add_graph(writer, _task(pl_module).network, self._windows[:1].to(pl_module.device))
        self._draw(writer, _task(pl_module), epoch=0)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        writer = tensorboard_writer(trainer)
        if writer is not None and epoch % self.every_n_epochs == 0:
            self._draw(writer, _task(pl_module), epoch)

    def _draw(self, writer: SummaryWriter, task: FaceTask, epoch: int) -> None:
        network = task.network
        sheet = sheets.kernel_sheet(network.first_kernels.numpy())
        add_image(writer, "kernels", sheet, epoch)
        windows = self._windows.to(task.device)
        unread = unreadable(network, network.layers, windows[:1])
        layers = [layer for layer in network.layers if layer not in unread]
        with evaluating(network), Trace(network, layers) as trace:
            network(windows)
        faces = to_pixels(self._windows)
        for layer in layers:
            maps = trace[layer][:, :_NUM_MAPS].float().cpu().numpy()
            if maps.ndim == 4:
                sheet = sheets.activation_sheet(faces, maps)
                add_image(writer, f"maps/{layer}", sheet, epoch)
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                writer.add_histogram(name, weight.detach().float().cpu(), epoch)


class ResultBoard(Callback):
    """Draws the test for TensorBoard: mistakes, embedding projector, PR curves, hyperparameters.

    Args:
        settings: the run's settings, flat, for the HParams tab.
        max_points: photos in the projector.
        max_people: people with a PR curve of their own.
    """

    def __init__(
        self, settings: Mapping[str, Any], max_points: int = 1000, max_people: int = 20
    ) -> None:
        self.settings = dict(settings)
        self.max_points = max_points
        self.max_people = max_people
        self._results: list[tuple[torch.Tensor, ...]] = []
        self._trained = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._trained = True

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._results = []

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        scores = outputs["outputs"].float().softmax(1), outputs["embedding"].float()
        self._results.append(tuple(v.cpu() for v in (*scores, batch.labels, batch.rows)))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._results:
            return
        # Of all devices, which took equally many steps, less what only filled up a batch.
        results = [
            cast(torch.Tensor, pl_module.all_gather(torch.cat(values).to(pl_module.device)))
            for values in zip(*self._results, strict=True)
        ]
        if trainer.world_size > 1:
            results = [values.transpose(0, 1).flatten(0, 1) for values in results]
        real = results[2] >= 0
        probability, embedding, labels, rows = (values[real].cpu() for values in results)
        writer = self._writer(trainer)
        if writer is None:
            return
        data, people = _data(trainer), list(_task(pl_module).facts.outputs)
        self._mistakes(writer, data, people, probability, labels, rows)
        self._projector(writer, data, people, embedding, labels, rows)
        self._pr_curves(writer, people, probability, labels)
        scores = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("test/")
        }
        logger = tensorboard_logger(trainer)
        if logger is not None and trainer.enable_autolog_hparams:
            logger.log_hyperparams(self.settings, scores)

    def show(self, trainer: pl.Trainer, pictures: Sequence[Path]) -> None:
        """Show what was found after the test, as `test/NAME` for each picture NAME.png."""
        writer = self._writer(trainer)
        if writer is None:
            return
        for path in pictures:
            add_png(writer, f"test/{path.stem}", path.read_bytes(), 0)
        writer.close()  # Lightning has closed it before, and the first picture opened it again

    def _writer(self, trainer: pl.Trainer) -> SummaryWriter | None:
        """TensorBoard's writer; None also where a finished run was resumed, which has all pages."""
        writer = tensorboard_writer(trainer)
        if writer is not None and not self._trained and _has_scores(trainer):
            return None
        return writer

    def _mistakes(
        self,
        writer: SummaryWriter,
        data: FaceDataModule,
        people: list[str],
        probability: torch.Tensor,
        labels: torch.Tensor,
        rows: torch.Tensor,
    ) -> None:
        sure, named = probability.max(1)
        counts = np.zeros((len(people), len(people)), int)
        np.add.at(counts, (labels.numpy(), named.numpy()), 1)
        matrix = figures.to_array(figures.confusion_matrix(counts, people))
        add_image(writer, "test/confusion_matrix", matrix, 0)
        wrong = torch.nonzero(named != labels).flatten()
        wrong = wrong[sure[wrong].argsort(descending=True)][:24]
        figure = figures.wrong_faces(
            to_pixels(data.windows(rows[wrong].numpy())),
            [people[i] for i in named[wrong]],
            [people[i] for i in labels[wrong]],
            sure[wrong].tolist(),
            num_photos=len(labels),
        )
        add_image(writer, "test/wrongly_named", figures.to_array(figure), 0)

    def _projector(
        self,
        writer: SummaryWriter,
        data: FaceDataModule,
        people: list[str],
        embedding: torch.Tensor,
        labels: torch.Tensor,
        rows: torch.Tensor,
    ) -> None:
        step = -(-len(labels) // self.max_points)
        # TensorBoard's sprite sheet has at most 8192 pixels a side: 48 for 1000 thumbnails is safe.
        thumbnails = torch.nn.functional.interpolate(
            data.windows(rows[::step].numpy()), size=48, mode="area"
        )
        # A row for each point: a name that holds a line break must not make two.
        names = [printable(people[label]) for label in labels[::step]]
        writer.add_embedding(embedding[::step], names, thumbnails, tag="test")

    def _pr_curves(
        self,
        writer: SummaryWriter,
        people: list[str],
        probability: torch.Tensor,
        labels: torch.Tensor,
    ) -> None:
        truth = torch.nn.functional.one_hot(labels, len(people))
        writer.add_pr_curve("everybody", truth.flatten(), probability.flatten())
        for i, person in enumerate(people[: self.max_people]):
            writer.add_pr_curve(f"person/{person}", truth[:, i], probability[:, i])


def _has_scores(trainer: pl.Trainer) -> bool:
    return (Path(trainer.default_root_dir) / "metrics.json").exists()


def _task(pl_module: pl.LightningModule) -> FaceTask:
    assert isinstance(pl_module, FaceTask)
    return pl_module


def _data(trainer: pl.Trainer) -> FaceDataModule:
    return cast(Any, trainer).datamodule


def _add_graph(writer: SummaryWriter, network: FaceNetwork, windows: torch.Tensor) -> None:
    with warnings.catch_warnings(), evaluating(network):
        # TensorBoard's writer needs torch.jit.trace, which torch has deprecated. It would trace
        # the network twice to compare, and says that it need not trace what is traced.
        for kind in (FutureWarning, DeprecationWarning, torch.jit.TracerWarning):
            warnings.simplefilter("ignore", kind)
        warnings.filterwarnings("ignore", ".*already a ScriptModule", UserWarning)
        writer.add_graph(torch.jit.trace(network, windows, check_trace=False), windows)
