"""The command line of training; the only place where data, task and callbacks meet.

    python scripts/train.py --config configs/orl.yaml --model.network.dropout 0.5

What a person reads before and after training is in `summary`.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

# Lightning still calls a name that jsonargparse renamed; a user can do nothing about it.
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

import lightning.pytorch as pl
from jsonargparse import DefaultHelpFormatter
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    ModelCheckpoint,
    RichProgressBar,
)
from lightning.pytorch.cli import (
    ArgsType,
    LightningArgumentParser,
    LightningCLI,
    SaveConfigCallback,
)
from lightning.pytorch.loggers import TensorBoardLogger
from rich.markup import escape

from facenet_demo import summary
from facenet_demo.checkpoints import add_calibration
from facenet_demo.datamodule import FaceDataModule
from facenet_demo.evaluation import Judged, judge
from facenet_demo.interruption import Interrupted, StopOnSignal, WholeCheckpoints, epochs_done
from facenet_demo.progress import console
from facenet_demo.records import UserError
from facenet_demo.runs import environment, new_run_folder
from facenet_demo.storage import new_file, remove_leftovers, write_json
from facenet_demo.tasks.classification import ClassificationTask

CONFIGS = Path(__file__).parents[1] / "configs"

DESCRIPTION = f"""
Train a network to tell people apart, test it on photos it never saw, and write a run folder.

  python scripts/train.py                                    the ORL faces, no download
  python scripts/train.py --config configs/lfw.yaml          Labeled Faces in the Wild
  python scripts/train.py --config configs/folder.yaml --data.source.root my_people/
  python scripts/train.py --resume runs/orl-20260131-142501  go on with an interrupted run

Any setting below is set by flag, or in a YAML file given with --config; the flag wins:
  --model.network.dropout 0.5 --trainer.max_epochs 20        more dropout, fewer epochs
  --model.network Torchvision --model.network.name resnet18  another network
  --model.network.help FaceCNN                               the settings of a network
  --data.source.help Folder                                  the settings of a data set
  --print_config                                             all settings, as YAML, and stop
Without --config, {CONFIGS.name}/orl.yaml is taken.
"""


@dataclass(frozen=True)
class RunSettings:
    """The run: where it goes, when it ends, what is drawn.

    Args:
        folder: Where run folders go.
        name: First part of the run folder's name.
        patience: Training stops after so many epochs without a better validation loss; 0: never.
        false_accept_rate: Share of strangers that may get a name; sets the threshold of "unknown".
        draw_every: Epochs between two pictures of kernels and activation maps in TensorBoard; 0
            switches all TensorBoard pictures off.
    """

    folder: Path = Path("runs")
    name: str = "run"
    patience: int = 30
    false_accept_rate: float = 0.01
    draw_every: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.false_accept_rate < 1:
            raise ValueError(
                f"false_accept_rate must be at least 0 and below 1, not {self.false_accept_rate}."
            )


class _Help(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description as they are."""


class _SaveConfig(SaveConfigCallback):
    """Writes config.yaml whole, and anew when a run goes on with other settings."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        with new_file(Path(trainer.default_root_dir) / "config.yaml") as temporary:
            temporary.write_text(self.parser.dump(self.config, skip_none=False), "utf-8")


class FaceCLI(LightningCLI):
    """Parses settings, links what follows from the data, and builds the Trainer."""

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        # In the order in which --help and config.yaml list them: what is most often set first.
        parser.add_class_arguments(RunSettings, "run")
        parser.add_lightning_class_args(FaceDataModule, "data")
        parser.add_lightning_class_args(ClassificationTask, "model")
        parser.add_lightning_class_args(self.trainer_class, "trainer")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("data.window", "model.window")
        for fact in ("people", "pixel_statistics"):
            parser.link_arguments(f"data.{fact}", f"model.{fact}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        sorted_args, self.resumed = _sort(cast(list[str], args))
        self.config = parser.parse_args(sorted_args)

    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
        except ValueError as error:  # a setting that its class refused
            raise UserError(str(error)) from error

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        # Here rather than above: they bring TensorBoard, which --help does not need.
        from facenet_demo.callbacks import FeatureBoard, History, ResultBoard, purge_step

        run = self.run_settings = RunSettings(**vars(self.config_init["run"]))
        folder = self.resumed or new_run_folder(run.folder, run.name)
        self.last = folder / "checkpoints" / "last.ckpt"
        resumed_after = epochs_done(self.last) if self.last.exists() else None
        for name in ("best.ckpt", "last.ckpt") if self.resumed else ():
            remove_leftovers(self.last.with_name(name))
        has_validation = len(self.datamodule.split.rows["val"]) > 0
        self.history = History(resumed_after)
        # Not one with save_last: that saves the last epoch only if it is also the best one.
        self.best, last = (
            ModelCheckpoint(
                folder / "checkpoints",
                filename=name,
                monitor=monitor,
                mode=mode,
                enable_version_counter=False,
            )
            for name, monitor, mode in (
                ("best", "val/loss" if has_validation else None, "min"),
                ("last", "epoch", "max"),
            )
        )
        self.early_stopping = None
        callbacks: list[Callback] = [self.history, self.best, last, StopOnSignal(self.last)]
        if self.config_init["trainer"]["enable_progress_bar"] is not False:
            callbacks.append(RichProgressBar())
        if run.patience and has_validation:
            self.early_stopping = EarlyStopping("val/loss", patience=run.patience)
            callbacks.append(self.early_stopping)
        if run.draw_every:
            callbacks += [FeatureBoard(run.draw_every), ResultBoard(self._flat_settings())]
        self.trainer_defaults["callbacks"] = callbacks
        logger = TensorBoardLogger(
            folder, name="", version="", purge_step=purge_step(resumed_after)
        )
        kwargs["plugins"] = [*(self.config_init["trainer"]["plugins"] or []), WholeCheckpoints()]
        if not has_validation:
            kwargs["limit_val_batches"] = 0
        return super().instantiate_trainer(
            default_root_dir=folder,
            logger=logger,
            enable_model_summary=False,
            use_distributed_sampler=False,  # EpochBatches shares among devices, without repeats
            **kwargs,
        )

    def _flat_settings(self) -> dict[str, Any]:
        """What the HParams tab compares: the settings of model and data by their dotted names."""
        settings = json.loads(self.parser.dump(self.config, format="json"))
        flat: dict[str, Any] = {}

        def flatten(prefix: str, value: Any) -> None:
            if isinstance(value, dict):
                for key, inner in value.items():
                    # class_path and init_args say how a setting is written, not what it is
                    name = "" if key == "init_args" else "" if key == "class_path" else f".{key}"
                    flatten(prefix + name, inner)
            else:
                flat[prefix] = value if isinstance(value, bool | int | float | str) else str(value)

        for part in ("model", "data"):
            flatten(part, settings[part])
        return {
            **flat,
            "max_epochs": settings["trainer"]["max_epochs"],
            "seed": settings["seed_everything"],
        }


def main(args: Sequence[str] | None = None) -> int:
    """Train with the settings of a command line; returns the exit code."""
    quieten_libraries()
    try:
        train(sys.argv[1:] if args is None else args)
    except UserError as error:
        console.print(f"[bold red]Error:[/] {escape(str(error))}")
        return 2
    except Interrupted as interrupted:
        return interrupted.exit_code
    except KeyboardInterrupt:
        console.print("[bold]Interrupted[/] before training began.")
        return 130
    return 0


@dataclass(frozen=True)
class TrainedRun:
    """What `train` leaves behind.

    Attributes:
        folder: the run folder.
        metrics: what `metrics.json` holds.
        task: with the weights that were kept.
        data: with its crops and split.
    """

    folder: Path
    metrics: dict[str, float | int | str]
    task: ClassificationTask
    data: FaceDataModule


def train(args: Sequence[str]) -> TrainedRun:
    """Train, test, and fill the run folder.

    Args:
        args: the command line, without the program's name.

    Raises:
        UserError: for settings or data that cannot be used.
    """
    cli = FaceCLI(
        ClassificationTask,
        FaceDataModule,
        run=False,
        args=list(args),
        seed_everything_default=0,
        auto_configure_optimizers=False,
        parser_kwargs={
            "description": DESCRIPTION,
            "usage": "%(prog)s [--config FILE] [--SETTING VALUE ...]",
            "formatter_class": _Help,
        },
        save_config_callback=_SaveConfig,
        save_config_kwargs={"save_to_log_dir": False},
        load_from_checkpoint_support=False,  # `checkpoints` has its own, of plain values
    )
    trainer, task, data = cli.trainer, cli.model, cli.datamodule
    folder = Path(trainer.default_root_dir)
    writes = trainer.is_global_zero and not cli.config_init["trainer"]["fast_dev_run"]
    if writes:
        write_json(folder / "environment.json", environment())
        write_json(folder / "splits.json", data.split.record(data.crops))
    if trainer.is_global_zero:
        console.print(summary.introduction(trainer, task, data))
    with _said_if_interrupted(folder):
        return _fit_and_test(cli, writes)


def _fit_and_test(cli: FaceCLI, writes: bool) -> TrainedRun:
    trainer, task, data = cli.trainer, cli.model, cli.datamodule
    folder = Path(trainer.default_root_dir)
    trainer.fit(task, data, ckpt_path=cli.last if cli.last.exists() else None, weights_only=True)
    # Before testing, which loads the best checkpoint and with it the history up to then.
    history = cli.history
    fitted = {
        "epochs": trainer.current_epoch,
        "stopped": _why_stopped(trainer, cli.early_stopping),
        "seconds": round(history.seconds, 2),
        "photos_per_second": round(history.photos_per_second, 1),
        "parameters": sum(p.numel() for p in task.network.parameters()),
    }
    if writes:
        _save_curves(folder / "curves.png", history.epochs)
    # In a trial run (fast_dev_run) nothing was saved: go on with the weights at hand.
    best = cli.best.best_model_path or None
    metrics: dict[str, float | int | str] = {}
    for name, evaluate in (("val", trainer.validate), ("test", trainer.test)):
        if len(data.split.rows[name]):
            evaluate(task, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
            metrics |= {key: float(value) for key, value in trainer.callback_metrics.items()}
    if trainer.is_global_zero:
        judged = judge(task.network, data, cli.run_settings.false_accept_rate)
        if judged is not None:
            metrics |= judged.metrics
            if writes and best is not None:
                add_calibration(Path(best), judged.calibration)
                _save_certainty(folder, judged)
    metrics |= fitted
    if writes:
        write_json(folder / "metrics.json", metrics)
    if trainer.is_global_zero:
        console.print(summary.result(metrics, folder))
    return TrainedRun(folder, metrics, task, data)


def _sort(args: Sequence[str]) -> tuple[list[str], Path | None]:
    """The same command line with its --config in front, so that any flag wins over any file.

    A run folder after --resume, returned beside it, stands for its config.
    """
    configs: list[str] = []
    flags: list[str] = []
    resumed = None
    rest = iter(args)
    for arg in rest:
        name, has_value, value = arg.partition("=")
        if name not in ("--config", "-c", "--resume"):
            flags.append(arg)
            continue
        value = value if has_value else next(rest, "")
        if name == "--resume":
            resumed = Path(value)
            value = str(resumed / "config.yaml")
            if not Path(value).is_file():
                raise UserError(
                    f"There is no run to go on with in {resumed}: it has no config.yaml. Name the "
                    "folder of a run, for example --resume runs/orl-20260131-142501."
                )
        configs += ["--config", value]
    return [*(configs or ["--config", str(CONFIGS / "orl.yaml")]), *flags], resumed


@contextmanager
def _said_if_interrupted(folder: Path) -> Iterator[None]:
    try:
        yield
    except (Interrupted, SystemExit) as error:
        # Outside the training steps Lightning turns Ctrl-C into SystemExit.
        console.print(
            "[bold]Interrupted.[/] What was done is saved. To go on: "
            f"python scripts/train.py --resume {escape(str(folder))}"
        )
        if isinstance(error, Interrupted):
            raise
        raise Interrupted(signal.SIGINT) from None


def _save_curves(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    from facenet_demo import plots

    losses = [epoch.get("val/loss", float("inf")) for epoch in epochs]
    best = losses.index(min(losses)) if any(map(math.isfinite, losses)) else None
    with new_file(path) as temporary:
        plots.curves(epochs, best).savefig(temporary)


def _save_certainty(folder: Path, judged: Judged) -> None:
    from facenet_demo import plots

    figures = {"reliability.png": plots.reliability(judged.certainty, judged.right)}
    if judged.calibration.threshold is not None and len(judged.outsider_certainty):
        figures["strangers.png"] = plots.known_and_strangers(
            judged.certainty, judged.outsider_certainty, judged.calibration.threshold
        )
    for name, figure in figures.items():
        with new_file(folder / name) as temporary:
            figure.savefig(temporary)


def _why_stopped(trainer: pl.Trainer, early_stopping: EarlyStopping | None) -> str:
    if early_stopping is not None and early_stopping.stopped_epoch:
        return f"no better validation loss for {early_stopping.patience} epochs"
    if trainer.current_epoch == trainer.max_epochs:
        return "all epochs done"
    return "time or steps are up"


def quieten_libraries() -> None:
    """Silence what says nothing to the user of this program."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",  # crops are read from a mapped file: workers cost more
        ".*is smaller than the logging interval.*",  # nothing is logged by step
        ".*LeafSpec.*",  # Lightning 2.6 on torch 2.15, harmless
        ".*have no `val_dataloader`.*",  # --data.split.val 0
        ".*Checkpoint directory .* exists.*",  # --resume
        ".*your dataloader is not resumable.*",  # it is: see EpochBatches
    ):
        warnings.filterwarnings("ignore", message)
