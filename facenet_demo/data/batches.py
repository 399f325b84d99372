"""Which photos go into which step: decided by the seed, the epoch and the step alone.

    sampler = EpochBatches(len(rows), batch_size=32, shuffle=True, seed=0)
    loader = DataLoader(dataset, sampler=sampler, batch_size=None)    # dataset[[3, 1, 2]]

So a run can go on in the middle of an epoch, and several devices can share one, without any state
to be saved.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler, SequentialSampler

from facenet_demo.system.errors import UserError

NO_PHOTO = -1


class EpochBatches(Sampler[list[int]]):
    """Batches of positions for one device out of several.

    Shuffled, each epoch has its own order and leaves out at its end what does not fill a batch on
    every device. In order, each position comes once, on one device; where another device has one
    more, `NO_PHOTO` makes up for it, so that all take the same number of steps.

    Args:
        num_rows: positions 0 to `num_rows - 1` are handed out.
        batch_size: positions in a batch on each device.
        shuffle: for training.
        seed: another seed, other orders.
        rank: number of this device.
        num_devices: how many there are.
        done: epoch and number of its batches that an interrupted run has behind it; passes through
            that epoch leave them out.

    Raises:
        UserError: if there are fewer rows than devices.

    Attributes:
        epoch: whose order comes next.
    """

    def __init__(
        self,
        num_rows: int,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        num_devices: int = 1,
        done: tuple[int, int] = (0, 0),
    ) -> None:
        if num_rows < num_devices:
            raise UserError(
                f"{num_rows} photos are too few for {num_devices} devices, which need one each. "
                "Take fewer devices, or more photos to validate and test."
            )
        self.num_rows = num_rows
        self.batch_size = min(batch_size, num_rows // num_devices) if shuffle else batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.num_devices = num_devices
        self.done = done
        self.epoch = done[0]  # Lightning starts the first pass before it sets the epoch

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        together = self.batch_size * self.num_devices
        return self.num_rows // together if self.shuffle else -(-self.num_rows // together)

    def __iter__(self) -> Iterator[list[int]]:
        own = self.positions()
        for start in range(0, len(own), self.batch_size):
            yield own[start : start + self.batch_size].tolist()

    def positions(self) -> np.ndarray:
        """What this device still has to see in this epoch, `(P,)`: one batch after the other."""
        if self.shuffle:
            rng = np.random.default_rng([self.seed, self._order()])
            positions = rng.permutation(self.num_rows)
        else:
            missing = -self.num_rows % self.num_devices
            positions = np.append(np.arange(self.num_rows), np.full(missing, NO_PHOTO))
        own = positions[self.rank :: self.num_devices]
        epoch, steps = self.done
        start = steps if epoch == self.epoch else 0
        return own[start * self.batch_size : len(self) * self.batch_size]

    def _order(self) -> int:
        """The number of the order that the epoch takes."""
        return self.epoch


class SameBatches(EpochBatches, SequentialSampler):  # type: ignore[misc]
    """The batches of the first epoch in every epoch: a network that cannot learn them is broken.

    Lightning takes no sampler but a SequentialSampler for `overfit_batches`.
    """

    def _order(self) -> int:
        return 0


def step_seed(seed: int, epoch: int, step: int, rank: int) -> int:
    """The seed of all that is drawn by chance in one training step on one device."""
    return int(np.random.SeedSequence([seed, epoch, step, rank]).generate_state(1)[0])


def seed_device(seed: int, device: torch.device) -> None:
    """Seed what is drawn on a device; for a CPU without torch's long way around all other kinds."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)
