"""All that only a machine with a GPU can show, in a few minutes.

    for part in run(Bench(runs=Path("runs/benchmark"), lfw_root=Path("lfw_funneled"))):
        part.figures, part.error

A part that fails says why, and the others still run. Without LFW the network of lfw_gpu.yaml is
trained on ORL.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias
from xml.etree import ElementTree

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from rich.table import Table

from facenet_demo.benchmarks.speed import trainer_against_loop
from facenet_demo.networks import FaceCNN
from facenet_demo.predict import Predictor
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, parse
from facenet_demo.training.train import TrainedRun, train
from facenet_demo.visualize.making import visualize

Figures: TypeAlias = dict[str, float | bool]

_TESTS = CONFIGS.parent / "tests/test_gpu.py"
_SECONDS_OF_TESTS = 180
_PHOTOS_TO_NAME = 200


@dataclass(frozen=True)
class Part:
    """What came of one part.

    Attributes:
        name: of `PARTS`.
        figures: what was measured, by name and unit; empty if it failed.
        seconds: that the part took.
        error: why it failed; None if it did not.
    """

    name: str
    figures: Figures
    seconds: float
    error: str | None = None


@dataclass
class Bench:
    """What all parts have in common.

    Args:
        runs: where run folders go.
        lfw_root: the folder lfw_funneled; None leaves LFW out.
        accelerator: "cpu" only tries out whether the parts run.
        num_epochs: of each training that is timed; two or more.
        repeats: how often the Trainer and the loop are run, in turn.

    Raises:
        UserError: if there is no GPU, or there are too few epochs.
    """

    runs: Path
    lfw_root: Path | None = None
    accelerator: Literal["gpu", "cpu"] = "gpu"
    num_epochs: int = 3
    repeats: int = 3

    def __post_init__(self) -> None:
        if self.accelerator == "gpu" and not torch.cuda.is_available():
            raise UserError(
                "There is no GPU here that torch can use. This benchmark needs one; `device` cpu "
                "only tries out whether its parts run."
            )
        if self.num_epochs < 2:
            raise UserError(f"`num_epochs` must be 2 or more, not {self.num_epochs}.")

    @property
    def flags(self) -> list[str]:
        """Of each training."""
        return [f"--trainer.accelerator={self.accelerator}"]

    @cached_property
    def own_network(self) -> list[str]:
        """The config with the network of lfw_gpu.yaml, and the flags that put it there."""
        if self.lfw_root is not None:
            return ["lfw_gpu.yaml"]
        recipe = parse([f"--config={CONFIGS / 'lfw_gpu.yaml'}"]).recipe
        assert isinstance(recipe.network, FaceCNN)
        channels = str(list(recipe.network.channels)).replace(" ", "")
        return [
            "orl.yaml", f"--model.network.channels={channels}",
            f"--data.batch_size={recipe.data.batch_size}",
        ]  # fmt: skip

    @property
    def full_epochs(self) -> int:
        """So many has lfw_gpu.yaml."""
        return parse([f"--config={CONFIGS / 'lfw_gpu.yaml'}"]).recipe.trainer["max_epochs"]

    def train(self, *more: str) -> tuple[TrainedRun, list[float]]:
        """Train the network of lfw_gpu.yaml for a few epochs; seconds of each but the first."""
        config, *flags = self.own_network
        args = [
            f"--config={CONFIGS / config}", f"--run.folder={self.runs}", "--run.draw_every=0",
            f"--trainer.max_epochs={self.num_epochs}", "--trainer.enable_progress_bar=false",
            *flags, *self.flags, *more,
        ]  # fmt: skip
        if self.lfw_root is not None:
            args.append(f"--data.source.root={self.lfw_root}")
        clock = _Clock()
        run = train(parse(args).recipe, [clock])
        return run, np.diff(clock.moments)[1:].tolist()

    @cached_property
    def run(self) -> TrainedRun:
        """A run with the network of lfw_gpu.yaml."""
        return self.train()[0]


class _Clock(Callback):
    """Notes when each epoch began and the last one ended.

    Between the two lie its steps, its validation and its checkpoints.
    """

    def __init__(self) -> None:
        self.moments: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note()

    def _note(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.moments.append(time.perf_counter())


def run(bench: Bench, parts: Sequence[str] = ()) -> Iterator[Part]:
    """Measure part by part.

    Args:
        bench: what they have in common.
        parts: names of `PARTS`; all if empty.
    """
    for name, measure in PARTS.items():
        if parts and name not in parts:
            continue
        started = time.perf_counter()
        figures: Figures = {}
        error = None
        try:
            figures = measure(bench)
        except UserError as said:
            error = str(said)
        except Exception as failed:  # whatever it is, the other parts are worth running
            error = f"{type(failed).__name__}: {' '.join(str(failed).split())}"
        yield Part(name, figures, time.perf_counter() - started, error)


def table(parts: Sequence[Part]) -> Table:
    """A row for each figure, or what a part failed of."""
    made = Table("part", "figure", "", title="On this machine", title_justify="left")
    for part in parts:
        rows: list[tuple[str, Any]] = [*part.figures.items()]
        if part.error is not None:
            rows.append(("failed", part.error))
        for number, (name, value) in enumerate([*rows, ("seconds in all", part.seconds)]):
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            made.add_row("" if number else part.name, name, shown)
    return made


def _orl(bench: Bench) -> Figures:
    return _against_loop(bench, "orl.yaml", num_epochs=4 * bench.num_epochs)  # which are short


def _lfw(bench: Bench) -> Figures:
    if bench.lfw_root is None:
        raise UserError("LFW is left out: set `lfw_root` to its folder.")
    return _against_loop(bench, "lfw.yaml")


def _lfw_gpu(bench: Bench) -> Figures:
    return _against_loop(bench, *bench.own_network)


def _against_loop(bench: Bench, config: str, *flags: str, num_epochs: int | None = None) -> Figures:
    found = trainer_against_loop(
        config,
        bench.repeats,
        bench.runs,
        None if config == "orl.yaml" else bench.lfw_root,
        num_epochs or bench.num_epochs,
        [*flags, *bench.flags],
    )
    speeds = 1 / found.comparison.ratios
    return {
        "photos per second, times those of the loop": float(np.median(speeds)),
        "lowest": float(speeds.min()),
        "highest": float(speeds.max()),
        "the loop's share of loading": found.shares["loading"],
        "equal weights": found.same_weights,
    }


def _epoch(bench: Bench) -> Figures:
    """Seconds of an epoch, validated, as shipped; and with crops on disk."""
    bench.run, seconds = bench.train()
    _, from_disk = bench.train("--data.resident=never")
    epoch = float(np.median(seconds))
    return {
        "seconds of an epoch": epoch,
        "with crops read from disk": float(np.median(from_disk)),
        f"seconds of {bench.full_epochs} epochs": epoch * bench.full_epochs,
    }


def _captured(bench: Bench) -> Figures:
    _, seconds = bench.train("--model.torch_compile=reduce-overhead")
    return {"seconds of an epoch": float(np.median(seconds))}


def _predict(bench: Bench) -> Figures:
    data = bench.run.data
    rows = data.split.rows["test"][:_PHOTOS_TO_NAME]
    files = [Path(data.crops.files[row]) for row in rows]
    predictor = Predictor(bench.run.folder)
    predictor(files[0])
    started = time.perf_counter()
    named = list(predictor.stream(files))
    return {"photos per second": len(named) / (time.perf_counter() - started)}


def _tests(bench: Bench) -> Figures:
    """tests/test_gpu.py, in a process of its own."""
    if not _TESTS.exists():
        raise UserError(f"There is no {_TESTS}: tests come with the repository alone.")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n0", str(_TESTS), f"--junitxml={report}"]
        done = subprocess.run(
            command, cwd=_TESTS.parents[1], capture_output=True, text=True,
            timeout=_SECONDS_OF_TESTS,
        )  # fmt: skip
        if not report.exists():
            raise RuntimeError((done.stdout + done.stderr).strip().splitlines()[-1])
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    counted = {
        name: sum(int(suite.get(name, 0)) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    }
    failed = counted["failures"] + counted["errors"]
    passed = counted["tests"] - failed - counted["skipped"]
    return {"passed": passed, "failed": failed, "skipped": counted["skipped"]}


def _report(bench: Bench) -> Figures:
    folder = bench.run.folder
    started = time.perf_counter()
    visualize(folder, overwrite=True)
    return {"seconds of a report": time.perf_counter() - started}


PARTS: dict[str, Callable[[Bench], Figures]] = {
    "orl": _orl,
    "lfw": _lfw,
    "lfw_gpu": _lfw_gpu,
    "epoch": _epoch,
    "captured": _captured,
    "tests": _tests,
    "predict": _predict,
    "report": _report,
}
