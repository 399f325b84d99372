from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_training import quick

from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.networks.heads import CosineHead
from facenet_demo.training.cli import follow
from facenet_demo.training.objectives import Margin


def test_its_network_is_rebuilt_with_its_head(people_folder: Path, tmp_path: Path) -> None:
    run = follow(quick(people_folder, tmp_path, "--model.objective=Margin",
                       "--model.objective.scale=8"))  # fmt: skip
    head = load_checkpoint(run.folder).network.classifier
    assert isinstance(head, CosineHead)
    assert head.settings.scale == 8
    windows = run.data.windows(run.data.split.rows["test"])
    with torch.no_grad():
        scores = load_checkpoint(run.folder).network(windows)
    assert scores.abs().max() <= 8.001
    torch.testing.assert_close(scores, run.task.eval()(windows).detach())


def test_the_margin_costs_in_training_alone(people_folder: Path, tmp_path: Path) -> None:
    losses = {}
    for margin in (0.0, 0.5):
        run = follow(quick(people_folder, tmp_path, "--model.objective=Margin",
                           f"--model.objective.margin={margin}", "--trainer.max_epochs=1",
                           "--model.optimizer.lr=1e-9"))  # fmt: skip
        losses[margin] = run.metrics
    assert losses[0.0]["test/loss"] == pytest.approx(losses[0.5]["test/loss"], rel=1e-4)


def test_a_margin_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="margin must be at least 0"):
        Margin(margin=-1)
