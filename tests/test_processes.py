"""Trainings of several processes, and which of them writes where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from facenet_demo.cli import CONFIGS

TWICE = """
import sys
from facenet_demo.training import train

for _ in range(2):
    print(train(sys.argv[1:]).folder.name, flush=True)
"""


def test_two_trainings_of_the_same_processes_have_a_folder_each(
    people_folder: Path, tmp_path: Path
) -> None:
    """Lightning starts the second process once; it goes through the script beside the first."""
    script, runs = tmp_path / "script.py", tmp_path / "runs"
    script.write_text(TWICE)
    args = [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people_folder}",
        f"--run.folder={runs}", "--run.draw_every=0", "--data.batch_size=4",
        "--model.network.channels=[4,8]", "--trainer.max_epochs=1", "--trainer.devices=2",
        "--trainer.strategy=ddp", "--trainer.accelerator=cpu",
        "--trainer.enable_progress_bar=false",
    ]  # fmt: skip
    result = subprocess.run(
        [sys.executable, str(script), *args], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    folders = sorted(path.name for path in runs.iterdir())
    assert len(folders) == 2
    assert sorted(result.stdout.split()) == sorted(folders * 2), "both processes know them"
    for folder in folders:
        assert json.loads((runs / folder / "metrics.json").read_text())["epochs"] == 1
