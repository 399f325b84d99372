"""The photos that a network is judged by: from a data module to `features`' plain tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import torch

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.faces.parts import PARTS, part_map
from facenet_demo.faces.views import random_view
from facenet_demo.features.dissection import NUM_BLOCKS
from facenet_demo.features.observe import View
from facenet_demo.features.survey import Evidence
from facenet_demo.system.errors import UserError

Device: TypeAlias = "str | torch.device"

MASK_STEP = 2  # side of the cells that carry one part's label, pixels
FACE_PARTS = [number for number, part in enumerate(PARTS) if part != "background"]


class JitteredViews:
    """Shifted, turned and scaled views of crops with the parts in them; the same every time.

    Args:
        data: whose crops.
        rows: of which views are taken; of more than `num_views` so many are drawn.
        num_views: how many at most.
        seed: of the views.
        device: where they go.
    """

    def __init__(
        self, data: FaceDataModule, rows: np.ndarray, num_views: int, seed: int, device: Device
    ) -> None:
        self._data = data
        self._seed = seed
        self._device = device
        self._rows = np.random.default_rng(seed).permutation(rows)[:num_views]

    def __iter__(self) -> Iterator[View]:
        rng = np.random.default_rng(self._seed)
        crops, window = self._data.crops, self._data.window
        # Whole rounds of the bootstrap's blocks, of batches no larger than memory likes.
        rounds = -(-len(self._rows) // (NUM_BLOCKS * 64))
        # And of two views at least: the parts of one are the other's position prior.
        num_batches = max(1, min(len(self._rows) // 2, rounds * NUM_BLOCKS))
        for rows in np.array_split(self._rows, num_batches):
            pixels, parts = [], []
            for row in rows:
                view, landmarks = random_view(
                    np.asarray(crops.images[row]), crops.landmarks[row], window, rng
                )
                pixels.append(view)
                parts.append(part_map(landmarks, window, MASK_STEP))
            images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
            numbers = torch.from_numpy(np.stack(parts))
            yield View(images.to(self._device), numbers.to(self._device))


def make_evidence(
    data: FaceDataModule,
    num_views: int,
    seed: int,
    device: Device = "cpu",
    held_out: np.ndarray | None = None,
    num_windows: int | None = None,
) -> Evidence:
    """What a network is shown, from training photos and from photos that did not teach it.

    Args:
        data: its crops and split.
        num_views: jittered views of each of the two, at most.
        seed: of the views.
        device: where all that the network is shown goes.
        held_out: rows of the crops that it is judged by; the test photos if None.
        num_windows: plain windows of each of the two, at most, spread evenly; all if None.

    Raises:
        UserError: if the split leaves fewer than two photos to test.
    """
    train = data.split.rows["train"]
    test = data.split.rows["test"] if held_out is None else held_out
    if len(test) < 2:
        raise UserError(
            f"Test photos: {len(test)}. What a network learned is measured on two or more photos "
            "that it never saw. Set `data.split.test` in training."
        )
    taught, judging = _spread(train, num_windows), _spread(test, num_windows)
    offset = (data.crop_settings.size - data.window) // 2
    landmarks = data.crops.landmarks[judging] - offset
    parts = [part_map(of_face, data.window, MASK_STEP) for of_face in landmarks]
    return Evidence(
        train_views=JitteredViews(data, train, num_views, seed, device),
        test_views=JitteredViews(data, test, num_views, seed + 1, device),
        part_names=PARTS,
        face_parts=FACE_PARTS,
        train_windows=data.windows(taught).to(device),
        test_windows=data.windows(judging).to(device),
        test_parts=torch.from_numpy(np.stack(parts)).to(device),
        train_labels=data.split.labels[taught],
        test_labels=data.split.labels[judging],
        num_people=len(data.people),
    )


def _spread(rows: np.ndarray, most: int | None) -> np.ndarray:
    if most is None or len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
