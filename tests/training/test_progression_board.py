from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from facenet_demo.features.measures import all_measures
from facenet_demo.training.cli import follow


def test_scores_and_the_progression_go_to_tensorboard(people_folder: Path, tmp_path: Path) -> None:
    run = follow(
        [
            "--config=configs/folder.yaml",
            f"--data.source.root={people_folder}",
            f"--run.folder={tmp_path}",
            "--run.measure_every=2",
            "--run.draw_every=0",
            "--trainer.max_epochs=4",
            "--trainer.enable_progress_bar=false",
            "--model.network.channels=[4,6,8]",
        ]
    )
    events = EventAccumulator(str(run.folder))
    events.Reload()
    for layer in run.task.network.layers:
        for measure in all_measures():
            scalars = events.Scalars(f"{measure.name}/{layer}")
            assert [scalar.step for scalar in scalars] == [2, 4]
            assert all(-1 <= scalar.value <= 1 for scalar in scalars)
        assert events.Images(f"test/patches/{layer}")
    assert events.Images("test/progression")


def test_measuring_changes_no_weight(people_folder: Path, tmp_path: Path) -> None:
    """What is drawn for measuring comes from generators of its own."""
    metrics = [
        follow(
            [
                "--config=configs/folder.yaml",
                f"--data.source.root={people_folder}",
                f"--run.folder={tmp_path / name}",
                f"--run.measure_every={every}",
                "--run.draw_every=0",
                "--trainer.max_epochs=2",
                "--trainer.enable_progress_bar=false",
                "--model.network.channels=[4,6]",
            ]
        ).metrics
        for name, every in (("with", 1), ("without", 0))
    ]
    same = ("val/loss", "test/loss", "test/accuracy")
    assert [metrics[0][key] for key in same] == pytest.approx([metrics[1][key] for key in same])
