from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.training.cli import CONFIGS, follow
from facenet_demo.training.evaluation import calibrate_and_test, score
from facenet_demo.training.train import TrainedRun


@pytest.fixture(scope="module")
def run(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """One of 3 people is set aside and a stranger to the others; read only."""
    return follow([
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people_folder}",
        f"--run.folder={tmp_path_factory.mktemp('runs')}", "--trainer.max_epochs=2",
        "--model.network.channels=[4,8]", "--trainer.enable_progress_bar=false",
        "--data.split.outsiders=1", "--run.draw_every=0", "--run.false_accept_rate=0.5",
    ])  # fmt: skip


def test_the_checkpoint_holds_the_calibration_of_the_network_in_it(run: TrainedRun) -> None:
    trained = load_checkpoint(run.folder / "checkpoints/best.ckpt")
    found = calibrate_and_test(trained.network, run.data, 0.5)
    assert found is not None
    assert trained.calibration == found.calibration
    assert found.calibration.threshold is not None
    assert found.metrics["temperature"] == run.metrics["temperature"]
    assert found.metrics["test/ece"] == pytest.approx(run.metrics["test/ece"], abs=1e-6)
    assert load_checkpoint(run.folder / "checkpoints/last.ckpt").calibration is None


def test_strangers_are_in_no_split(run: TrainedRun) -> None:
    split, people = run.data.split, run.data.crops.people
    (stranger,) = {people[row] for row in split.outsider_rows["val"]}
    assert stranger not in run.data.people
    assert len(run.data.people) == 2
    assert stranger not in {people[row] for rows in split.rows.values() for row in rows}


def test_scores_are_those_of_the_network_photo_by_photo(run: TrainedRun) -> None:
    rows = np.array([3, 0, 11])
    network = run.task.network.train()
    found = score(network, run.data, rows)
    assert network.training
    network.eval()
    with torch.no_grad():
        windows = [run.data.windows(rows[[i]]) for i in range(3)]
        expected = torch.cat([network.recognize(w)[1] for w in windows])
    torch.testing.assert_close(found, expected)
    assert score(network, run.data, rows[:0]).shape == (0, 2)


def test_the_diagrams_are_drawn(run: TrainedRun) -> None:
    with Image.open(run.folder / "reliability.png") as picture:
        assert picture.width > 400
    # With one stranger, who sets the threshold, none is left to test it.
    assert "test/outsider_auroc" not in run.metrics
