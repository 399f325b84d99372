"""From what a user names to what is looked at: the run's folder, photos to measure on, faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.faces.photos import ImageError
from facenet_demo.networks.checkpoints import TrainedNetwork
from facenet_demo.predict.inputs import find_files
from facenet_demo.predict.reader import FaceReader
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text
from facenet_demo.training.cli import configured_data

Face: TypeAlias = tuple[str, torch.Tensor]  # title and window (3, W, W)

_NUM_EXAMPLES = 3


def run_folder(run: Path) -> Path:
    """The folder of a run that was named by itself or by a checkpoint file in it."""
    folder = run if run.is_dir() else run.absolute().parent
    return folder.parent if folder.name == "checkpoints" else folder


def measured_on(folder: Path, config: Path | None, trained: TrainedNetwork) -> FaceDataModule:
    """The photos that a network is measured on, cut as it was shown them.

    Args:
        folder: of its run.
        config: a training config that describes the photos; the run's own if None.
        trained: the network.

    Raises:
        UserError: if the config cannot be used, or photos that taught the network would judge it.
    """
    own = folder / "config.yaml"
    config = config or own
    if config == own and not own.is_file():
        raise UserError(
            f"{folder} has no config.yaml, so it is not known which photos to measure on. Name "
            "that of a training as `config`, such as configs/orl.yaml."
        )
    data = configured_data(config)
    check = data.split.check if config == own else data.split.check_unseen
    check(folder, data.crops)
    if (data.window, data.crop_settings.face_scale) != (trained.window, trained.face_scale):
        data = replace(data.settings, window=trained.window, face_scale=trained.face_scale).build()
    return data


def find_faces(paths: Sequence[Path], trained: TrainedNetwork) -> tuple[list[Face], list[str]]:
    """The faces in a user's photos, aligned as in training, and what went wrong.

    Args:
        paths: files and folders.
        trained: whose window it is.

    Returns:
        the faces; a sentence for each file without any.
    """
    reader = FaceReader(trained.window, trained.face_scale)
    faces: list[Face] = []
    files = find_files(paths)
    notes = [f"{as_text(folder)}: {why}." for folder, why in files.unreadable]
    for file in files.photos:
        name = as_text(file.name)
        try:
            windows = reader(file).windows
        except ImageError as error:
            notes.append(f"{name} could not be read: {error}.")
            continue
        if not len(windows):
            notes.append(f"{name}: no face was found.")
        many = len(windows) > 1
        faces += [
            (f"{name}, face {i + 1} from the left" if many else name, window)
            for i, window in enumerate(windows)
        ]
    return faces, notes


def example_faces(data: FaceDataModule) -> list[Face]:
    """The first test photo of a few people, where a user has none."""
    rows, labels = data.split.rows["test"], data.split.labels
    _, first = np.unique(labels[rows], return_index=True)
    some = rows[first[:: max(1, len(first) // _NUM_EXAMPLES)][:_NUM_EXAMPLES]]
    windows = data.windows(some)
    return [
        (f"{data.people[labels[row]]} (test photo)", window)
        for row, window in zip(some, windows, strict=True)
    ]
