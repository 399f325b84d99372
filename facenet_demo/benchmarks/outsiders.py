"""How well the network of a shipped config tells strangers from people it knows.

    results = run(num_seeds=3, lfw_root=Path("lfw_funneled"), runs=Path("runs/benchmark"))

Trains a config for LFW as it is shipped, with validation photos, over several seeds that also
choose the split. Temperature and threshold come from validation photos and strangers, every figure
from test photos and other strangers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from facenet_demo.training.cli import CONFIGS, follow

_METRICS = {
    "test/accuracy": "accuracy",
    "test/outsider_auroc": "AUROC, known against strangers",
    "test/named_at_threshold": "known faces rightly named",
    "test/outsiders_accepted": "strangers that get a name",
    "test/named_at_rate": "known faces rightly named where just 1 % of strangers are",
    "test/ece": "calibration error",
    "test/ece_uncalibrated": "the same before calibration",
}


@dataclass(frozen=True)
class Outsiders:
    """What came of it.

    Attributes:
        seeds: of split and training.
        metrics: for each seed the figures of metrics.json, in [0, 1].
    """

    seeds: list[int]
    metrics: list[dict[str, float]]


def run(num_seeds: int, lfw_root: Path | None, runs: Path, config: str = "lfw.yaml") -> Outsiders:
    """Train a shipped config with seeds 0, 1, ... and collect the figures."""
    args = [f"--config={CONFIGS / config}", f"--run.folder={runs}", "--run.draw_every=0"]
    if lfw_root is not None:
        args.append(f"--data.source.root={lfw_root}")
    found = []
    for seed in range(num_seeds):
        metrics = follow([*args, f"--seed_everything={seed}", f"--data.split.seed={seed}"]).metrics
        found.append({name: float(metrics[name]) for name in _METRICS})
    return Outsiders(list(range(num_seeds)), found)


def table(results: Outsiders) -> Table:
    """A row for each figure: mean and range over the seeds."""
    made = Table(title="LFW, 62 people, strangers: people with fewer photos", title_justify="left")
    made.add_column("on test photos")
    for head in ("mean", "lowest", "highest"):
        made.add_column(head, justify="right")
    for name, label in _METRICS.items():
        made.add_row(label, *_cells([metrics[name] for metrics in results.metrics]))
    return made


def _cells(values: Sequence[float]) -> list[str]:
    return [f"{100 * float(value):.1f} %" for value in (np.mean(values), min(values), max(values))]
