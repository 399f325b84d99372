from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from optuna import TrialPruned
from rich.console import Console

from facenet_demo.benchmarks.search import run, table
from facenet_demo.search.study import Search


def test_a_benchmark_of_search_counts_what_the_trials_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainings are played: 9 of 10 seconds each; one is hopeless at a quarter, after 3."""

    def played(self, trial, chosen, seed, told) -> float:  # noqa: ANN001
        hopeless = self.prune and trial.number == 3
        trial.set_user_attr("training_seconds", 3.0 if hopeless else 9.0)
        if hopeless:
            trial.report(9.0, 5)
            raise TrialPruned
        return abs(np.log(chosen["model.optimizer.lr"] / 0.05))

    def noted(self, trial, told, of=Search._try) -> float:  # noqa: ANN001
        try:
            return of(self, trial, told)
        finally:
            trial.set_user_attr("seconds", 10.0)

    monkeypatch.setattr(Search, "_train", played)
    monkeypatch.setattr(Search, "_try", noted)
    results = run(4, 1, tmp_path)
    assert results.overhead == pytest.approx(0.1)
    assert results.pruned == 0.25
    assert results.saved == pytest.approx(9 / (3 * 9 + 12))
    for curves in results.best.values():
        assert len(curves[0]) == 4
        assert curves[0] == sorted(curves[0], reverse=True)
    console = Console(record=True, width=120)
    console.print(table(results))
    assert "after 4" in console.export_text()
    assert run(4, 1, tmp_path) == results  # nothing is searched again
