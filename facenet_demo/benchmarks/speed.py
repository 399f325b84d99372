"""What Lightning costs against the plainest code that does the same, and where a step's time goes.

speed = trainer_against_loop("orl.yaml", repeats=5, runs=Path("runs/benchmark"))
speed.comparison, speed.same_weights, speed.shares
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from facenet_demo.benchmarks.cost import Comparison
from facenet_demo.data.batches import EpochBatches, seed_device, step_seed
from facenet_demo.data.records import Batch
from facenet_demo.training.cli import CONFIGS, follow, parse
from facenet_demo.training.preparation import prepare

_EPOCHS = {"orl.yaml": 20, "lfw.yaml": 3, "lfw_gpu.yaml": 3}  # of each repeat


@dataclass(frozen=True)
class Speed:
    """What came of it.

    Attributes:
        comparison: seconds of both.
        same_weights: whether both ended with the same weights each time.
        shares: of the Trainer's time, in [0, 1], by part of a step; what the loop does not have is
            the Trainer's own.
    """

    comparison: Comparison
    same_weights: bool
    shares: dict[str, float]

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {share:.1%}" for name, share in self.shares.items())
        equal = "" if self.same_weights else "not "
        return f"{self.comparison}\nThe weights at the end are {equal}equal.\nA step: {parts}."


def trainer_against_loop(
    config: str,
    repeats: int,
    runs: Path,
    lfw_root: Path | None = None,
    num_epochs: int | None = None,
    flags: Sequence[str] = (),
) -> Speed:
    """Training a shipped config through Lightning against a loop of a few lines.

    Same network, photos, seed, precision and schedule, and batches from the same place. The time is
    that of the epochs alone; the Trainer's includes its metrics, curves and checkpoints.

    Args:
        config: orl.yaml, lfw.yaml or lfw_gpu.yaml.
        repeats: how often both sides are run, in turn; once more before, for the caches.
        runs: where run folders go.
        lfw_root: the folder lfw_funneled, for the last two.
        num_epochs: of each repeat; None takes a number that fits the config.
        flags: of train.py, beside the config's settings.
    """
    num_epochs = num_epochs or _EPOCHS[config]
    args = [
        f"--config={CONFIGS / config}", f"--run.folder={runs}", "--run.draw_every=0",
        "--data.split.val=0", "--data.split.test=0", "--trainer.enable_progress_bar=false", *flags,
    ]  # fmt: skip
    if lfw_root is not None:
        args.append(f"--data.source.root={lfw_root}")
    follow([*args, "--trainer.max_epochs=1"])
    _loop([*args, "--trainer.max_epochs=1"], 1)
    args.append(f"--trainer.max_epochs={num_epochs}")
    seconds: tuple[list[float], list[float]] = ([], [])
    same = True
    parts: dict[str, float] = defaultdict(float)
    for _ in range(repeats):
        run = follow(args)
        seconds[0].append(float(run.metrics["seconds"]))
        weights, laps = _loop(args, num_epochs)
        seconds[1].append(laps.total)
        if torch.cuda.is_available():  # whose parts can only be timed by waiting for each
            _, laps = _loop(args, num_epochs, wait=True)
        for name, value in laps.seconds.items():
            parts[name] += value * seconds[1][-1] / laps.total
        trained = run.task.network.state_dict()
        same = same and all(torch.equal(trained[name], weights[name].cpu()) for name in trained)
    whole = sum(seconds[0])
    parts["Trainer: metrics, hooks, checkpoints"] = whole - sum(parts.values())
    shares = {name: value / whole for name, value in parts.items()}
    return Speed(Comparison(f"Trainer, {config}", "hand-written loop", *seconds), same, shares)


class _Laps:
    """Seconds from one call to the next, by name; a GPU is waited for where `wait` says so."""

    def __init__(self, device: torch.device, wait: bool) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device = device
        self._wait = wait
        self._started = self._last = self._now(True)
        self.total = 0.0

    def __call__(self, name: str) -> None:
        now = self._now(self._wait)
        self.seconds[name] += now - self._last
        self._last = now

    def end(self) -> None:
        self.total = self._now(True) - self._started

    def _now(self, wait: bool) -> float:
        if wait and self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def _loop(
    args: list[str], num_epochs: int, wait: bool = False
) -> tuple[dict[str, torch.Tensor], _Laps]:
    with tempfile.TemporaryDirectory() as folder:
        training = prepare(parse([*args, f"--run.folder={folder}"]).recipe)
    task, data, seed = training.task, training.data, training.recipe.seed
    device = training.trainer.strategy.root_device
    network = task.network.to(device).train()
    loader = data.loader("train", device)
    batches = loader.sampler
    assert isinstance(batches, EpochBatches)
    optimizer = task.optimizer_settings.build(network)
    scheduler = task.schedule.build(optimizer, num_epochs * len(batches))
    lap = _Laps(device, wait)
    for epoch in range(num_epochs):
        batches.set_epoch(epoch)
        for step, batch in enumerate(loader):
            batch = Batch(*(x.to(device, non_blocking=True) for x in batch))
            lap("loading")
            seed_device(step_seed(seed, epoch, step, 0), device)
            windows = data.random_window(batch.images)
            windows = windows.contiguous(memory_format=torch.channels_last)
            lap("augmentation")
            loss = task.goal.losses(network(windows), batch).mean()
            lap("forward")
            optimizer.zero_grad()
            loss.backward()
            lap("backward")
            optimizer.step()
            scheduler.step()
            lap("optimizer")
    lap.end()
    return network.state_dict(), lap
