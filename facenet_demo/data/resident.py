"""Crops that lie on the device that works on them, where a step need not wait for its photos.

    if wanted("auto", num_bytes, device):
        loader = ResidentLoader(ResidentCrops(crops.images, labels, rows, device), batches)
    for batch in loader:                 # cut on the device, by positions that lie there too

The batches are those that a DataLoader reads from disk, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch

from facenet_demo.data.batches import EpochBatches
from facenet_demo.data.records import PADDED, Batch
from facenet_demo.system.errors import UserError

_SHARE = 4  # the part of a device's memory that crops take unasked: one in so many
_ROWS_AT_ONCE = 1024


def free_memory(device: torch.device) -> int | None:
    """Bytes of a GPU that nothing holds yet; None for any other device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def wanted(
    resident: Literal["auto", "always", "never"], num_bytes: int, device: torch.device
) -> bool:
    """Whether crops are to lie on a device.

    Args:
        resident: as in `DataSettings`. "auto" leaves them on disk where the device is no GPU: a CPU
            reads them as fast from there, and they take no memory of the process.
        num_bytes: of all crops that are needed.
        device: that works on them.

    Raises:
        UserError: if they always are, and do not fit.
    """
    if resident == "never":
        return False
    free = free_memory(device)
    if resident == "auto":
        return free is not None and _SHARE * num_bytes <= free
    if free is not None and num_bytes > free:
        raise UserError(
            f"`data.resident` always: the crops take {num_bytes / 2**30:.1f} GiB, and {device} has "
            f"{free / 2**30:.1f} GiB free. Set it auto, and they are read from disk."
        )
    return True


class ResidentCrops:
    """Crops that were copied to a device, with their labels and rows.

    Args:
        images: `(N, S, S, 3)` uint8, on disk or in memory.
        labels: `(N,)` int64.
        rows: `(R,)`, those of the N that are needed.
        device: where they go.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, rows: np.ndarray, device: torch.device
    ) -> None:
        # One more than there are, of what stands in place of a photo: NO_PHOTO is the last.
        self.images = torch.zeros(
            (len(rows) + 1, *images.shape[1:]), dtype=torch.uint8, device=device
        )
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            self.images[start : start + len(some)] = torch.from_numpy(images[some])
        known = np.stack([np.append(labels[rows], PADDED), np.append(rows, rows[-1])])
        self.known = torch.from_numpy(known).to(device)  # (2, R + 1), labels and rows


class ResidentLoader:
    """Batches of crops that lie on a device.

    Args:
        crops: R of them.
        batches: which of these go into which batch.

    Attributes:
        sampler: `batches`, under the name by which Lightning tells it the epoch.
        batch_sampler: none, which Lightning asks whether it shuffles.
    """

    batch_sampler = None

    def __init__(self, crops: ResidentCrops, batches: EpochBatches) -> None:
        self.sampler = batches
        self._crops = crops
        self._no_targets = torch.empty(0, device=crops.images.device)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        crops = self._crops
        # Of the whole epoch at once: then no step brings anything to the device.
        positions = torch.from_numpy(self.sampler.positions() % len(crops.images))
        positions = positions.to(crops.images.device)
        for start in range(0, len(positions), self.sampler.batch_size):
            chosen = positions[start : start + self.sampler.batch_size]
            images = crops.images.index_select(0, chosen).permute(0, 3, 1, 2)  # (B, 3, S, S)
            labels, rows = crops.known.index_select(1, chosen).unbind()
            yield Batch(images, labels, rows, self._no_targets)
