"""From a recipe to everything a training needs, made and checked.

training = prepare(recipe, callbacks=[mine])
training.trainer.fit(training.task, training.data)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
from jsonargparse import Namespace
from lightning.pytorch.callbacks import Callback

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import remove_leftovers
from facenet_demo.training.configs import config_of
from facenet_demo.training.history import History
from facenet_demo.training.interruption import RunProgress, read_progress
from facenet_demo.training.loggers import loggers
from facenet_demo.training.parser import (
    as_plain,
    as_yaml,
    parse_config,
    to_config,
    to_recipe,
    trainer_arguments,
)
from facenet_demo.training.recipe import Recipe
from facenet_demo.training.refusals import check_with_data, in_words
from facenet_demo.training.resuming import (
    SaveConfig,
    changed,
    check,
    check_step,
    earlier_notes,
    notes,
)
from facenet_demo.training.run_folder import is_first_process, new_run_folder, outlive_events
from facenet_demo.training.settings import comparable, flat
from facenet_demo.training.task import FaceTask
from facenet_demo.training.tensorboard import purge_step
from facenet_demo.training.watchers import (
    Watchers,
    make_watchers,
    place_profile,
    with_whole_checkpoints,
)


@dataclass(frozen=True)
class Training:
    """All that trains.

    Attributes:
        recipe: that it was made from.
        folder: of the run.
        trainer: with its callbacks.
        task: the network and what it is trained for.
        data: its photos.
        watchers: those of the callbacks that know how it went.
    """

    recipe: Recipe
    folder: Path
    trainer: pl.Trainer
    task: FaceTask
    data: FaceDataModule
    watchers: Watchers

    @property
    def history(self) -> History:
        """The curves so far."""
        return self.watchers.history

    @property
    def last(self) -> Path:
        """The checkpoint of the last epoch, or of the step at which it was interrupted."""
        return last_checkpoint(self.folder)


@dataclass(frozen=True)
class _EarlierRun:
    """A run that goes on: where, how far it is, how many photos a step had, and what it noted."""

    folder: Path
    done: RunProgress | None
    batch_size: int
    notes: list[str]


def prepare(
    recipe: Recipe, callbacks: Sequence[Callback] = (), resume: Path | None = None
) -> Training:
    """Make all that a training needs, and its run folder; photos are cropped and split.

    Args:
        recipe: all settings.
        callbacks: of one's own, beside those that the recipe names.
        resume: folder of an interrupted run that is to go on.

    Raises:
        TypeError: for arguments of other types.
        UserError: for settings or data that cannot be used.
    """
    _check_types(recipe, callbacks)
    config = to_config(recipe)
    _seed(config)
    resumed = None if resume is None else _compare(config, resume)
    data = recipe.data.build()
    facts = data.facts
    with _refusals():
        task = FaceTask(
            facts, recipe.network, recipe.objective, recipe.optimizer, recipe.schedule,
            recipe.torch_compile,
        )  # fmt: skip
    validates = _check(recipe, config, data)
    folder = resume or new_run_folder(recipe.run.folder, recipe.run.name)
    try:
        with in_words(), _refusals():
            trainer, watchers = _make_trainer(
                config, recipe, data, folder, callbacks, resumed, validates
            )
            check_with_data(trainer, task, data)
    except BaseException:
        if resume is None:
            with suppress(OSError):
                folder.rmdir()  # if nothing is in it
        raise
    if resumed is not None:
        _go_on(resumed, trainer, data)
    return Training(recipe, folder, trainer, task, data, watchers)


def _check_types(recipe: Any, callbacks: Any) -> None:
    if not isinstance(recipe, Recipe):
        raise TypeError(
            f"A training is made from a Recipe, not from {type(recipe).__name__}. Flags become one "
            "by facenet_demo.training.cli.parse, a config by read_recipe."
        )
    if not isinstance(callbacks, Sequence) or not all(isinstance(c, Callback) for c in callbacks):
        raise TypeError(f"callbacks must be a list of Lightning's callbacks, not {callbacks!r}.")


@contextmanager
def _refusals() -> Iterator[None]:
    """Let a setting that its class refuses end in a sentence."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from error


def last_checkpoint(folder: Path) -> Path:
    """Where a run keeps the checkpoint of its last epoch."""
    return folder / "checkpoints" / "last.ckpt"


def _seed(config: Namespace) -> None:
    seed = config["seed_everything"]
    if seed is False:
        return
    config["seed_everything"] = pl.seed_everything(None if seed is True else seed, workers=True)


def _compare(config: Namespace, folder: Path) -> _EarlierRun:
    """Look at what changed since the run began."""
    file, last = config_of(folder), last_checkpoint(folder)
    own = [value for value in flat(as_plain(config)).values() if isinstance(value, str)]
    before = to_config(to_recipe(parse_config(["--config", str(file)], own, resumed=True)))
    changes = changed(*(flat(as_plain(each)) for each in (before, config)))
    so_far = read_progress(last) if last.exists() else None
    check(changes, folder, so_far)
    return _EarlierRun(
        folder,
        so_far,
        before["data"]["batch_size"],
        [*earlier_notes(file), *notes(changes, so_far)],
    )


def _check(recipe: Recipe, config: Namespace, data: FaceDataModule) -> bool:
    """Look at the settings of the run beside the data; returns whether it validates."""
    has_validation = len(data.split.rows["val"]) > 0
    limit = config["trainer"]["limit_val_batches"]
    if limit and not has_validation:
        raise UserError(
            f"`trainer.limit_val_batches` {limit} has no effect: there are no validation "
            "photos. Set `data.split.val`."
        )
    draws = config["trainer"]["logger"] is not False and data.facts.names_people
    if recipe.run.measure_every and not draws:
        raise UserError(
            "`run.measure_every` has no effect here: it draws measures, in "
            "TensorBoard, where `data.target` is person."
        )
    return has_validation and limit != 0


def _make_trainer(
    config: Namespace,
    recipe: Recipe,
    data: FaceDataModule,
    folder: Path,
    callbacks: Sequence[Callback],
    resumed: _EarlierRun | None,
    validates: bool,
) -> tuple[pl.Trainer, Watchers]:
    named_loggers, run = config["trainer"]["logger"], recipe.run
    so_far = None if resumed is None else resumed.done
    resumed_after = None if so_far is None else so_far.epochs
    arguments = trainer_arguments(config)
    configured = arguments["callbacks"] or []
    named = [*callbacks, *(configured if isinstance(configured, list) else [configured])]
    watchers = make_watchers(
        folder,
        comparable(as_plain(config)),
        named=named,
        validates=validates,
        names_people=data.facts.names_people,
        resumed_after=resumed_after,
        progress_bar=arguments["enable_progress_bar"] is not False,
        patience=run.patience,
        draw_every=run.draw_every,
        measure_every=run.measure_every,
    )
    saves = [] if arguments["fast_dev_run"] else [
        SaveConfig(as_yaml(config), None if resumed is None else resumed.notes)
    ]  # fmt: skip
    arguments |= {
        "callbacks": [*named, *watchers.callbacks, *saves],
        "default_root_dir": folder,
        "logger": loggers(named_loggers, folder, purge_step(resumed_after)),
        "plugins": with_whole_checkpoints(arguments["plugins"]),
        "enable_model_summary": arguments["enable_model_summary"] or False,
        "use_distributed_sampler": False,  # EpochBatches shares among devices, without repeats
    }
    trainer = pl.Trainer(**arguments)
    if not validates:
        cast(Any, trainer).limit_val_batches = 0
    place_profile(trainer, folder)
    return trainer, watchers


def _go_on(resumed: _EarlierRun, trainer: pl.Trainer, data: FaceDataModule) -> None:
    """Look at the number of photos in a step, and clear what the interrupted run left."""
    if resumed.done is not None:
        num_devices = trainer.world_size
        per_step = resumed.done.photos_per_step or resumed.batch_size * num_devices
        check_step(per_step, data.batch_size, num_devices)
    if is_first_process():
        outlive_events(resumed.folder)
        for name in ("best.ckpt", "last.ckpt"):
            remove_leftovers(last_checkpoint(resumed.folder).with_name(name))
