from __future__ import annotations

import numpy as np
import pytest
import torch

from facenet_demo.features.levels import NUM_LEVELS, Levels, share_of_a_level


def units(number: int, seed: int = 0) -> torch.Tensor:
    """Values as four kinds of units have them."""
    rng = np.random.default_rng(seed)
    values = [
        rng.normal(size=number),
        np.maximum(rng.normal(size=number), 0),  # as a rectifier gives
        rng.exponential(size=number) ** 1.5,  # a long tail
        -rng.exponential(size=number),
    ]
    return torch.from_numpy(np.stack(values)).float()


def numbers_of(levels: Levels, values: torch.Tensor) -> torch.Tensor:
    return levels.of_bin.gather(1, levels.bins(values))


@pytest.mark.parametrize("share", [0.2, 0.1, 0.04, 0.02])
def test_some_level_begins_near_every_share_of_the_values(share: float) -> None:
    values = units(200_000)
    levels = Levels(values[:, :10_000])
    numbers = numbers_of(levels, values)
    above = (numbers[:, :, None] >= torch.arange(0, NUM_LEVELS)).float().mean(1)  # (U, L)
    assert (above - share).abs().min(1).values.numpy() == pytest.approx(0, abs=0.001)


def test_levels_go_by_value_and_begin_where_they_say() -> None:
    values = units(5_000, seed=1).sort(1).values
    levels = Levels(units(5_000))
    numbers = numbers_of(levels, values)
    assert (numbers.diff(dim=1) >= 0).all()
    asked = torch.tensor([[1, 20, 100, 150]] * 4)
    starts = levels.starts(asked)
    for i in range(asked.shape[1]):
        assert torch.equal(values >= starts[:, i, None], numbers >= asked[:, i, None])


def test_what_the_sample_did_not_have_is_told_apart_all_the_same() -> None:
    sample = torch.zeros(2, 100)
    sample[1] = torch.linspace(0, 8, 100)
    levels = Levels(sample)
    later = torch.tensor([[0.0, 1, 4, 8], [0, 4, 9, 11]])
    numbers = numbers_of(levels, later)
    assert (numbers.diff(dim=1) > 0).all(), "the first unit was silent, the second not so loud"
    beyond = torch.tensor([[-1e30, 1e30, torch.inf, torch.nan]] * 2)
    numbers = numbers_of(levels, beyond)
    assert (numbers[:, 0] == 0).all()
    assert ((numbers >= 0) & (numbers < NUM_LEVELS)).all()
    assert levels.starts(torch.full((2, 1), NUM_LEVELS)).isinf().all()


def test_units_that_never_change_have_one_level() -> None:
    sample = torch.full((3, 50), 7.0)
    levels = Levels(sample)
    numbers = numbers_of(levels, sample)
    assert len(numbers.unique()) == 1
    assert (levels.starts(numbers[:, :1] + 1) > 7).all()


def test_how_much_a_level_holds() -> None:
    shares = torch.tensor([0.9, 0.2, 0.04, 0.01])
    assert share_of_a_level(shares).tolist() == pytest.approx([0.1, 0.002, 0.002, 0.0005])
