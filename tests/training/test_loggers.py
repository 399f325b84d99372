"""Who is told of a run: TensorBoard, others beside it, others instead, nobody."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.loggers.logger import Logger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from facenet_demo.training.cli import CONFIGS, follow, main


def arguments(people: Path, runs: Path, *more: str) -> list[str]:
    return [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        f"--run.folder={runs}", "--trainer.max_epochs=2", "--data.batch_size=4",
        "--model.network.channels=[4,8]", "--run.draw_every=1",
        "--trainer.enable_progress_bar=false", *more,
    ]  # fmt: skip


class Recorder(Logger):
    """Remembers what it was told; the newest one is `Recorder.made`."""

    made: Recorder

    def __init__(self, answer: int = 0) -> None:
        super().__init__()
        self.answer = answer
        self.settings: dict[str, Any] = {}
        self.figures: list[tuple[int | None, dict[str, float]]] = []
        Recorder.made = self

    @property
    def name(self) -> str:
        return "recorder"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.settings.update(params)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.figures.append((step, metrics))


def rows(file: Path) -> list[dict[str, float]]:
    """Of a CSV file, what is not empty in each."""
    with file.open(newline="") as opened:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(opened)]


def events(run: Path) -> list[Path]:
    return list(run.rglob("events.out.tfevents.*"))


def test_a_csv_file_instead_of_tensorboard(
    people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = follow(arguments(people_folder, tmp_path, "--trainer.logger=CSVLogger"))
    first, second, test = rows(run.folder / "lightning_logs/version_0/metrics.csv")
    assert (first["step"], second["step"]) == (1, 2)
    assert {"train/loss", "val/loss", "val/accuracy", "learning_rate"} <= second.keys()
    assert test["test/accuracy"] == pytest.approx(run.metrics["test/accuracy"])
    settings = yaml.safe_load((run.folder / "lightning_logs/version_0/hparams.yaml").read_text())
    assert settings["model.network.dropout"] == 0.4
    assert not events(run.folder)
    assert "tensorboard" not in capsys.readouterr().err
    assert run.metrics.keys() == json.loads((run.folder / "metrics.json").read_text()).keys()


def test_its_run_goes_on_and_its_config_names_no_folder(
    people_folder: Path, tmp_path: Path
) -> None:
    constant = "--model.schedule.name=constant"
    args = arguments(people_folder, tmp_path / "a", "--trainer.logger=CSVLogger", constant)
    run = follow(args).folder
    again = follow(["--resume", str(run), "--trainer.max_epochs=3"]).folder
    assert again == run
    assert [row["step"] for row in rows(run / "lightning_logs/version_0/metrics.csv")][:2] == [1, 2]
    assert rows(run / "lightning_logs/version_1/metrics.csv")[0]["step"] == 3
    other = follow([f"--config={run / 'config.yaml'}", f"--run.folder={tmp_path / 'b'}"]).folder
    assert (other / "lightning_logs/version_0/metrics.csv").exists()
    assert not (run / "lightning_logs/version_2").exists()


def test_a_csv_file_beside_tensorboard(people_folder: Path, tmp_path: Path) -> None:
    both = "--trainer.logger=[TensorBoardLogger, CSVLogger]"
    run = follow(arguments(people_folder, tmp_path, both)).folder
    losses = [row["val/loss"] for row in rows(run / "lightning_logs/version_0/metrics.csv")[:2]]
    drawn = EventAccumulator(str(run / "val")).Reload().Scalars("loss")
    assert [point.value for point in drawn] == pytest.approx(losses)
    assert "test/confusion_matrix" in EventAccumulator(str(run)).Reload().Tags()["images"]


def test_a_tensorboard_elsewhere(people_folder: Path, tmp_path: Path) -> None:
    flags = ["--trainer.logger=TensorBoardLogger", f"--trainer.logger.save_dir={tmp_path / 'tb'}"]
    run = follow(arguments(people_folder, tmp_path / "runs", *flags)).folder
    assert not events(run)
    board = tmp_path / "tb/lightning_logs/version_0"
    assert len(EventAccumulator(str(board / "train")).Reload().Scalars("loss")) == 2
    assert events(board)


def test_nobody_is_told(people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = follow(arguments(people_folder, tmp_path, "--trainer.logger=false"))
    assert not events(run.folder)
    assert "tensorboard" not in capsys.readouterr().err
    assert (run.folder / "curves.png").exists()
    assert main(["--resume", str(run.folder)]) == 0


@pytest.mark.parametrize("settings_too", [True, False])
def test_a_logger_of_ones_own(settings_too: bool, people_folder: Path, tmp_path: Path) -> None:
    flags = [f"--trainer.logger={__name__}.Recorder", "--trainer.logger.answer=42",
             f"--trainer.enable_autolog_hparams={settings_too}"]  # fmt: skip
    run = follow(arguments(people_folder, tmp_path, *flags))
    told = Recorder.made
    assert told.answer == 42
    assert [step for step, _ in told.figures] == [1, 2, 2]
    for _, figures in told.figures[:2]:
        assert {"train/loss", "train/accuracy", "val/loss", "learning_rate"} <= figures.keys()
    assert told.figures[2][1]["test/loss"] == pytest.approx(run.metrics["test/loss"])
    assert bool(told.settings) == settings_too


def test_drawing_or_not_trains_the_same_network(people_folder: Path, tmp_path: Path) -> None:
    losses = [
        follow(arguments(people_folder, tmp_path, f"--trainer.logger={logger}")).metrics[
            "test/loss"
        ]
        for logger in ("true", "false")
    ]
    assert losses[0] == losses[1]
