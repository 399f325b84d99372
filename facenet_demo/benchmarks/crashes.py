"""Kill a training process again and again, resume it, and see whether anything was lost.

    result = run(num_kills=200, num_in_saves=50, runs=Path("runs/benchmark"),
                 output=Path("benchmarks/crashes.json"))

Runs on ORL with a small network. Each is killed at random moments, or half-way through writing a
checkpoint, resumed after every kill, and compared at its end with one that nothing stopped. What a
finished run showed is written at once, and a second call goes on with the next one.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from facenet_demo.benchmarks.finished import read_finished
from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import write_json
from facenet_demo.system.terminal import console
from facenet_demo.training.cli import CONFIGS, main
from facenet_demo.training.interruption import read_progress
from facenet_demo.training.run_folder import environment

_EPOCHS = 6
_TELL_EVERY = 10  # kills


@dataclass(frozen=True)
class KilledRun:
    """A run that was killed and came to its end.

    Attributes:
        seed: of the moments.
        num_kills: kills that hit a running process.
        num_in_saves: those of them half-way through writing a checkpoint.
        num_unreadable: checkpoints found after a kill that could not be loaded.
        different: whether its weights differ from those of the run that nothing stopped.
    """

    seed: int
    num_kills: int
    num_in_saves: int
    num_unreadable: int
    different: bool


@dataclass(frozen=True)
class Crashes:
    """What came of all runs.

    Attributes:
        runs: one after the other.
    """

    runs: list[KilledRun]

    @property
    def num_kills(self) -> int:
        return sum(run.num_kills for run in self.runs)

    @property
    def num_in_saves(self) -> int:
        return sum(run.num_in_saves for run in self.runs)

    @property
    def num_unreadable(self) -> int:
        return sum(run.num_unreadable for run in self.runs)

    @property
    def num_different(self) -> int:
        return sum(run.different for run in self.runs)

    def __str__(self) -> str:
        return (
            f"{self.num_kills} kills, {self.num_in_saves} of them half-way through writing a "
            f"checkpoint: {self.num_unreadable} unreadable checkpoints. {len(self.runs)} runs "
            f"resumed to their end: {self.num_different} differ from the one that nothing stopped."
        )


def run(num_kills: int, num_in_saves: int, runs: Path, output: Path, seed: int = 0) -> Crashes:
    """Kill until so many kills are in `output`, and return what all of them showed.

    Args:
        num_kills: how often.
        num_in_saves: how many of the kills come half-way through writing a checkpoint.
        runs: where run folders go; its folder `crashes` is emptied first.
        output: the JSON file.
        seed: of the moments.

    Raises:
        UserError: if a run that was not killed fails, or `output` is another file.
    """
    rows = read_finished(output, "runs", KilledRun)
    found = Crashes([row for row in rows if row.seed == seed])
    if found.num_kills >= num_kills:
        return found
    folder = runs / "crashes"
    shutil.rmtree(folder, ignore_errors=True)
    _finish(_train(_args(folder / "first")))  # finds the faces, if they are not in the cache
    started = time.perf_counter()
    _finish(_train(_args(folder / "whole")))
    duration = time.perf_counter() - started
    expected = _weights(folder / "whole")
    rng = random.Random(f"{seed} {found.num_kills}")
    while found.num_kills < num_kills:
        in_saves = max(0, num_in_saves - found.num_in_saves)
        left = num_kills - found.num_kills
        killed = _kill(folder / "killed", seed, rng, left, in_saves, duration, expected)
        if killed.num_kills:  # else it came to its end before the first one
            rows.append(killed)
            tens = found.num_kills // _TELL_EVERY
            found = Crashes([*found.runs, killed])
            write_json(
                output, {"environment": environment(), "runs": [asdict(row) for row in rows]}
            )
            if found.num_kills // _TELL_EVERY > tens:
                console.print(f"{found} {num_kills} kills are wanted.")
    return found


def _kill(
    folder: Path,
    seed: int,
    rng: random.Random,
    num_kills: int,
    num_in_saves: int,
    duration: float,
    expected: dict[str, torch.Tensor],
) -> KilledRun:
    """Train, kill and resume until a run is done; at most so many kills, so many in saves."""
    shutil.rmtree(folder, ignore_errors=True)
    args = _args(folder)
    killed = in_saves = unreadable = 0
    while True:
        last = next(folder.glob("*/checkpoints/last.ckpt"), None)
        epochs = _EPOCHS if last is None else _EPOCHS - read_progress(last).epochs
        in_save = rng.random() * (num_kills - killed) < num_in_saves - in_saves
        # There are as many saves to come as epochs, at least, and one with the calibration.
        process = _train(args, rng.randint(1, epochs + 1) if in_save else 0)
        try:
            process.join(None if in_save or killed == num_kills else rng.uniform(0, duration))
        finally:
            process.kill()
            process.join()
        if process.exitcode != -signal.SIGKILL:
            break
        killed, in_saves = killed + 1, in_saves + in_save
        unreadable += sum(not _readable(path) for path in folder.glob("*/checkpoints/[!.]*"))
        if run_folders := list(folder.glob("*/config.yaml")):
            args = ["--resume", str(run_folders[0].parent), *args[-1:]]
    _finish(process)
    different = not _same(_weights(folder), expected)
    return KilledRun(seed, killed, in_saves, unreadable, different)


def _args(runs: Path) -> list[str]:
    return [
        f"--config={CONFIGS / 'orl.yaml'}", f"--run.folder={runs}", "--run.draw_every=0",
        f"--trainer.max_epochs={_EPOCHS}", "--model.network.channels=[4,8]",
        "--trainer.enable_progress_bar=false",
    ]  # fmt: skip


def _train(args: Sequence[str], die_in_save: int = 0) -> multiprocessing.process.BaseProcess:
    # A server that has imported everything forks each child: imports would take longer than runs.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "facenet_demo.training.boards"])
    process = context.Process(target=_child, args=(list(args), die_in_save))
    process.start()
    return process


def _child(args: list[str], die_in_save: int) -> None:
    torch.set_num_threads(1)
    console.quiet = True
    if die_in_save:
        _die_in_save(die_in_save)
    raise SystemExit(main(args))


def _die_in_save(nth: int) -> None:
    save, count = torch.save, 0

    def half(content: object, path: Path) -> None:
        nonlocal count
        count += 1
        save(content, path)
        if count == nth:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    torch.save = half  # type: ignore[assignment]


def _finish(process: multiprocessing.process.BaseProcess) -> None:
    process.join()
    if process.exitcode != 0:
        raise UserError(f"A run that was not killed ended with {process.exitcode}.")


def _readable(path: Path) -> bool:
    try:
        load_checkpoint(path)
    except UserError:
        return False
    return True


def _weights(runs: Path) -> dict[str, torch.Tensor]:
    (path,) = runs.glob("*/checkpoints/last.ckpt")
    return torch.load(path, weights_only=True)["state_dict"]


def _same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) for name in found
    )
