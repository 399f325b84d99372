from __future__ import annotations

from pathlib import Path

import pytest

from facenet_demo.data.sources import Folder
from facenet_demo.training.cli import parse
from facenet_demo.training.objectives import Naming
from facenet_demo.training.old_names import renewed
from facenet_demo.training.optimization import AdamW

OLD = """
data:
  source: {class_path: facenet_demo.datasets.Folder, init_args: {root: photos}}
model:
  optimizer: {class_path: facenet_demo.tasks.optimization.AdamW, init_args: {lr: 0.01}}
  label_smoothing: 0.3
"""


def test_a_config_of_before_means_the_same(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(OLD)
    recipe = parse([f"--config={tmp_path / 'config.yaml'}"]).recipe
    assert isinstance(recipe.data.source, Folder)
    assert recipe.optimizer == AdamW(lr=0.01)
    assert recipe.objective == Naming(label_smoothing=0.3)


def test_a_flag_of_before_holds_and_says_what_it_is_called_now(
    capsys: pytest.CaptureFixture,
) -> None:
    for args in (["--model.label_smoothing=0.3"], ["--model.label_smoothing", "0.3"]):
        assert parse(args).recipe.objective == Naming(label_smoothing=0.3)
        assert "--model.objective.label_smoothing" in capsys.readouterr().err


def test_what_is_not_old_stays() -> None:
    content = {"model": {"optimizer": "SGD"}, "a": ["facenet_demo.networks.FaceCNN", 1, None]}
    assert renewed(content) == content
