"""What Lightning costs against the plainest code that does the same, and where a step's time goes.

speed = trainer_against_loop("orl.yaml", repeats=5, runs=Path("runs/benchmark"))
speed.comparison, speed.same_weights, speed.shares
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch

from facenet_demo.batches import EpochBatches, seed_device, step_seed
from facenet_demo.benchmarks.cost import Comparison
from facenet_demo.cli import CONFIGS, build
from facenet_demo.training import train

_EPOCHS = {"orl.yaml": 20, "lfw.yaml": 3}  # of each repeat


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
    config: str, repeats: int, runs: Path, lfw_root: Path | None = None
) -> Speed:
    """Training a shipped config through Lightning against a loop of a few lines.

    Same network, photos, seed, precision and schedule. The time is that of the epochs alone; the
    Trainer's includes its metrics, curves and checkpoints.

    Args:
        config: orl.yaml or lfw.yaml.
        repeats: how often both sides are run, in turn.
        runs: where run folders go.
        lfw_root: the folder lfw_funneled, for lfw.yaml.
    """
    args = [
        f"--config={CONFIGS / config}", f"--run.folder={runs}", "--run.draw_every=0",
        "--data.split.val=0", "--data.split.test=0", f"--trainer.max_epochs={_EPOCHS[config]}",
        "--trainer.enable_progress_bar=false",
    ]  # fmt: skip
    if lfw_root is not None:
        args.append(f"--data.source.root={lfw_root}")
    seconds: tuple[list[float], list[float]] = ([], [])
    same = True
    parts: dict[str, float] = defaultdict(float)
    for _ in range(repeats):
        run = train(args)
        seconds[0].append(float(run.metrics["seconds"]))
        weights = _loop(args, _EPOCHS[config], laps := _Laps())
        seconds[1].append(sum(laps.seconds.values()))
        for name, value in laps.seconds.items():
            parts[name] += value
        trained = run.task.network.state_dict()
        same = same and all(torch.equal(trained[name], weights[name]) for name in trained)
    whole = sum(seconds[0])
    parts["Trainer: metrics, hooks, checkpoints"] = whole - sum(parts.values())
    shares = {name: value / whole for name, value in parts.items()}
    return Speed(Comparison(f"Trainer, {config}", "hand-written loop", *seconds), same, shares)


class _Laps:
    """Seconds from one call to the next, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.last = 0.0

    def start(self) -> None:
        self.last = time.perf_counter()

    def __call__(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] += now - self.last
        self.last = now


def _loop(args: list[str], num_epochs: int, lap: _Laps) -> dict[str, torch.Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        cli = build([*args, f"--run.folder={folder}"])
    task, data, seed = cli.model, cli.datamodule, cli.config["seed_everything"]
    network = task.network.train()
    loader = data.train_dataloader()
    batches = loader.sampler
    assert isinstance(batches, EpochBatches)
    optimizer = task.optimizer_settings.build(network)
    scheduler = task.schedule.build(optimizer, num_epochs * len(batches))
    lap.start()
    for epoch in range(num_epochs):
        batches.set_epoch(epoch)
        for step, batch in enumerate(loader):
            lap("loading")
            seed_device(step_seed(seed, epoch, step, 0), batch.images.device)
            windows = data.random_window(batch.images)
            windows = windows.contiguous(memory_format=torch.channels_last)
            lap("augmentation")
            loss = task.loss(network(windows), batch.labels).mean()
            lap("forward")
            optimizer.zero_grad()
            loss.backward()
            lap("backward")
            optimizer.step()
            scheduler.step()
            lap("optimizer")
    return network.state_dict()
