"""A run that can be stopped at any moment: checkpoints appear whole, signals await a step's end.

    Trainer(plugins=[WholeCheckpoints()], callbacks=[..., StopOnSignal(folder / "last.ckpt")])

After a kill -9 the last checkpoint of an epoch is there; after Ctrl-C or SIGTERM that of the last
step.
"""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, cast

import lightning.pytorch as pl
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from rich.text import Text

from facenet_demo.networks.checkpoints import read_checkpoint, write_checkpoint
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted
from facenet_demo.system.files import new_file
from facenet_demo.system.terminal import console


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it, so that the last good one stays.

    Lightning itself writes to the system's temporary folder and moves the file, which is a copy
    where that lies on another file system.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Save it whole or not at all.

        Raises:
            UserError: if it cannot be written; what was there before is kept.
        """
        write_checkpoint(checkpoint, Path(path))


class RunProgress(NamedTuple):
    """How far a run was when a checkpoint was saved.

    Attributes:
        epochs: how many were finished.
        steps: how many there were in all.
        photos_per_step: on all devices together; None if the checkpoint does not say.
    """

    epochs: int
    steps: int
    photos_per_step: int | None


def read_progress(path: Path) -> RunProgress:
    """What a checkpoint says of it.

    Raises:
        UserError: if the file is none of the Trainer's.
    """
    try:
        content = read_checkpoint(path)
        _check_places(path, content.get("callbacks", {}))
        epochs = content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
        photos = content.get("FaceDataModule", {}).get("photos_per_step")
        return RunProgress(epochs, content["global_step"], photos)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{path} cannot be gone on from: {error}") from error


def _check_places(path: Path, callbacks: Mapping[str, Any]) -> None:
    """Refuse a state that leads out of its folder: what is no longer the best is removed."""
    for state in callbacks.values():
        for key in ("best_model_path", "kth_best_model_path", "last_model_path", "best_k_models"):
            places = state.get(key) or ()
            for place in [places] if isinstance(places, str) else places:
                if ".." in Path(place).parts:
                    raise UserError(f"{path} names a checkpoint outside of its folder: {place}")


class OwnPatience(callbacks.EarlyStopping):
    """Has the patience it is given, where Lightning's takes that of the run it goes on with.

    A run that was out of patience still is: Lightning would train it for one epoch more.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True

    @cached_property
    def state_key(self) -> str:  # type: ignore[override]
        # Under the name of Lightning's own, which is what earlier runs wait with.
        return super().state_key.replace(type(self).__qualname__, "EarlyStopping", 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})


class MovableCheckpoint(ModelCheckpoint):
    """Saves epochs, in a run folder that may be moved or copied: Lightning's forgets the best."""

    @cached_property
    def state_key(self) -> str:  # type: ignore[override]
        return super().state_key  # asked for at each hook, and put together anew each time

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        pass  # Lightning's would look, after each step, whether to save steps

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(self.dirpath or "", Path(path).name)) if path else ""

        moved: dict[str, Any] = {
            name: here(state_dict[name])
            for name in ("best_model_path", "kth_best_model_path", "last_model_path")
        }
        moved["best_k_models"] = {here(p): v for p, v in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **moved, "dirpath": self.dirpath})


class LastIsBest(Checkpoint):
    """Copies each epoch's checkpoint to a second place, where no validation says which is best.

    To have Lightning save it once more takes ten times as long. A `Checkpoint` is called in its
    turn after all other callbacks: after the one that writes `last`.

    Args:
        last: the checkpoint that is there at the end of an epoch.
        best: where it goes.
    """

    def __init__(self, last: Path, best: Path) -> None:
        self.last = last
        self.best = best

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trial = cast(Any, trainer).fast_dev_run
        # Where the time is up before the first step there is none.
        if trainer.is_global_zero and not trial and self.last.exists():
            with new_file(self.best) as temporary:
                shutil.copyfile(self.last, temporary)


class StopOnSignal(Checkpoint):
    """Ends training after the step in which Ctrl-C or SIGTERM came, its state saved.

    A second signal does not wait. Since it is a `Checkpoint`, Lightning calls it after all other
    callbacks, and what it saves is what they left.

    Args:
        path: where the state goes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._received = None
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._receive)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        # After the last step come validation and the end of the epoch: better to stop there. And
        # gradients that wait for those of the next batch would not be saved.
        last = batch_idx + 1 >= trainer.num_training_batches
        accumulating = (batch_idx + 1) % trainer.accumulate_grad_batches != 0
        if not last and not accumulating:
            self._stop(trainer, trainer.save_checkpoint)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop(trainer, lambda path: None)  # the epoch's own checkpoint is just written

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._restore()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            raise Interrupted(number)
        self._received = number
        console.print(
            Text.assemble(
                "\n", ("Stopping", "bold"), " after this step; once more to stop at once."
            )
        )

    def _stop(self, trainer: pl.Trainer, save: Callable[[Path], None]) -> None:
        received = self._received is not None
        # All devices stop after the same step.
        if trainer.world_size > 1:
            received = trainer.strategy.reduce_boolean_decision(received, all=False)
        if received:
            save(self.path)
            stop = Interrupted(self._received or signal.SIGTERM)
            if multiprocessing.parent_process() is not None:  # which is told by the exit code
                raise SystemExit(stop.exit_code)
            raise stop
