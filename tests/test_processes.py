"""Trainings of several processes, and which of them writes where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from facenet_demo.training.cli import CONFIGS

TWICE = """
import sys
from facenet_demo.training.cli import follow

for _ in range(2):
    print(follow(sys.argv[1:]).folder.name, flush=True)
"""


def arguments(people: Path, runs: Path) -> list[str]:
    """On two devices, one epoch."""
    return [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        f"--run.folder={runs}", "--run.draw_every=0", "--data.batch_size=4",
        "--model.network.channels=[4,8]", "--trainer.max_epochs=1", "--trainer.devices=2",
        "--trainer.strategy=ddp", "--trainer.accelerator=cpu",
        "--trainer.enable_progress_bar=false",
    ]  # fmt: skip


def test_two_trainings_of_the_same_processes_have_a_folder_each(
    people_folder: Path, tmp_path: Path
) -> None:
    """Lightning starts the second process once; it goes through the script beside the first."""
    script, runs = tmp_path / "script.py", tmp_path / "runs"
    script.write_text(TWICE)
    args = arguments(people_folder, runs)
    result = subprocess.run(
        [sys.executable, str(script), *args], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    folders = sorted(path.name for path in runs.iterdir())
    assert len(folders) == 2
    assert sorted(result.stdout.split()) == sorted(folders * 2), "both processes know them"
    for folder in folders:
        assert json.loads((runs / folder / "metrics.json").read_text())["epochs"] == 1


def test_the_tasks_of_a_slurm_job_share_a_run(people_folder: Path, tmp_path: Path) -> None:
    job = {
        "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1",
        "SLURM_NODEID": "0", "SLURM_JOB_ID": f"{os.getpid()}", "SLURM_JOB_NAME": "faces",
        "SLURM_NODELIST": "127.0.0.1",
    }  # fmt: skip
    command = [sys.executable, str(CONFIGS.parent / "scripts/train.py")]
    tasks = [
        subprocess.Popen(
            [*command, *arguments(people_folder, tmp_path)],
            env={**os.environ, **job, "SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for task in range(2)
    ]
    said = [task.communicate(timeout=300)[1] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    (run,) = tmp_path.iterdir()
    assert json.loads((run / "metrics.json").read_text())["epochs"] == 1
