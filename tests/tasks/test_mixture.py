from __future__ import annotations

import torch

from facenet_demo.records import STRANGER
from facenet_demo.tasks.mixture import Mixture, mix


def test_strangers_are_their_share_and_another_ones_rest() -> None:
    torch.manual_seed(0)
    windows = torch.rand(200, 3, 5, 5)
    labels = torch.arange(200)
    labels[::2] = STRANGER
    mixed, (share, other) = mix(windows, labels)
    assert torch.equal(mixed[1::2], windows[1::2]), "whoever is to be named is not blended"
    for i in range(0, 200, 2):
        expected = share[i] * windows[i] + (1 - share[i]) * windows[other[i]]
        torch.testing.assert_close(mixed[i], expected)
    assert sorted(other.tolist()) == list(range(200)), "each is the other one once"
    assert 0 <= share.min() < 0.05
    assert 0.9 < share[::2].max() < 1
    assert (share[1::2] == 1).all()


def test_the_layout_stays_the_one_that_convolutions_are_fastest_with() -> None:
    windows = torch.rand(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    mixed, _ = mix(windows, torch.full((4,), STRANGER))
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_losses_are_blended_as_pictures_are() -> None:
    mixture = Mixture(torch.tensor([1.0, 0.25]), torch.tensor([1, 0]))
    assert mixture.of(torch.tensor([2.0, 4.0]), torch.tensor([9.0, 8.0])).tolist() == [2, 7]
