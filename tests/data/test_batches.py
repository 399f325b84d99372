from __future__ import annotations

import numpy as np
import pytest

from facenet_demo.data.batches import NO_PHOTO, EpochBatches, step_seed
from facenet_demo.system.errors import UserError


def all_devices(num_rows: int, batch_size: int, num_devices: int, **settings: object) -> list[list]:
    """The batches of each device."""
    return [
        list(EpochBatches(num_rows, batch_size, rank=r, num_devices=num_devices, **settings))
        for r in range(num_devices)
    ]


@pytest.mark.parametrize("num_devices", [1, 2, 3])
@pytest.mark.parametrize(("num_rows", "batch_size"), [(3, 1), (7, 2), (12, 4), (13, 4), (5, 100)])
def test_in_order_each_position_comes_once_and_devices_take_equal_steps(
    num_rows: int, batch_size: int, num_devices: int
) -> None:
    devices = all_devices(num_rows, batch_size, num_devices)
    handed_out = [p for batches in devices for batch in batches for p in batch]
    assert sorted(p for p in handed_out if p != NO_PHOTO) == list(range(num_rows))
    assert handed_out.count(NO_PHOTO) == -num_rows % num_devices
    sizes = [[len(batch) for batch in batches] for batches in devices]
    assert all(own == sizes[0] for own in sizes)
    assert len(EpochBatches(num_rows, batch_size, num_devices=num_devices)) == len(sizes[0])


@pytest.mark.parametrize("num_devices", [1, 2, 3])
@pytest.mark.parametrize(("num_rows", "batch_size"), [(3, 1), (7, 2), (12, 4), (13, 4), (5, 100)])
def test_shuffled_no_position_comes_twice_and_less_than_a_step_is_left_out(
    num_rows: int, batch_size: int, num_devices: int
) -> None:
    devices = all_devices(num_rows, batch_size, num_devices, shuffle=True)
    handed_out = [p for batches in devices for batch in batches for p in batch]
    assert len(handed_out) == len(set(handed_out))
    assert set(handed_out) <= set(range(num_rows))
    together = min(batch_size, num_rows // num_devices) * num_devices
    assert len(handed_out) == num_rows // together * together
    assert {len(batch) for batches in devices for batch in batches} == {together // num_devices}


def test_an_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        batches = EpochBatches(50, 7, shuffle=True, seed=seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert order(1, 2) == order(1, 2)
    orders = [order(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert all(a != b for i, a in enumerate(orders) for b in orders[:i])


def test_positions_left_out_are_others_each_epoch() -> None:
    batches = EpochBatches(10, 4, shuffle=True)
    left_out = set()
    for epoch in range(40):
        batches.set_epoch(epoch)
        left_out |= set(range(10)) - {p for batch in batches for p in batch}
    assert left_out == set(range(10))


@pytest.mark.parametrize("steps", [0, 1, 3, 5])
def test_an_epoch_goes_on_after_the_batches_that_were_done(steps: int) -> None:
    def batches(epoch: int, done: tuple[int, int]) -> list[list[int]]:
        sampler = EpochBatches(23, 4, shuffle=True, seed=3, done=done)
        sampler.set_epoch(epoch)
        return list(sampler)

    for epoch in (2, 3):
        whole = batches(epoch, (0, 0))
        assert len(whole) == 5
        assert batches(epoch, (2, steps)) == whole[steps if epoch == 2 else 0 :]


def test_the_first_pass_is_of_the_epoch_that_was_interrupted() -> None:
    """Lightning starts it before it says which epoch it is."""
    sampler = EpochBatches(23, 4, shuffle=True, seed=3, done=(2, 1))
    first = list(sampler)
    sampler.set_epoch(2)
    assert first == list(sampler)


def test_more_devices_than_photos_is_an_error() -> None:
    with pytest.raises(UserError, match="2 photos are too few for 3 devices"):
        EpochBatches(2, 4, num_devices=3)


def test_every_step_draws_by_a_seed_of_its_own() -> None:
    steps = np.ndindex(3, 3, 3, 3)
    seeds = [step_seed(*step) for step in steps]
    assert len(set(seeds)) == 81
    assert step_seed(0, 1, 2, 3) == step_seed(0, 1, 2, 3)
