"""Kill a training process again and again, resume it, and see whether anything was lost.

    result = run(num_kills=200, num_in_saves=50, runs=Path("runs/benchmark"))

Runs on ORL with a small network. Each is killed at random moments, or half-way through writing a
checkpoint, resumed after every kill, and compared at its end with one that nothing stopped.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from facenet_demo.checkpoints import load_checkpoint
from facenet_demo.cli import CONFIGS
from facenet_demo.progress import console, track
from facenet_demo.records import UserError
from facenet_demo.training import main

_SAVES = 12  # checkpoints written by a run that nothing stops, about


@dataclass(frozen=True)
class Crashes:
    """What came of it.

    Attributes:
        num_kills: kills that hit a running process.
        num_in_saves: those of them half-way through writing a checkpoint.
        num_unreadable: checkpoints found after a kill that could not be loaded.
        num_runs: runs that were killed at least once and came to their end.
        num_different: those of them whose weights differ from the run that nothing stopped.
        seed: of the moments.
    """

    num_kills: int
    num_in_saves: int
    num_unreadable: int
    num_runs: int
    num_different: int
    seed: int

    def __str__(self) -> str:
        return (
            f"{self.num_kills} kills, {self.num_in_saves} of them half-way through writing a "
            f"checkpoint: {self.num_unreadable} unreadable checkpoints. {self.num_runs} runs "
            f"resumed to their end: {self.num_different} differ from the one that nothing stopped."
        )


def run(num_kills: int, num_in_saves: int, runs: Path, seed: int = 0) -> Crashes:
    """Kill `num_kills` times, `num_in_saves` of them inside a save.

    Args:
        num_kills: in all.
        num_in_saves: of them half-way through writing a checkpoint.
        runs: where run folders go; `runs/crashes` is emptied first.
        seed: of the moments.
    """
    rng = random.Random(seed)
    folder = runs / "crashes"
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    _finish(_train(_args(folder / "whole")))
    duration = time.perf_counter() - started
    expected = _weights(folder / "whole")
    plan = [True] * num_in_saves + [False] * (num_kills - num_in_saves)
    rng.shuffle(plan)
    in_saves = killed = unreadable = ended = different = 0
    current, args, hit = folder / "0", _args(folder / "0"), False
    moments = track(iter(plan), len(plan), "Killing")
    in_save = next(moments, None)
    while in_save is not None or hit:
        # With all kills done, the last run may come to its end.
        nth = rng.randint(1, _SAVES) if in_save else 0
        process = _train(args, nth)
        process.join(None if in_save in (True, None) else rng.uniform(0, duration))
        if process.is_alive():
            process.kill()
            process.join()
        if process.exitcode == -signal.SIGKILL:
            killed, in_saves, hit = killed + 1, in_saves + bool(in_save), True
            in_save = next(moments, None)
            unreadable += sum(not _readable(path) for path in current.glob("*/checkpoints/[!.]*"))
            if run_folders := list(current.glob("*/config.yaml")):
                args = ["--resume", str(run_folders[0].parent), *args[-1:]]
            continue
        _finish(process)
        if hit:
            ended += 1
            different += not _same(_weights(current), expected)
        shutil.rmtree(current)
        current, hit = folder / str(ended), False
        args = _args(current)
    return Crashes(killed, in_saves, unreadable, ended, different, seed)


def _args(runs: Path) -> list[str]:
    return [
        f"--config={CONFIGS / 'orl.yaml'}", f"--run.folder={runs}", "--run.draw_every=0",
        "--trainer.max_epochs=6", "--model.network.channels=[4,8]",
        "--trainer.enable_progress_bar=false",
    ]  # fmt: skip


def _train(args: Sequence[str], die_in_save: int = 0) -> multiprocessing.process.BaseProcess:
    # A server that has imported everything forks each child: imports would take longer than runs.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "facenet_demo.callbacks"])
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
