"""Searches in small: few and short trainings, or none."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from facenet_demo.search.space import read_space
from facenet_demo.search.study import Search, counted
from facenet_demo.training.cli import CONFIGS


def small(people: Path, epochs: int = 2) -> list[str]:
    return [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        "--data.window=32", f"--trainer.max_epochs={epochs}", "--model.network.channels=[4]",
    ]  # fmt: skip


@cache
def _empty_database() -> bytes:
    """A storage without trials, made once: making one takes a second."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trials.sqlite3"
        optuna.storages.RDBStorage(f"sqlite:///{file}").engine.dispose()
        return file.read_bytes()


def make(people: Path, space_file: Path, folder: Path, **settings: object) -> Search:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "trials.sqlite3").exists():
        (folder / "trials.sqlite3").write_bytes(_empty_database())
    settings = {"num_trials": 4, "prune": False, **settings}
    return Search(small(people), read_space(space_file), folder, **settings)


def played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings that take no time: their loss follows from the settings."""

    def loss(
        self: Search, trial: optuna.Trial, chosen: dict[str, float], seed: int, told: object
    ) -> float:
        told(None)
        return abs(chosen["model.optimizer.lr"] - 0.05) + chosen["model.network.dropout"] + seed

    monkeypatch.setattr(Search, "_train", loss)


def params(study: optuna.Study) -> list[dict[str, float]]:
    return [t.params for t in counted(study) if t.state == TrialState.COMPLETE]
