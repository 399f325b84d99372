"""What a Trainer is given beside its settings: who keeps the network, the curves, the pictures.

    watchers = make_watchers(folder, validates=True, ..., named=callbacks of the user's)
    trainer = Trainer(callbacks=[*named, *watchers.callbacks], plugins=with_whole_checkpoints(...))
    place_profile(trainer, folder)

What the user names takes the place of what would be there without: another progress bar, another
early stopping by the validation loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.callbacks import (
    Callback,
    LearningRateFinder,
    ProgressBar,
    RichProgressBar,
)
from lightning.pytorch.profilers import PassThroughProfiler

from facenet_demo.system.commands import as_called
from facenet_demo.system.errors import UserError
from facenet_demo.training.boards import FeatureBoard, ResultBoard
from facenet_demo.training.history import History
from facenet_demo.training.interruption import (
    LastIsBest,
    MovableCheckpoint,
    OwnPatience,
    StopOnSignal,
    WholeCheckpoints,
)
from facenet_demo.training.loggers import EpochLog
from facenet_demo.training.progression_board import ProgressionBoard


@dataclass(frozen=True)
class Watchers:
    """The callbacks of a run.

    Attributes:
        history: the curves.
        best: keeps the network with the lowest validation loss.
        result_board: draws the test, if it is drawn.
        callbacks: all, these too, in the order in which they are called.
    """

    history: History
    best: MovableCheckpoint
    result_board: ResultBoard | None
    callbacks: list[Callback]


def make_watchers(
    folder: Path,
    settings: Mapping[str, Any],
    *,
    named: Sequence[Callback] = (),
    validates: bool = True,
    names_people: bool = True,
    resumed_after: int | None = None,
    progress_bar: bool = True,
    patience: int = 0,
    draw_every: int = 0,
    measure_every: int = 0,
) -> Watchers:
    """The callbacks of a run.

    Args:
        folder: of the run.
        settings: of model and data, flat, to be logged.
        named: the user's own.
        validates: whether there is a validation loss to go by.
        names_people: whether people are told apart, rather than numbers learned.
        resumed_after: epochs done when an interrupted run goes on.
        progress_bar: whether one is shown.
        patience: see `RunSettings`.
        draw_every: see `RunSettings`.
        measure_every: see `RunSettings`.

    Raises:
        UserError: for a callback of the user's that cannot do its work here.
    """
    if any(isinstance(callback, LearningRateFinder) for callback in named):
        raise UserError(
            "LearningRateFinder cannot set `optimizer.lr`, on which config.yaml and the "
            "schedule rely. Search for the rate instead: "
            + as_called("python scripts/tune.py --help.")
        )
    history = History(resumed_after)
    # Not one with save_last: that saves the last epoch only if it is also the best one.
    best, last = (
        MovableCheckpoint(
            folder / "checkpoints",
            filename=name,
            monitor=monitor,
            mode=mode,
            save_top_k=0 if monitor is None else 1,
            # With fewer validations than epochs, too: what an epoch learned is kept.
            save_on_train_epoch_end=True if monitor != "val/loss" else None,
            enable_version_counter=False,
        )
        for name, monitor, mode in (
            ("best", "val/loss" if validates else None, "min"),
            ("last", "epoch", "max"),
        )
    )
    callbacks: list[Callback] = [history, best, last]
    place = folder / "checkpoints" / "last.ckpt"
    if not validates:
        callbacks.append(LastIsBest(place, place.with_name("best.ckpt")))
    callbacks += [StopOnSignal(place), EpochLog(settings)]
    if progress_bar and not any(isinstance(callback, ProgressBar) for callback in named):
        # Ten times a second: Lightning's default, a hundred, takes 6 % of ORL's training.
        callbacks.append(RichProgressBar(refresh_rate=10))
    stopped_by = [
        callback.monitor for callback in named if isinstance(callback, pl.callbacks.EarlyStopping)
    ]
    if patience and validates and "val/loss" not in stopped_by:
        # Not strict: a training may end, by its steps or its time, before it is validated. When to
        # look Lightning cannot tell by itself if validation goes by the clock.
        callbacks.append(
            OwnPatience("val/loss", patience=patience, strict=False, check_on_train_epoch_end=False)
        )
    if draw_every:
        callbacks.append(FeatureBoard(draw_every))
    result_board = ResultBoard(settings) if draw_every and names_people else None
    if result_board is not None:
        callbacks.append(result_board)
    if measure_every:
        callbacks.append(ProgressionBoard(measure_every))
    return Watchers(history, best, result_board, callbacks)


def with_whole_checkpoints(named: Any) -> list[Any]:
    """The user's plugins, one, several or None, and the one that writes checkpoints whole."""
    plugins = named if isinstance(named, list) else [named] if named is not None else []
    for plugin in plugins:
        if isinstance(plugin, CheckpointIO):
            raise UserError(
                f"`trainer.plugins` {type(plugin).__name__}: checkpoints are written beside their "
                "place and renamed, and by no other way, so that the last one is always whole."
            )
    return [*plugins, WholeCheckpoints()]


class NoProfiler(PassThroughProfiler):
    """Measures nothing, at no cost: Lightning enters its own a hundred times in a step."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        return self._nothing


def place_profile(trainer: pl.Trainer, folder: Path) -> None:
    """Let a profiler that was not told where write to the run folder: its log is not shown."""
    own = cast(Any, trainer)  # where its profiler is not declared
    if isinstance(own.profiler, PassThroughProfiler):
        own.profiler = NoProfiler()
    else:
        own.profiler.dirpath = own.profiler.dirpath or folder
        own.profiler.filename = own.profiler.filename or "profile"
