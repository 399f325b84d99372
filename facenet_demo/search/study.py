"""One worker of a search: draws settings, trains, records how that went.

    search = Search(args=["--config=configs/orl.yaml"], space=space, folder=Path("runs/search"))
    study = search.open()
    search.work(study)                   # until the trials are used up
    best(study).params

Trials are judged by validation photos only. They are recorded in Optuna's storage, which several
workers may share, as they go: a worker that dies costs the trial it was at, and that one is tried
again.
"""

from __future__ import annotations

import gc
import math
import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import optuna
import sqlalchemy
import torch
from lightning.pytorch.callbacks import Callback
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.pool import QueuePool

from facenet_demo.search.space import Setting, Value, flags, points, suggest
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted
from facenet_demo.training.cli import parse
from facenet_demo.training.parser import as_yaml, to_config
from facenet_demo.training.preparation import prepare
from facenet_demo.training.tensorboard import tensorboard_logger

Sampler = Literal["grid", "random", "bayesian"]
REPORTS = 20  # in a training: the storage is told so often how it goes
_HEARTBEAT, _GRACE = 15, 60  # seconds; after so long without a sign a worker elsewhere is dead
_RETRY = "retry_of"
_SURPLUS = "surplus"


@dataclass(frozen=True)
class Search:
    """A search and its rules.

    Attributes:
        args: the training command line that every trial starts from.
        space: what is varied.
        folder: where the trials' run folders go, and by default the storage.
        num_trials: how many settings are tried; of a grid all, if None.
        sampler: in what way they are drawn.
        prune: whether trainings that are worse than most at the same epoch are ended.
        num_seeds: trainings in a trial; their mean counts.
        objective: a validation figure, of the epoch with the lowest validation loss.
        seed: another seed, other trials.
        storage: URL of a database; None: a file in the folder.
    """

    args: Sequence[str]
    space: Sequence[Setting]
    folder: Path
    num_trials: int | None = None
    sampler: Sampler = "bayesian"
    prune: bool = True
    num_seeds: int = 1
    objective: str = "val/loss"
    seed: int = 0
    storage: str | None = None
    grid: Sequence[dict[str, Value]] = field(init=False)

    def __post_init__(self) -> None:
        grid: list[dict[str, Value]] = []
        if self.sampler == "grid":
            grid = points(self.space)
            order = np.random.default_rng(self.seed).permutation(len(grid))
            grid = [grid[i] for i in order]
        object.__setattr__(self, "grid", grid)

    @property
    def budget(self) -> int:
        """How many settings are tried."""
        if self.sampler == "grid":
            return min(len(self.grid), self.num_trials or len(self.grid))
        return self.num_trials or 30

    @property
    def higher_is_better(self) -> bool:
        name = self.objective.removeprefix("val/")
        counted = {score.name: score for score in parse(self.args).recipe.objective.scores}
        return name in counted and not counted[name].lower_is_better

    def open(self) -> optuna.Study:
        """The study in its storage, made if it is not there yet.

        Raises:
            UserError: if the storage cannot be reached, or holds a search with other rules.
        """
        file = self.folder / "trials.sqlite3"
        # A file waits for its turn; a database elsewhere tells by heartbeat which workers live.
        options: dict[str, Any] = (
            {"heartbeat_interval": _HEARTBEAT, "grace_period": _GRACE,
             "heartbeat_stale_trial_callback": _try_again}
            if self.storage
            else {"engine_kwargs": {"creator": lambda: _connect(file), "poolclass": QueuePool}}
        )  # fmt: skip
        # In a URL some letters of a file's name would mean something. Optuna formats what it gets.
        url = (self.storage or "sqlite://").replace("{", "{{").replace("}", "}}")
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        try:
            storage = RDBStorage(url, **options)
            if storage.engine.name == "sqlite":
                # It would let two workers read that a trial waits before one takes it.
                sqlalchemy.event.listen(
                    storage.engine, "begin", lambda on: on.exec_driver_sql("BEGIN IMMEDIATE")
                )
            study = optuna.create_study(
                storage=storage,
                study_name=self.folder.name,
                direction="maximize" if self.higher_is_better else "minimize",
                load_if_exists=True,
                pruner=self._pruner(),
            )
        except ImportError as error:
            raise UserError(
                f"{url.split(':')[0]} needs a package: {error}. For PostgreSQL: pip install "
                "'psycopg[binary]', and postgresql+psycopg://..."
            ) from error
        except Exception as error:  # whatever the database's driver inspires it to
            place = _without_password(self.storage) if self.storage else file
            raise UserError(f"The storage {place} cannot be used: {_first_line(error)}") from error
        rules = self._rules()
        known = study.user_attrs.get("rules")
        if known is None:
            study.set_user_attr("rules", rules)
        elif known != rules:
            other = [name for name, value in rules.items() if known.get(name) != value]
            raise UserError(
                f"{self.folder} holds a search with another {', '.join(other)}. Name another "
                "`folder`, or give the same settings as before to go on."
            )
        return study

    def work(
        self, study: optuna.Study, told: Callable[[FrozenTrial | None], None] = lambda trial: None
    ) -> None:
        """Try settings until the budget is used up.

        Args:
            study: from `open`.
            told: is called whenever there is news: with None after an epoch, or a finished trial.
        """
        try:
            while not self._used_up(study):
                study.optimize(
                    lambda trial: self._try(trial, told),
                    n_trials=1,
                    catch=(Exception,),
                    callbacks=[lambda study, trial: told(trial)],
                )
        except Interrupted:
            self.take_over(study, worker=_name())
            raise

    def take_over(self, study: optuna.Study, worker: str | None = None) -> None:
        """Queue again what a worker was at, or all of them. Only when they no longer work."""
        trials = study.get_trials(deepcopy=False)
        queued = {trial.user_attrs.get(_RETRY) for trial in trials}
        for trial in trials:
            if trial.state == TrialState.RUNNING and (
                worker in (None, trial.user_attrs.get("worker"))
            ):
                # In this order: whoever is killed in between does not lose it.
                if trial.number not in queued:
                    _try_again(study, trial)
                study.tell(trial.number, state=TrialState.FAIL)

    def _used_up(self, study: optuna.Study) -> bool:
        optuna.storages.fail_stale_trials(study)  # of dead workers elsewhere, to be tried again
        trials = study.get_trials(deepcopy=False)
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        return not waiting and sum(_is_fresh(trial) for trial in trials) >= self.budget

    def _try(self, trial: optuna.Trial, told: Callable[[None], None]) -> float:
        started = time.perf_counter()
        try:
            index = trial.user_attrs.get("index", _index(trial.study, trial.number))
            if index >= self.budget:  # another worker took the last one
                trial.set_user_attr(_SURPLUS, True)
                raise optuna.TrialPruned
            # What is drawn depends on seed, number and earlier results: not on who draws, or when.
            trial.study.sampler = self._sampler(index)
            trial.set_user_attr("index", index)
            trial.set_user_attr("worker", _name())
            chosen = suggest(trial, self.space)
            values = [self._train(trial, chosen, seed, told) for seed in range(self.num_seeds)]
        except optuna.TrialPruned:
            raise
        except (KeyboardInterrupt, SystemExit):
            # Optuna would count the one as a failure; Lightning makes the other of it.
            raise Interrupted(signal.SIGINT) from None
        except Exception as error:
            if _came_of_interrupt(error):
                raise Interrupted(signal.SIGINT) from None
            trial.set_user_attr("reason", _first_line(error))
            gc.collect()
            torch.cuda.empty_cache()
            raise
        finally:
            trial.set_user_attr("seconds", round(time.perf_counter() - started, 3))
        trial.set_user_attr("values", values)
        return float(np.mean(values))

    def _train(
        self,
        trial: optuna.Trial,
        chosen: dict[str, Value],
        seed: int,
        told: Callable[[None], None],
    ) -> float:
        name = f"{trial.number:04d}" + (f"-seed{seed}" if self.num_seeds > 1 else "")
        own = [
            f"--run.folder={self.folder / 'trials'}", f"--run.name={name}", "--run.draw_every=0",
            "--trainer.enable_progress_bar=false",
        ]  # fmt: skip
        if self.num_seeds > 1:
            own.append(f"--seed_everything={seed}")
        started = time.perf_counter()
        recipe = parse([*self.args, *flags(chosen), *own], typed=[*self.args, *own]).recipe
        watch = _Watch(trial if seed == 0 and self.prune else None, self.objective, told)
        training = prepare(recipe, callbacks=[watch])
        if not len(training.data.split.rows["val"]):
            raise UserError("A search needs validation photos to judge by: `data.split.val` 1")
        known = [f"val/{name}" for name in training.task.goal.new_metrics("val")]
        if self.objective not in known:
            raise UserError(f"There is no figure {self.objective}; there are {', '.join(known)}.")
        trainer = training.trainer
        if trainer.world_size > 1:
            raise UserError("A trial trains on one device. For several, search with more `jobs`.")
        trainer.fit(training.task, training.data)
        spent = trial.user_attrs.get("training_seconds", 0) + time.perf_counter() - started
        trial.set_user_attr("training_seconds", round(spent, 3))
        shutil.rmtree(training.folder / "checkpoints", ignore_errors=True)
        if watch.pruned:
            raise optuna.TrialPruned
        epochs = training.history.epochs
        if watch.diverged:
            raise ArithmeticError(f"diverged: the loss was no number in epoch {len(epochs)}")
        validated = [epoch for epoch in epochs if "val/loss" in epoch]
        kept = min(validated, key=lambda epoch: epoch["val/loss"])
        logger = tensorboard_logger(trainer)
        if logger is not None:
            logger.log_hyperparams(chosen, {self.objective: kept[self.objective]})
            logger.finalize("success")
        return kept[self.objective]

    def _sampler(self, index: int) -> optuna.samplers.BaseSampler:
        if self.sampler == "grid":
            fixed = self.grid[index] if index < len(self.grid) else {}
            return optuna.samplers.PartialFixedSampler(fixed, optuna.samplers.RandomSampler())
        seed = int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0])
        if self.sampler == "random":
            return optuna.samplers.RandomSampler(seed)
        return optuna.samplers.TPESampler(seed=seed, multivariate=False)

    def _pruner(self) -> optuna.pruners.BasePruner:
        if not self.prune:
            return optuna.pruners.NopPruner()
        # While the rate of a one-cycle training is high, so is its loss, above all of good ones.
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=REPORTS * 6 // 10)

    def _rules(self) -> dict[str, Any]:
        """What must stay the same when a search goes on."""
        return {
            "command line": list(self.args),
            "training config": as_yaml(to_config(parse(self.args).recipe)),
            "space": [
                [s.name, s.kind, list(s.choices), s.low, s.high, s.step, s.points, dict(s.when)]
                for s in self.space
            ],
            "sampler": self.sampler,
            "pruning": self.prune,
            "number of seeds": self.num_seeds,
            "objective": self.objective,
            "seed": self.seed,
        }


class _Watch(Callback):
    """Tells Optuna how a training goes, and ends it when it is hopeless or has diverged."""

    def __init__(
        self, trial: optuna.Trial | None, objective: str, told: Callable[[None], None]
    ) -> None:
        self.trial = trial
        self.objective = objective
        self.told = told
        self.pruned = self.diverged = False
        self._total = torch.zeros(())  # stays where the loss is: nothing waits for the device

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._total = self._total.to(outputs["loss"].device) + outputs["loss"].detach()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.told(None)
        metrics = trainer.callback_metrics
        if not math.isfinite(float(self._total) + float(metrics.get("val/loss", 0))):
            self.diverged = trainer.should_stop = True
            return
        if self.trial is None or self.objective not in metrics:
            return
        report = (trainer.current_epoch + 1) * REPORTS // (trainer.max_epochs or 1)
        if report > trainer.current_epoch * REPORTS // (trainer.max_epochs or 1):
            self.trial.report(float(metrics[self.objective]), report)
            if self.trial.should_prune():
                self.pruned = trainer.should_stop = True


def _came_of_interrupt(error: BaseException | None) -> bool:
    """Whether it was raised while Ctrl-C was handled, as where a file cannot be closed."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def best(study: optuna.Study) -> FrozenTrial:
    """The trial with the best figure.

    Raises:
        UserError: if none came to its end, with the reason of the last.
    """
    try:
        return study.best_trial
    except ValueError:
        reasons = [t.user_attrs["reason"] for t in counted(study) if "reason" in t.user_attrs]
        raise UserError(
            f"No trial came to its end, so there is no best one. The last failed: "
            f"{reasons[-1] if reasons else 'for no known reason'}"
        ) from None


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count: not those that were lost and tried again, or one too many."""
    trials = study.get_trials(deepcopy=False)
    lost = {trial.user_attrs.get(_RETRY) for trial in trials}
    return [
        trial for trial in trials if trial.number not in lost and _SURPLUS not in trial.user_attrs
    ]


def _connect(file: Path) -> sqlite3.Connection:
    # The pool hands a connection to one thread at a time.
    return sqlite3.connect(file, timeout=60, check_same_thread=False)


def _name() -> str:
    """Of this worker."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_fresh(trial: FrozenTrial) -> bool:
    return _RETRY not in trial.user_attrs


def _try_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue the settings of a lost trial; what it had not drawn yet is drawn as it would have."""
    index = trial.user_attrs.get("index", _index(study, trial.number))
    study.enqueue_trial(trial.params, user_attrs={_RETRY: trial.number, "index": index})


def _index(study: optuna.Study, number: int) -> int:
    """Which of the budget's trials it is: retries do not count."""
    trials = study.get_trials(deepcopy=False)
    return sum(_is_fresh(trial) for trial in trials if trial.number < number)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.rsplit(':', 1)[0]}:***@{tail}" if at and head.count(":") > 1 else url
