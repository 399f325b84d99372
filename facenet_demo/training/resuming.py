"""What may change when a run goes on, and what stays as it began.

    changes = changed(before, now)               # of settings.flat
    check(changes, folder, read_progress(last))  # raises if one of them cannot
    notes(changes, read_progress(last))          # for config.yaml

How long and how fast it trains, where, and what it shows of itself may change, and does from the
next step on. What it learns from, and how it is judged, may not: its epochs would not compare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from shlex import quote
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from facenet_demo.system.commands import as_called
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import new_file
from facenet_demo.training.flags import in_recipe
from facenet_demo.training.interruption import RunProgress

_FOLDER = "it goes on in its own folder"
_SEED = "all that is drawn by chance follows from it"
_DATA = "it goes on with the photos it began with, shown in the same way"
_STEPS = "the steps of an epoch, by which it counts, would be others"
_LOSS = "its epochs are compared by their losses"
# The first that fits counts; None: it may change.
_RULES: tuple[tuple[str, str | None], ...] = (
    ("run.folder", _FOLDER),
    ("run.name", _FOLDER),
    ("run.*", None),
    ("data.num_workers", None),
    ("data.resident", None),
    ("data.batch_size", None),  # see check_step
    ("data.source.root", None),  # photos are compared by name, their folder may have moved
    ("data.*", _DATA),
    ("model.network*", "its weights are those of one network"),
    ("model.optimizer", "what one optimizer has gathered is of no use to another"),
    ("model.optimizer.*", None),
    ("model.schedule.*", None),
    ("model.torch_compile", None),
    ("model.*", _LOSS),
    ("trainer.accumulate_grad_batches", _STEPS),
    ("trainer.limit_train_batches", _STEPS),
    ("trainer.overfit_batches", _STEPS),
    ("trainer.limit_val_batches", _LOSS),
    ("trainer.*", None),
    ("*", _SEED),
)
_NOTE = "# After epoch "

Changes = Mapping[str, tuple[Any, Any]]


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name -> old and new value of each setting that differs; of another class, its name alone."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in {**before, **now}:
        old, new = before.get(name), now.get(name)
        within = any(name.startswith(f"{other}.") for other in found)
        if old != new and not within:
            found[name] = old, new
    return found


def check(changes: Changes, folder: Path, done: RunProgress | None) -> None:
    """Refuse to go on with settings that would have no effect, or spoil what was done.

    Args:
        changes: from `changed`.
        folder: of the run.
        done: how far it is; None if there is no checkpoint, so that it begins anew.

    Raises:
        UserError: naming the setting, what it was, and what to do.
    """
    reached: dict[str, int] = {}
    if done is not None:
        reached = {"trainer.max_epochs": done.epochs, "trainer.max_steps": done.steps}
    for name, (old, new) in changes.items():
        why = next(why for pattern, why in _RULES if fnmatchcase(name, pattern))
        if name in reached and new is not None and 0 <= new < reached[name]:
            why = f"it has done {reached[name]}"
        if why is not None and (done is not None or why == _FOLDER):
            another = as_called(
                f"python scripts/train.py --config {quote(str(folder / 'config.yaml'))} "
                + quote(f"--{name}={_text(new)}")
            )
            raise UserError(
                f"This run cannot go on with `{in_recipe(name)}` {_text(new)}, which was "
                f"{_text(old)}: {why}. Leave it as it was, or begin another run: {another}"
            )


def check_step(before: int, batch_size: int, num_devices: int) -> None:
    """Refuse another number of photos in a step, by which a run counts how far it is.

    Args:
        before: how many there were.
        batch_size: on each device, now.
        num_devices: now.

    Raises:
        UserError: saying what would be right.
    """
    if batch_size * num_devices == before:
        return
    fitting = (
        f"Set `data.batch_size` {before // num_devices}"
        if before % num_devices == 0
        else f"Take a number of devices that divides {before}"
    )
    raise UserError(
        f"This run cannot go on with `data.batch_size` {batch_size} on {num_devices} "
        f"device{'s' * (num_devices > 1)}: it has counted its steps by {before} photos, not "
        f"{batch_size * num_devices}. {fitting}, or begin another run."
    )


def notes(changes: Changes, done: RunProgress | None) -> list[str]:
    """Comments for config.yaml that say since when a setting is as it is."""
    if done is None:
        return []
    return [
        f"{_NOTE}{done.epochs}: {name} {_text(new)}, before {_text(old)}"
        for name, (old, new) in changes.items()
    ]


def earlier_notes(config: Path) -> list[str]:
    """Those that a config.yaml has."""
    lines = config.read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith(_NOTE)]


class SaveConfig(Callback):
    """Writes config.yaml whole: as a run begins, and anew once it goes on.

    Not earlier: where the state it was to go on from does not fit, config.yaml stays as it was.

    Args:
        text: of all settings.
        notes: of a run that goes on, which settings changed when; None where one begins.
    """

    def __init__(self, text: str, notes: Sequence[str] | None = None) -> None:
        self.text = text
        self.notes = notes
        self._written = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.notes is None and not self._written:
            self._write(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.notes is not None:
            self._write(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.on_train_start(trainer, pl_module)  # which a finished run does not come by

    def _write(self, trainer: pl.Trainer) -> None:
        self._written = True
        if trainer.is_global_zero:
            lines = "".join(f"{line}\n" for line in self.notes or ())
            with new_file(Path(trainer.default_root_dir) / "config.yaml") as temporary:
                temporary.write_text(lines + self.text, "utf-8")


def _text(value: Any) -> str:
    """As a flag has it; of a class, its name without where it is from."""
    if not isinstance(value, str) or not value.isprintable():
        return json.dumps(value, separators=(",", ":"))
    return value.rpartition(".")[2] if value.startswith("facenet_demo.") else value
