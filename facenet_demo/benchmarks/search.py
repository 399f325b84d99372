"""Grid, random and Bayesian search on ORL at equal budgets, and what searching costs.

    results = run(num_trials=20, repeats=3, folder=Path("runs/benchmark/search"))

All trainings are of configs/orl.yaml in small, judged on validation photos. What was interrupted
goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial, TrialState
from rich.table import Table

from facenet_demo.search.space import Setting
from facenet_demo.search.study import REPORTS, Sampler, Search, counted
from facenet_demo.training.cli import CONFIGS

_SAMPLERS: tuple[Sampler, ...] = ("grid", "random", "bayesian")
_ARGS = [
    f"--config={CONFIGS / 'orl.yaml'}", "--data.window=32", "--data.split.val=3",
    "--model.network.channels=[8,16,32]", "--trainer.max_epochs=20",
]  # fmt: skip
_SPACE = [
    Setting("model.optimizer.lr", "log", "benchmark", low=0.001, high=1.0, points=5),
    Setting("model.network.dropout", "float", "benchmark", low=0.0, high=0.6, step=0.2),
    Setting("data.batch_size", "choice", "benchmark", choices=(8, 16, 32)),
]


@dataclass(frozen=True)
class Searches:
    """What came of it.

    Attributes:
        best: for each sampler and repeat the lowest validation loss after each trial.
        overhead: share of the trials' seconds that training them without a search would not take:
            drawing settings, keeping the books.
        pruned: share of trials that were ended early, with pruning on.
        saved: share of the seconds that this saved, if a trial's epochs take equally long.
        pruned_best: for each repeat of the pruned Bayesian search its lowest validation loss.
    """

    best: dict[str, list[list[float]]]
    overhead: float
    pruned: float
    saved: float
    pruned_best: list[float]


def run(
    num_trials: int, repeats: int, folder: Path, args: Sequence[str] = (), seed: int = 0
) -> Searches:
    """Search with each sampler, `repeats` times, and once more with pruning.

    Args:
        num_trials: budget of each search.
        repeats: seeds.
        folder: where the searches go; what is there already is not searched again.
        args: more flags for the trainings.
        seed: the first one.
    """
    best: dict[str, list[list[float]]] = {sampler: [] for sampler in _SAMPLERS}
    full: list[FrozenTrial] = []
    pruned: list[FrozenTrial] = []
    pruned_best = []
    for repeat in range(seed, seed + repeats):
        for sampler in _SAMPLERS:
            trials = _trials(folder, sampler, num_trials, repeat, False, args)
            best[sampler].append(np.minimum.accumulate(_losses(trials)).tolist())
            full += trials
        trials = _trials(folder, "bayesian", num_trials, repeat, True, args)
        pruned_best.append(min(_losses(trials)))
        pruned += trials
    seconds = sum(trial.user_attrs["seconds"] for trial in full)
    training = sum(trial.user_attrs["training_seconds"] for trial in full)
    return Searches(
        best=best,
        overhead=1 - training / seconds,
        pruned=sum(trial.state == TrialState.PRUNED for trial in pruned) / len(pruned),
        saved=1 - sum(map(_seconds, pruned)) / sum(map(_seconds_to_the_end, pruned)),
        pruned_best=pruned_best,
    )


def table(results: Searches) -> Table:
    """A row for each sampler: the lowest loss after a quarter, half and all of the budget."""
    budget = len(next(iter(results.best.values()))[0])
    moments = sorted({max(1, budget // 4), max(1, budget // 2), budget})
    made = Table(
        title="ORL, lowest validation loss (lowest to highest repeat)", title_justify="left",
        caption=f"overhead {results.overhead:.1%}; with pruning {results.pruned:.0%} of trials "
        f"ended early, {results.saved:.0%} of the time saved",
    )  # fmt: skip
    made.add_column("sampler")
    for moment in moments:
        made.add_column(f"after {moment}", justify="right")
    for sampler, curves in results.best.items():
        cells = []
        for moment in moments:
            values = [curve[moment - 1] for curve in curves]
            cells.append(f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        made.add_row(sampler, *cells)
    return made


def _trials(
    folder: Path, sampler: Sampler, num_trials: int, seed: int, prune: bool, args: Sequence[str]
) -> list[FrozenTrial]:
    own = folder / f"{sampler}{'-pruned' * prune}-{num_trials}-{seed}"
    own.mkdir(parents=True, exist_ok=True)
    search = Search([*_ARGS, *args, f"--seed_everything={seed}"], _SPACE, own, num_trials, sampler,
                    prune, seed=seed)  # fmt: skip
    study = search.open()
    search.take_over(study)
    search.work(study)
    return counted(study)


def _losses(trials: Sequence[FrozenTrial]) -> list[float]:
    return [trial.value if trial.value is not None else float("inf") for trial in trials]


def _seconds(trial: FrozenTrial) -> float:
    return trial.user_attrs["training_seconds"]


def _seconds_to_the_end(trial: FrozenTrial) -> float:
    ended_early = trial.state == TrialState.PRUNED
    return _seconds(trial) * (REPORTS / trial.last_step if ended_early and trial.last_step else 1)
