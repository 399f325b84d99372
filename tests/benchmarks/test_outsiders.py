from __future__ import annotations

import io
from pathlib import Path

import pytest
from drawing import draw_people
from rich.console import Console

from facenet_demo.benchmarks import outsiders
from facenet_demo.benchmarks.outsiders import Outsiders


def test_figures_come_from_a_real_training(
    people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One epoch; of 5 people one teaches, one sets the threshold and one judges it."""
    people = draw_people(tmp_path / "people", num_people=5, num_photos=5)
    real_train = outsiders.follow

    def short(args: list[str]) -> object:
        more = [
            "--data.split.min_photos=2", "--data.split.outsiders=3", "--data.split.background=1",
            "--trainer.max_epochs=1",
            "--model.network.channels=[4,8]", "--trainer.enable_progress_bar=false",
        ]  # fmt: skip
        return real_train([*args, *more])

    monkeypatch.setattr(outsiders, "follow", short)
    found = outsiders.run(1, people, tmp_path / "runs")
    assert found.seeds == [0]
    (metrics,) = found.metrics
    assert all(0 <= value <= 1 for value in metrics.values())


def test_the_table_holds_mean_and_range() -> None:
    values = [dict.fromkeys(outsiders._METRICS, value) for value in (0.5, 0.7)]
    console = Console(width=120, file=io.StringIO())
    with console.capture() as capture:
        console.print(outsiders.table(Outsiders([0, 1], values)))
    (line,) = (line for line in capture.get().splitlines() if "AUROC" in line)
    assert [cell.strip() for cell in line.split("│")[2:5]] == ["60.0 %", "50.0 %", "70.0 %"]
