"""What a Trainer cannot do, said before it starts where that can be known.

    check_settings(config.trainer)           # as soon as the command line is read
    check_with_data(trainer, task, data)     # before the first epoch
    with in_words():                         # whatever Lightning itself refuses later
        trainer.fit(task, data)

A setting that would have no effect is refused too: who sets it expects something of it.
"""

from __future__ import annotations

import copy
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from facenet_demo.data.batches import EpochBatches
from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted
from facenet_demo.training.task import CAPTURED, FaceTask

_LEAST = {
    "accumulate_grad_batches": 1, "check_val_every_n_epoch": 1, "num_nodes": 1, "min_epochs": 0,
    "min_steps": 0, "log_every_n_steps": 0, "gradient_clip_val": 0, "num_sanity_val_steps": -1,
}  # fmt: skip
_NOT_ZERO = {
    "max_epochs": "nothing would be trained",
    "max_steps": "nothing would be trained",
    "limit_train_batches": "nothing would be trained",
    "val_check_interval": "to leave validation out, set `trainer.limit_val_batches` 0",
}
_NO_EFFECT = {
    "default_root_dir": "all files of a run go to its run folder: set `run.folder`",
    "limit_predict_batches": "a training predicts nothing",
    "model_registry": "checkpoints stay in the run folder",
}
# Parts of Lightning that do what a setting asks for, rather than call the task.
_ASKED_FOR = tuple(
    f"lightning.pytorch.{part}."
    for part in ("callbacks", "loggers", "plugins", "profilers", "strategies", "tuner")
)


def check_settings(settings: Any) -> None:
    """Look at the settings of a Trainer alone.

    Args:
        settings: by their names, as parsed.

    Raises:
        UserError: for one that does nothing, contradicts another, or would only fail later.
    """
    for name, least in _LEAST.items():
        if settings[name] is not None and settings[name] < least:
            raise UserError(f"`trainer.{name}` must be {least} or more, not {settings[name]}.")
    for name, why in _NOT_ZERO.items():
        if isinstance(settings[name], int | float) and settings[name] == 0:
            raise UserError(f"`trainer.{name}` must not be 0: {why}.")
    for name, why in _NO_EFFECT.items():
        if settings[name] is not None:
            raise UserError(f"`trainer.{name}` has no effect: {why}.")
    if settings["gradient_clip_algorithm"] is not None and not settings["gradient_clip_val"]:
        raise UserError(
            "`trainer.gradient_clip_algorithm` has no effect without `trainer.gradient_clip_val`."
        )
    if settings["log_every_n_steps"] is not None and not settings["callbacks"]:
        raise UserError(
            "`trainer.log_every_n_steps` has no effect: figures are logged once an epoch. Only "
            "callbacks that log steps, such as LearningRateMonitor, go by it."
        )
    for unit in ("epochs", "steps"):
        least, most = settings[f"min_{unit}"], settings[f"max_{unit}"]
        if least is not None and most is not None and least > most >= 0:
            raise UserError(
                f"`trainer.min_{unit}` {least} is more than `trainer.max_{unit}` {most}."
            )
    if settings["enable_checkpointing"] is False or settings["barebones"]:
        name = "barebones" if settings["barebones"] else "enable_checkpointing"
        raise UserError(
            f"`trainer.{name}` {str(settings[name]).lower()} would leave no checkpoint, and so "
            "nothing to test or to use. For a trial that writes nothing: `trainer.fast_dev_run` "
            "true."
        )


def check_with_data(trainer: pl.Trainer, task: FaceTask, data: FaceDataModule) -> None:
    """Look at what a Trainer was told beside the data it will meet.

    Raises:
        UserError: if a stage would have no batch, a step too few photos for the network, or none
            could be captured.
    """
    if task.torch_compile == CAPTURED:
        _check_capture(trainer)
    rows = {stage: len(data.split.rows[stage]) for stage in ("train", "val", "test")}
    rows["train"] += len(data.split.outsider_rows["train"])
    for stage, num_rows in rows.items():
        if not num_rows:
            continue
        shuffle = stage == "train"
        batches = EpochBatches(num_rows, data.batch_size, shuffle, num_devices=trainer.world_size)
        name = f"limit_{stage}_batches"
        limit = getattr(trainer, name)
        if cast(Any, trainer).overfit_batches and stage != "test":
            name = "overfit_batches"
        if isinstance(limit, float) and 0 < limit * len(batches) < 1:
            raise UserError(
                f"`trainer.{name}` {limit} of {len(batches)} batches ({stage}) is less than one "
                f"batch. Give a number of batches, such as 1, or a smaller `data.batch_size`."
            )
        if shuffle:
            _check_interval(trainer, min(len(batches), limit) if limit > 1 else len(batches))
            if batches.batch_size == 1:
                _try_one_photo(task)


def _check_capture(trainer: pl.Trainer) -> None:
    device = trainer.strategy.root_device
    scheduled = any(
        isinstance(c, GradientAccumulationScheduler) for c in cast(Any, trainer).callbacks
    )
    if trainer.accumulate_grad_batches > 1 or scheduled:
        raise UserError(
            f"`torch_compile` {CAPTURED} cannot accumulate gradients: each captured step puts its "
            "own where those of the one before lie. Leave `trainer.accumulate_grad_batches` 1, or "
            "set `torch_compile` true."
        )
    if device.type != "cuda":
        raise UserError(
            f"`torch_compile` {CAPTURED} has no effect on a {device.type.upper()}: it captures "
            "what a GPU is told to do. Set it true or false, or train on a GPU: "
            "`trainer.accelerator` gpu."
        )


@contextmanager
def in_words() -> Iterator[None]:
    """Let what Lightning refuses end in a sentence; other errors pass as they are."""
    try:
        yield
    except (UserError, OSError):
        raise
    except ProcessRaisedException as error:
        # A process that a strategy started sends no more than its traceback, as text.
        kind, _, text = str(error).strip().splitlines()[-1].partition(": ")
        if kind.endswith(".UserError"):
            raise UserError(text) from error
        if kind.endswith(".MisconfigurationException"):
            raise UserError(f"The settings under `trainer` do not work here: {text}") from error
        raise
    except ProcessExitedException as error:
        stopped = error.exit_code - 128
        if stopped not in (signal.SIGINT, signal.SIGTERM):
            raise
        raise Interrupted(stopped) from error
    except Exception as error:
        if not _is_refusal(error):
            raise
        text = " ".join(str(error).split())
        if isinstance(error, LookupError | AttributeError):  # their texts are but a name
            text = f"{type(error).__name__}: {text}"
        raise UserError(f"The settings under `trainer` do not work here: {text}") from error


def _is_refusal(error: Exception) -> bool:
    """Whether Lightning raised it, or a part of Lightning that only settings bring in."""
    modules = [
        str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    if isinstance(error, MisconfigurationException) or modules[-1].startswith("lightning."):
        return True
    for module in reversed(modules):
        if module.startswith("facenet_demo."):
            return False
        if module.startswith(_ASKED_FOR):
            return True
    return False


def _check_interval(trainer: pl.Trainer, num_steps: int) -> None:
    every: Any = getattr(trainer, "val_check_interval", None)  # unset where it is a time
    validates = trainer.limit_val_batches > 0 and trainer.check_val_every_n_epoch is not None
    if validates and isinstance(every, int) and every > num_steps:
        raise UserError(
            f"`trainer.val_check_interval` {every} is more than the {num_steps} steps of an epoch. "
            "To count steps across epochs, set `trainer.check_val_every_n_epoch` null."
        )


def _try_one_photo(task: FaceTask) -> None:
    network = copy.deepcopy(task.network).train()  # which counts what it sees
    with torch.random.fork_rng([]), torch.no_grad():
        try:
            network(torch.zeros(1, 3, task.facts.window, task.facts.window))
        except ValueError as error:
            raise UserError(
                f"The network does not learn from one photo at a time: {error}. Its normalisation "
                "needs several: set `data.batch_size` 2 or more."
            ) from error
