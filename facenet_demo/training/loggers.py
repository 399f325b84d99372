"""Where a run's figures go: to TensorBoard, unless `--trainer.logger` names others.

    --trainer.logger CSVLogger                              instead of TensorBoard
    --trainer.logger '[TensorBoardLogger, CSVLogger]'       beside it
    --trainer.logger false                                  nowhere; metrics.json is written anyway

A logger of which `save_dir` is not set writes to the run folder.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import lightning.pytorch as pl
from jsonargparse import Namespace
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.loggers import Logger, TensorBoardLogger


class LoggerParser(LightningArgumentParser):
    """A parser in which a logger's `save_dir` may be left out: the run folder has no name yet."""

    def add_class_arguments(
        self, theclass: type, nested_key: str | None = None, **kwargs: Any
    ) -> list[str]:
        place = None
        if isinstance(theclass, type) and issubclass(theclass, Logger) and nested_key is None:
            place = inspect.signature(theclass).parameters.get("save_dir")
        if place is None or place.default is not inspect.Parameter.empty:
            return super().add_class_arguments(theclass, nested_key, **kwargs)
        kwargs["skip"] = {*(kwargs.get("skip") or ()), "save_dir"}
        added = super().add_class_arguments(theclass, nested_key, **kwargs)
        self.add_argument(
            "--save_dir", type=str | None, help="Where its files go (default: the run folder)."
        )
        return [*added, "save_dir"]


def loggers(named: Any, folder: Path, purge_step: int | None) -> list[Logger]:
    """The loggers of a run.

    Args:
        named: what `--trainer.logger` says, parsed but not made yet.
        folder: of the run.
        purge_step: see `callbacks.purge_step`.
    """
    if named is None or named is True:
        return [TensorBoardLogger(folder, name="", version="", purge_step=purge_step)]
    if named is False:
        return []
    placed = []
    for spec in named if isinstance(named, list) else [named]:
        spec = spec.clone()
        settings = spec.get("init_args") or Namespace()
        if "save_dir" in settings and settings["save_dir"] is None:
            settings["save_dir"] = str(folder)
            if issubclass(resolve_name(spec["class_path"]), TensorBoardLogger):
                _as_by_default(settings, purge_step)
        placed.append(spec)
    parser = LoggerParser(exit_on_error=False)
    parser.add_argument("--loggers", type=list[Logger])
    return parser.instantiate_classes(Namespace(loggers=placed))["loggers"]


def _as_by_default(settings: Namespace, purge_step: int | None) -> None:
    """Let a TensorBoard logger write where it does when none is named."""
    if (settings["name"], settings["version"]) == ("lightning_logs", None):
        settings.update(Namespace(name="", version="", purge_step=purge_step))


class EpochLog(Callback):
    """Tells loggers other than TensorBoard's the settings and the figures of epochs and test.

    Args:
        settings: the run's, flat.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.enable_autolog_hparams:
            for logger in _others(trainer):
                logger.log_hyperparams(self.settings)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self._log(trainer, trainer.current_epoch + 1, {"learning_rate": rate})

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._log(trainer, trainer.current_epoch, {})

    def _log(self, trainer: pl.Trainer, step: int, more: dict[str, float]) -> None:
        others = _others(trainer)
        if not others:
            return
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        for logger in others:
            logger.log_metrics({**figures, **more}, step=step)
            logger.save()


def _others(trainer: pl.Trainer) -> list[Logger]:
    return [log for log in trainer.loggers if not isinstance(log, TensorBoardLogger)]
