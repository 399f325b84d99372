"""The command line of training; the only place where data, task and callbacks meet.

python scripts/train.py --config configs/orl.yaml --model.network.dropout 0.5
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, TypeVar, cast

# Lightning still calls a name that jsonargparse renamed; a user can do nothing about it.
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

import lightning.pytorch as pl
from jsonargparse import ArgumentError, DefaultHelpFormatter
from lightning.pytorch.cli import (
    ArgsType,
    LightningArgumentParser,
    LightningCLI,
)

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import write_for_programs
from facenet_demo.system.files import remove_leftovers
from facenet_demo.training import trust
from facenet_demo.training.arguments import CONFIGS, in_order, take, target
from facenet_demo.training.interruption import Done, done
from facenet_demo.training.loggers import LoggerParser, loggers
from facenet_demo.training.objectives.naming import ClassificationTask
from facenet_demo.training.objectives.numbers import RegressionTask
from facenet_demo.training.refusals import check_settings, check_with_data, in_words
from facenet_demo.training.resuming import (
    SaveConfig,
    changed,
    check,
    check_step,
    earlier_notes,
    notes,
)
from facenet_demo.training.run_folder import is_first_process, new_run_folder, outlive_events
from facenet_demo.training.settings import comparable, flat, keep_places, plain, with_own_defaults

AnyCLI = TypeVar("AnyCLI", bound="FaceCLI")

DESCRIPTION = f"""
Train a network to tell people apart, test it on photos it never saw, and write a run folder.

  python scripts/train.py                                    the ORL faces, no download
  python scripts/train.py --config configs/lfw.yaml          Labeled Faces in the Wild
  python scripts/train.py --config configs/folder.yaml --data.source.root my_people/
  python scripts/train.py --config configs/orl_landmarks.yaml  where eyes, nose and mouth are
  python scripts/train.py --resume runs/orl-20260131-142501  go on with an interrupted run

Any setting below is set by flag, or in a YAML file given with --config; the flag wins:
  --model.network.dropout 0.5 --trainer.max_epochs 20        more dropout, fewer epochs
  --model.network Torchvision --model.network.name resnet18  another network
  --model.network.help FaceCNN                               the settings of a network
  --data.source.help Folder                                  the settings of a data set
  --trainer.logger CSVLogger                                 curves to a file, not TensorBoard
  --print_config                                             all settings, as YAML, and stop
  --import mynet                                             let files name what is in mynet.py
Without --config, {CONFIGS.name}/orl.yaml is taken.
"""


# What a task needs to know of the data beside its pixels.
_FACTS: dict[type[pl.LightningModule], tuple[str, ...]] = {
    ClassificationTask: ("people",),
    RegressionTask: ("target_names", "target_statistics"),
}


@dataclass(frozen=True)
class RunSettings:
    """The run: where it goes, when it ends, what is drawn.

    Args:
        folder: Where run folders go.
        name: First part of the run folder's name.
        patience: Training stops after so many epochs without a better validation loss; 0: never.
        false_accept_rate: Chance at which a stranger may get a name; it sets the threshold of
            "unknown".
        draw_every: Epochs between two pictures of kernels and activation maps in TensorBoard; 0
            switches all TensorBoard pictures off.
        measure_every: Epochs between two measurements of parts and people in each layer, drawn as
            curves in TensorBoard, with the progression after the test; 0, as it is, measures
            nothing. Each takes as long as a few epochs of ORL.
        contact_sheet: Write people.html into the run folder before training: the face that was
            taken of each photo, those of photos with several faces marked.
    """

    folder: Path = Path("runs")
    name: str = "run"
    patience: int = 30
    false_accept_rate: float = 0.01
    draw_every: int = 10
    measure_every: int = 0
    contact_sheet: bool = False

    def __post_init__(self) -> None:
        for name in ("patience", "draw_every", "measure_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}.")
        if not 0 <= self.false_accept_rate < 1:
            raise ValueError(
                f"false_accept_rate must be at least 0 and below 1, not {self.false_accept_rate}."
            )
        parts = PurePath("runs", self.name).parts
        if parts != ("runs", self.name) or parts[-1] == ".." or not self.name.isprintable():
            raise ValueError(
                f"name must be the name of a folder, without any /, not {self.name!r}."
            )


# While it reads a config, jsonargparse changes the folder that the process works in.
_PARSING = threading.Lock()


class _Help(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description as they are."""


class FaceCLI(LightningCLI):
    """Parses settings, links what follows from the data, and builds the Trainer.

    Args:
        typed: what a person typed; the rest of the settings is a file's.
    """

    def __init__(self, *args: Any, typed: Sequence[str], **kwargs: Any) -> None:
        self._typed = typed
        self.done: Done | None = None  # of a run that goes on
        super().__init__(*args, **kwargs)

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        # In the order in which --help and config.yaml list them: what is most often set first.
        parser.add_class_arguments(RunSettings, "run")
        parser.add_lightning_class_args(FaceDataModule, "data")
        parser.add_lightning_class_args(self._model_class, "model")
        parser.add_lightning_class_args(self.trainer_class, "trainer")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for fact in ("window", "face_scale"):
            parser.link_arguments(f"data.{fact}", f"model.{fact}")
        for fact in (*_FACTS[cast(type, self._model_class)], "pixel_statistics"):
            parser.link_arguments(f"data.{fact}", f"model.{fact}", apply_on="instantiate")
        # Lightning would take every GPU it finds, and with each of them the batch would grow.
        parser.set_defaults({"trainer.devices": 1})

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        sorted_args, self.resumed = in_order(cast(list[str], args))
        if any(arg.startswith("--print_config") for arg in sorted_args):
            write_for_programs()
        if self.resumed is not None:  # the settings of a model depend on it, and would not be read
            config = self.resumed / "config.yaml"
            targets = (target(each) for each in (["--config", str(config)], sorted_args))
            changes = changed(*({"data.target": each} for each in targets))
            check(changes, self.resumed, Done(0, 0, None))
        with _PARSING:
            self.config = parser.parse_args(self._own_defaults(sorted_args))
        trust.check(self.config, self._typed, self.resumed is not None)
        keep_places(self.config)
        seed = self.config["seed_everything"]
        if seed is not True and seed < 0:
            raise UserError(f"seed_everything must be 0 or more, not {seed}.")
        check_settings(self.config["trainer"])

    def before_instantiate_classes(self) -> None:
        if self.resumed is None:
            return
        config, last = self.resumed / "config.yaml", self.resumed / "checkpoints" / "last.ckpt"
        with _PARSING:
            before = self.parser.parse_args(self._own_defaults(["--config", str(config)]))
        keep_places(before)
        changes = changed(*(flat(plain(self.parser, each)) for each in (before, self.config)))
        self.done = done(last) if last.exists() else None
        check(changes, self.resumed, self.done)
        self.batch_size_before = before["data"]["batch_size"]
        self.save_config_kwargs["notes"] = [*earlier_notes(config), *notes(changes, self.done)]

    def after_instantiate_classes(self) -> None:
        if self.resumed is None:
            return
        if self.done is not None:
            num_devices = self.trainer.world_size
            per_step = self.done.photos_per_step or self.batch_size_before * num_devices
            check_step(per_step, self.datamodule.batch_size, num_devices)
        if is_first_process():
            outlive_events(self.resumed)
            for name in ("best.ckpt", "last.ckpt"):
                remove_leftovers(self.last.with_name(name))

    def instantiate_classes(self) -> None:
        # Loggers are made later, when the run has a folder for their files.
        trainer = self.config["trainer"]
        self.named_loggers, trainer["logger"] = trainer["logger"], None
        try:
            super().instantiate_classes()
        except ValueError as error:  # a setting that its class refused
            raise UserError(str(error)) from error
        finally:
            trainer["logger"] = self.named_loggers

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        run = self.run_settings = RunSettings(**vars(self.config_init["run"]))
        has_validation = len(self.datamodule.split.rows["val"]) > 0
        limit = self.config_init["trainer"]["limit_val_batches"]
        names_people = self._model_class is ClassificationTask
        if limit and not has_validation:
            raise UserError(
                f"--trainer.limit_val_batches {limit} has no effect: there are no validation "
                "photos. Set --data.split.val."
            )
        if run.measure_every and (self.named_loggers is False or not names_people):
            raise UserError(
                "--run.measure_every has no effect here: it draws parts and people, in "
                "TensorBoard, where --data.target is person."
            )
        folder = self.resumed or new_run_folder(run.folder, run.name)
        try:
            with in_words():
                return self._make_trainer(folder, has_validation and limit != 0, kwargs)
        except BaseException:
            if not self.resumed:
                with suppress(OSError):
                    folder.rmdir()  # if nothing is in it
            raise

    def _make_trainer(self, folder: Path, validates: bool, more: dict[str, Any]) -> pl.Trainer:
        # Here rather than above: they bring TensorBoard, which --help does not need.
        from facenet_demo.training.tensorboard import purge_step
        from facenet_demo.training.watchers import (
            make_watchers,
            place_profile,
            with_whole_checkpoints,
        )

        run, settings = self.run_settings, self.config_init["trainer"]
        self.last = folder / "checkpoints" / "last.ckpt"
        resumed_after = None if self.done is None else self.done.epochs
        named = settings["callbacks"] or []
        watchers = make_watchers(
            folder,
            self._flat_settings(),
            named=named if isinstance(named, list) else [named],
            validates=validates,
            names_people=self._model_class is ClassificationTask,
            resumed_after=resumed_after,
            progress_bar=settings["enable_progress_bar"] is not False,
            patience=run.patience,
            draw_every=run.draw_every,
            measure_every=run.measure_every,
        )
        self.history, self.best = watchers.history, watchers.best
        self.result_board = watchers.result_board
        self.trainer_defaults["callbacks"] = watchers.callbacks
        own = {
            "default_root_dir": folder,
            "logger": loggers(self.named_loggers, folder, purge_step(resumed_after)),
            "plugins": with_whole_checkpoints(settings["plugins"]),
            "enable_model_summary": settings["enable_model_summary"] or False,
            "use_distributed_sampler": False,  # EpochBatches shares among devices, without repeats
        }
        trainer = super().instantiate_trainer(**own, **more)
        if not validates:
            cast(Any, trainer).limit_val_batches = 0
        place_profile(trainer, folder)
        check_with_data(trainer, self.model, self.datamodule)
        return trainer

    def _own_defaults(self, args: list[str]) -> list[str]:
        owners = {"model": cast(type, self._model_class), "data": FaceDataModule}
        return with_own_defaults(args, owners)

    def _flat_settings(self) -> dict[str, Any]:
        """What the HParams tab compares: the settings of model and data by their dotted names."""
        return comparable(plain(self.parser, self.config))


class ParsedCLI(FaceCLI):
    """Parses settings and makes nothing of them."""

    def instantiate_classes(self) -> None:
        pass

    def after_instantiate_classes(self) -> None:
        pass

    def as_yaml(self) -> str:
        """All settings as a config file."""
        return self.parser.dump(self.config, skip_none=False)


def build(args: Sequence[str], typed: Sequence[str] | None = None) -> FaceCLI:
    """Everything a training needs, from a command line; otherwise as `parse`.

    Raises:
        UserError: for settings or data that cannot be used.
    """
    return _cli(FaceCLI, args, typed)


def parse(args: Sequence[str], typed: Sequence[str] | None = None) -> ParsedCLI:
    """The settings of a command line, checked, without touching data.

    Args:
        args: without the program's name.
        typed: those that a person typed, if others come from a file; see `trust`.

    Raises:
        UserError: for a setting that does not exist or has no such value.
    """
    return _cli(ParsedCLI, args, typed)


def _cli(cli: type[AnyCLI], args: Sequence[str], typed: Sequence[str] | None = None) -> AnyCLI:
    typed = args if typed is None else typed
    args, _ = take(args, "--import")
    trust.allow([module for _, module in take(typed, "--import")[1]])
    trust.restrict(typed)
    try:
        return cli(
            ClassificationTask if target(args) == "person" else RegressionTask,
            FaceDataModule,
            run=False,
            args=args,
            typed=typed,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            parser_kwargs={
                "description": DESCRIPTION,
                "usage": "%(prog)s [--config FILE] [--SETTING VALUE ...]",
                "formatter_class": _Help,
                # The parser would print the values of a file as they are, escape sequences too.
                "exit_on_error": False,
            },
            parser_class=LoggerParser,
            save_config_callback=SaveConfig,
            save_config_kwargs={"save_to_log_dir": False},
            load_from_checkpoint_support=False,  # `checkpoints` has its own, of plain values
        )
    except ArgumentError as error:
        raise _sentence(error) from error


def configured_data(config: Path, modules: Sequence[str] = ()) -> FaceDataModule:
    """The data module that a training config, or the config.yaml of a run, describes.

    Args:
        config: the file.
        modules: dotted names; what is in them may be named by the file.

    Raises:
        UserError: if it cannot be read or describes none.
    """
    trust.allow(modules)
    trust.restrict([])
    settings = trust.read_yaml(config)
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_lightning_class_args(FaceDataModule, "data")
    try:
        parsed = parser.parse_object({"data": settings["data"]})
        trust.check(parsed, [])
        keep_places(parsed)
        return parser.instantiate_classes(parsed)["data"]
    except (KeyError, TypeError, ValueError, RecursionError, ArgumentError) as error:
        if trust.denied(error):
            raise _sentence(error) from error
        raise UserError(f"{config} is no config of a training: {error}") from error


def _sentence(error: Exception) -> UserError:
    """What is said of settings that the parser refused."""
    denied = trust.denied(error)
    return trust.refusal(denied) if denied else UserError(f"{error}\nSee --help.")


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
        ".*callbacks used to create the checkpoint.*",  # --resume without patience
        ".* is (an )?experimental .*",  # Optuna's heartbeats; set here, for all threads
        "Encountered `nan`.*",  # a trial's reason says so
        ".*monitor='val/loss'.. could not find the monitored key.*",  # the last epoch is kept
    ):
        warnings.filterwarnings("ignore", message)
