from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from facenet_demo.features.gratings import (
    FREQUENCIES,
    NUM_ORIENTATIONS,
    Tuning,
    gratings,
    probe_gratings,
)


def gabor(angle: float, frequency: float = 0.16, size: int = 13) -> torch.Tensor:
    place = torch.arange(size) - size // 2
    y, x = torch.meshgrid(place, place, indexing="ij")
    along = x * np.cos(angle) + y * np.sin(angle)
    wave = torch.exp(-(x**2 + y**2) / 18) * torch.cos(2 * torch.pi * frequency * along)
    return wave - wave.mean()


def network_of(*kernels: torch.Tensor) -> nn.Module:
    conv = nn.Conv2d(3, len(kernels), 13, padding=6, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.stack(kernels)[:, None].expand(-1, 3, -1, -1))
    return nn.Sequential(conv, nn.ReLU())


def test_the_unit_for_vertical_stripes_is_found_to_be_one() -> None:
    faces = torch.rand(4, 3, 64, 64)
    blob = torch.exp(-((torch.arange(13.0) - 6) ** 2)[:, None] / 8).expand(13, 13)
    disc = blob * blob.T
    network = network_of(gabor(0), gabor(np.pi / 2), gabor(np.pi / 4), disc)
    found = probe_gratings(network, ["1"], 64, faces)["1"]
    best = found.response.max(axis=1).argmax(axis=1)
    assert best[:3].tolist() == [0, NUM_ORIENTATIONS // 2, NUM_ORIENTATIONS // 4]
    assert [FREQUENCIES[i] for i in found.frequency[:3]] == [0.16] * 3
    assert found.selectivity[:3].min() > 0.75
    assert found.selectivity[3] < 0.05, "a disc has no direction"


def test_selectivity_is_one_less_the_circular_variance() -> None:
    angles = np.arange(NUM_ORIENTATIONS) * np.pi / NUM_ORIENTATIONS
    response = np.zeros((3, len(FREQUENCIES), NUM_ORIENTATIONS))
    response[0, 2, 4] = 1  # one direction only
    response[1, 3] = 2  # all the same
    response[2, 1] = 1 + np.cos(2 * (angles - 0.7))  # first harmonic: 1/2
    found = Tuning(response, faces=np.array([1.0, 4.0, 0.0]))
    assert found.selectivity == pytest.approx([1, 0, 0.5], abs=1e-9)
    assert found.drive == pytest.approx([1, 0.5, 1])
    assert found.score == pytest.approx([1, 0, 0.5])


def test_a_unit_that_nothing_drives_has_no_orientation() -> None:
    conv = nn.Conv2d(3, 1, 3, padding=1)
    with torch.no_grad():
        conv.weight.zero_()
        conv.bias.fill_(1.0)
    found = probe_gratings(nn.Sequential(conv), ["0"], 32, torch.rand(2, 3, 32, 32))["0"]
    assert (found.selectivity[0], found.drive[0], found.score[0]) == (0, 0, 0)


def test_gratings_turn_and_repeat() -> None:
    images = gratings(50).view(len(FREQUENCIES), NUM_ORIENTATIONS, 4, 3, 50, 50)
    assert images.min() >= 0
    assert images.max() <= 1
    vertical = images[0, 0, 0, 0]  # 0.04 cycles per pixel: the same again after 25 pixels
    assert torch.allclose(vertical, vertical[:1].expand(50, -1), atol=1e-5)
    assert torch.allclose(vertical[:, :25], vertical[:, 25:], atol=1e-5)
    horizontal = images[0, NUM_ORIENTATIONS // 2, 0, 0]
    assert torch.allclose(horizontal, vertical.T, atol=1e-5)
