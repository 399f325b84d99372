"""Train, test, calibrate, and fill the run folder.

    run = train(Recipe(trainer={"max_epochs": 20}))
    run.metrics["test/accuracy"]

What a person reads before and after training is in `summary`.
"""

from __future__ import annotations

import math
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from rich.text import Text

from facenet_demo.data.contact_sheet import write_contact_sheet
from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.splits import SPLITS
from facenet_demo.networks.checkpoints import add_calibration
from facenet_demo.system.commands import as_called
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted
from facenet_demo.system.files import naming, new_file, write_json
from facenet_demo.system.terminal import console
from facenet_demo.training import summary
from facenet_demo.training.evaluation import CalibrationResult, calibrate_and_test
from facenet_demo.training.metrics import Score
from facenet_demo.training.preparation import Training, prepare
from facenet_demo.training.quiet import quieten_libraries
from facenet_demo.training.recipe import Recipe
from facenet_demo.training.refusals import in_words
from facenet_demo.training.run_folder import environment, is_first_process
from facenet_demo.training.task import FaceTask


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
    task: FaceTask
    data: FaceDataModule


def train(
    recipe: Recipe, callbacks: Sequence[Callback] = (), resume: Path | str | None = None
) -> TrainedRun:
    """Train, test, and fill the run folder.

    Args:
        recipe: all settings.
        callbacks: of one's own, called before all others.
        resume: folder of an interrupted run that is to go on.

    Raises:
        TypeError: for arguments of other types.
        UserError: for settings or data that cannot be used.
    """
    quieten_libraries()
    training = prepare(recipe, callbacks, None if resume is None else Path(resume))
    trainer, task, data, folder = (
        training.trainer, training.task, training.data, training.folder
    )  # fmt: skip
    writes = trainer.is_global_zero and not cast(Any, trainer).fast_dev_run
    if writes:
        data.split.check(folder, data.crops)  # a run goes on with the photos it began with
        write_json(folder / "environment.json", environment())
        write_json(folder / SPLITS, data.split.record(data.crops))
        if recipe.run.contact_sheet:
            write_contact_sheet(folder / "people.html", data.crops, data.split.left_out)
    if trainer.is_global_zero:
        console.print(summary.introduction(trainer, task, data))
    with _said_if_interrupted(folder), in_words(), naming(folder):  # of a disk that is full, too
        return _fit_and_test(training, writes)


def _fit_and_test(training: Training, writes: bool) -> TrainedRun:
    trainer, task, data = training.trainer, training.task, training.data
    folder, best_kept = training.folder, training.watchers.best
    last = training.last if training.last.exists() else None
    try:
        trainer.fit(task, data, ckpt_path=last, weights_only=True)
    except RuntimeError as error:
        if last is None or "loading state_dict" not in str(error):
            raise
        raise UserError(
            f"The weights in {last} do not fit these settings. A run goes on with the network and "
            "the people it began with."
        ) from error
    elsewhere = _fetch_what_other_processes_saw(training)
    # Before testing, which loads the best checkpoint and with it the history up to then.
    history = training.history
    if not history.epochs:
        raise UserError(
            f"The training ended before its first step, and nothing was learned: {folder} is no "
            "run. Give it more time: `trainer.max_time`."
        )
    fitted: dict[str, float | int | str] = {
        "epochs": len(history.epochs),
        "stopped": _why_stopped(trainer, history.epochs),
        "seconds": round(history.seconds, 2),
        "photos_per_second": round(history.photos_per_second, 1),
        "parameters": sum(p.numel() for p in task.network.parameters()),
    }
    if writes:
        _save_curves(folder / "curves.png", history.epochs, task.objective.scores[0])
    _check_loss(history.epochs)
    best = _kept(training)
    metrics: dict[str, float | int | str] = {}
    for name, evaluate in (("val", trainer.validate), ("test", trainer.test)):
        if len(data.split.rows[name]):
            evaluate(task, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
            metrics |= {
                key: float(value)
                for key, value in trainer.callback_metrics.items()
                if key.startswith(f"{name}/")
            }
    if elsewhere and best is not None:  # where it was loaded to be tested
        task.load_state_dict(torch.load(best, "cpu", weights_only=True)["state_dict"])
    if trainer.is_global_zero and task.facts.names_people:
        result = calibrate_and_test(task.network, data, training.recipe.run.false_accept_rate)
        if result is not None:
            metrics |= result.metrics
            if writes and best is not None:
                add_calibration(best, result.calibration)
                pictures = _save_certainty(folder, result)
                if training.watchers.result_board is not None:
                    training.watchers.result_board.show(trainer, pictures)
    metrics |= fitted
    if writes:
        write_json(folder / "metrics.json", metrics)
    if trainer.is_global_zero:
        console.print(summary.result(metrics, task.objective.scores, trainer))
    if not trainer.is_global_zero and best_kept.dirpath:  # which the first process has told
        folder = Path(best_kept.dirpath).parent
    return TrainedRun(folder, metrics, task, data)


def _fetch_what_other_processes_saw(training: Training) -> bool:
    """Bring the callbacks up to date if processes that fit started trained, as ddp_spawn's do.

    Returns:
        Whether they did.
    """
    if training.history.epochs or not training.last.exists():
        return False
    states = torch.load(training.last, "cpu", weights_only=True)["callbacks"]
    for callback in cast(Any, training.trainer).callbacks:
        if callback.state_key in states:
            callback.load_state_dict(states[callback.state_key])
    return True


def _kept(training: Training) -> Path | None:
    """The checkpoint of the best epoch; of the last one if none was validated.

    In a trial run (fast_dev_run) nothing was saved: None.
    """
    if training.watchers.best.best_model_path:
        return Path(training.watchers.best.best_model_path)
    if not training.last.exists():
        return None
    best = training.last.with_name("best.ckpt")
    if training.trainer.is_global_zero:
        with new_file(best) as temporary:
            shutil.copyfile(training.last, temporary)
    training.trainer.strategy.barrier()
    return best


@contextmanager
def _said_if_interrupted(folder: Path) -> Iterator[None]:
    try:
        yield
    except (Interrupted, KeyboardInterrupt, SystemExit) as error:
        # Outside the training steps Lightning turns Ctrl-C into SystemExit.
        if is_first_process():
            again = as_called(f"python scripts/train.py --resume {folder}")
            console.print(
                Text("Interrupted.", "bold"), f"What was done is saved. To go on: {again}"
            )
        if isinstance(error, Interrupted):
            raise
        raise Interrupted(signal.SIGINT) from None


def _save_curves(path: Path, epochs: Sequence[Mapping[str, float]], score: Score) -> None:
    from facenet_demo.pictures import figures

    losses = [epoch.get("val/loss", float("inf")) for epoch in epochs]
    best = losses.index(min(losses)) if any(map(math.isfinite, losses)) else None
    with new_file(path) as temporary:
        figures.curves(epochs, best, score.name, score.label).savefig(temporary)


def _save_certainty(folder: Path, result: CalibrationResult) -> list[Path]:
    from facenet_demo.pictures import figures

    drawn = {"reliability": figures.reliability(result.probability, result.right)}
    if result.calibration.threshold is not None and len(result.outsider_certainty):
        drawn["strangers"] = figures.known_and_strangers(
            result.certainty, result.outsider_certainty, result.calibration.threshold
        )
    paths = []
    for name, figure in drawn.items():
        paths.append(folder / f"{name}.png")
        with new_file(paths[-1]) as temporary:
            figure.savefig(temporary)
    return paths


def _check_loss(epochs: Sequence[Mapping[str, float]]) -> None:
    # The best validation is kept, and without any the last epoch.
    validated = [epoch["val/loss"] for epoch in epochs if "val/loss" in epoch]
    kept = validated or [epoch["train/loss"] for epoch in epochs[-1:] if "train/loss" in epoch]
    if kept and not any(map(math.isfinite, kept)):
        raise UserError(
            f"The training diverged: the loss of epoch {len(epochs)} is {kept[-1]}, and no network "
            "is worth keeping. Lower `optimizer.lr`, or set `trainer.gradient_clip_val` 1."
        )


def _why_stopped(trainer: pl.Trainer, epochs: Sequence[Mapping[str, float]]) -> str:
    losses = [value for name, value in epochs[-1].items() if name.endswith("/loss")]
    if not all(map(math.isfinite, losses)):
        return "the training diverged, its loss was no number"
    for stopping in trainer.early_stopping_callbacks:
        if isinstance(stopping, EarlyStopping) and stopping.stopped_epoch:
            figure = "validation loss" if stopping.monitor == "val/loss" else stopping.monitor
            return f"no better {figure} for {stopping.patience} epochs"
    if 0 <= (trainer.max_epochs or -1) <= len(epochs):  # averaging weights takes one more
        return "all epochs done"
    return "time or steps are up"
