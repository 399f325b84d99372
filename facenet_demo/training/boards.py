"""When things are written down while a network trains; what they are is decided elsewhere.

`History` keeps the curves, `FeatureBoard` draws kernels and activation maps every few epochs,
`ResultBoard` draws who was mistaken for whom after the test.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.records import Batch
from facenet_demo.data.windows import to_pixels
from facenet_demo.features.trace import Trace, evaluating, unreadable
from facenet_demo.networks import FaceNetwork
from facenet_demo.pictures import plots
from facenet_demo.system.texts import printable
from facenet_demo.training.objectives.naming import ClassificationTask
from facenet_demo.training.task import FaceTask

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
        sheet = plots.kernel_sheet(network.first_kernels.numpy())
        _add_image(writer, "kernels", sheet, epoch)
        windows = self._windows.to(task.device)
        unread = unreadable(network, network.layers, windows[:1])
        layers = [layer for layer in network.layers if layer not in unread]
        with evaluating(network), Trace(network, layers) as trace:
            network(windows)
        faces = to_pixels(self._windows)
        for layer in layers:
            maps = trace[layer][:, :_NUM_MAPS].float().cpu().numpy()
            if maps.ndim == 4:
                sheet = plots.activation_sheet(faces, maps)
                _add_image(writer, f"maps/{layer}", sheet, epoch)
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
        scores = outputs["logits"].float().softmax(1), outputs["embedding"].float()
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
        data, people = _data(trainer), cast(ClassificationTask, pl_module).people
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
            _add_png(writer, f"test/{path.stem}", path.read_bytes(), 0)
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
        matrix = plots.to_array(plots.confusion_matrix(counts, people))
        _add_image(writer, "test/confusion_matrix", matrix, 0)
        wrong = torch.nonzero(named != labels).flatten()
        wrong = wrong[sure[wrong].argsort(descending=True)][:24]
        figure = plots.wrong_faces(
            to_pixels(data.windows(rows[wrong].numpy())),
            [people[i] for i in named[wrong]],
            [people[i] for i in labels[wrong]],
            sure[wrong].tolist(),
            num_photos=len(labels),
        )
        _add_image(writer, "test/wrongly_named", plots.to_array(figure), 0)

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


def purge_step(resumed_after: int | None) -> int | None:
    """The first step whose entries TensorBoard must forget when a run goes on.

    Steps are epochs, 1 after the first; 0 is before training.
    """
    return None if resumed_after is None else resumed_after + 1


def tensorboard_logger(trainer: pl.Trainer) -> TensorBoardLogger | None:
    """TensorBoard's logger; None where other loggers were named, and in a trial run."""
    return next((log for log in trainer.loggers if isinstance(log, TensorBoardLogger)), None)


def tensorboard_writer(trainer: pl.Trainer) -> SummaryWriter | None:
    """TensorBoard's writer; None without its logger, and in a process that does not write."""
    logger = tensorboard_logger(trainer)
    return None if logger is None or not trainer.is_global_zero else logger.experiment


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


def _add_image(writer: SummaryWriter, tag: str, picture: np.ndarray, step: int) -> None:
    # The writer's own add_image squeezes harder, which takes three times as long.
    png = io.BytesIO()
    Image.fromarray(picture).save(png, "PNG", compress_level=1)
    _add_png(writer, tag, png.getvalue(), step)


def _add_png(writer: SummaryWriter, tag: str, png: bytes, step: int) -> None:
    with Image.open(io.BytesIO(png)) as picture:
        (width, height), channels = picture.size, len(picture.getbands())
    image = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png)
    summary = Summary(value=[Summary.Value(tag=tag, image=image)])
    writer._get_file_writer().add_summary(summary, step)
