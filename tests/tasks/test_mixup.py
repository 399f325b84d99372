from __future__ import annotations

import pytest
import torch

from facenet_demo.tasks.mixup import Blend, mix


def test_each_picture_is_its_share_and_another_ones_rest() -> None:
    windows = torch.rand(64, 3, 5, 5)
    mixed, (share, other) = mix(windows, probability=1)
    for i in range(64):
        expected = share[i] * windows[i] + (1 - share[i]) * windows[other[i]]
        torch.testing.assert_close(mixed[i], expected)
    assert sorted(other.tolist()) == list(range(64)), "each is the other one once"
    assert 0.5 <= share.min() < 0.55 < 0.95 < share.max() <= 1


@pytest.mark.parametrize("probability", [0, 0.25])
def test_so_many_are_blended(probability: float) -> None:
    torch.manual_seed(0)
    windows = torch.rand(2000, 1, 1, 1)
    mixed, blend = mix(windows, probability)
    own = blend.share == 1
    assert torch.equal(mixed[own], windows[own])
    assert (~own).float().mean().item() == pytest.approx(probability, abs=0.03)


def test_the_layout_stays_the_one_that_convolutions_are_fastest_with() -> None:
    windows = torch.rand(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    assert mix(windows, 0.5)[0].is_contiguous(memory_format=torch.channels_last)


def test_losses_are_blended_as_pictures_are() -> None:
    blend = Blend(torch.tensor([1.0, 0.5]), torch.tensor([1, 0]))
    assert blend.of(torch.tensor([2.0, 4.0]), torch.tensor([9.0, 8.0])).tolist() == [2, 6]
