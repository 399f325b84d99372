from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from torchvision.ops import SqueezeExcitation

from facenet_demo.features import effective
from facenet_demo.features.effective import effective_kernels
from facenet_demo.features.receptive_field import receptive_fields


def test_the_effective_kernel_of_a_first_layer_is_its_kernel() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 7, stride=2, padding=3))
    field = receptive_fields(network, ["0"], 32)["0"]
    found = effective_kernels(network, "0", torch.rand(5, 3, 32, 32), field, [0, 3])
    assert np.allclose(found, network[0].weight.detach()[[0, 3]].numpy(), atol=1e-6)


def test_two_linear_layers_are_one_kernel() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 2, 3, bias=False), nn.Conv2d(2, 1, 3, bias=False)
    network = nn.Sequential(first, second)
    field = receptive_fields(network, ["1"], 12)["1"]
    found = effective_kernels(network, "1", torch.rand(2, 3, 12, 12), field, [0])
    unit = torch.zeros(1, 3, 9, 9)
    expected = np.zeros((3, 5, 5))
    for colour in range(3):  # the answer to each single pixel
        for y in range(5):
            for x in range(5):
                unit.zero_()[0, colour, y, x] = 1
                expected[colour, y, x] = network(unit)[0, 0, 0, 0].item()
    assert np.allclose(found[0], expected, atol=1e-6)


def test_it_works_where_lightning_validates_and_leaves_no_gradient() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 21, padding=10))
    with torch.inference_mode():
        images = torch.rand(2, 3, 32, 32)
        field = receptive_fields(network, ["0"], 32)["0"]
        found = effective_kernels(network, "0", images, field, [0])
    assert found.shape == (1, 3, 15, 15)
    assert all(p.grad is None for p in network.parameters())


def test_units_are_the_same_one_by_one_and_several_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.GroupNorm(2, 8), nn.SiLU(), SqueezeExcitation(8, 4),
        nn.AvgPool2d(2), nn.Conv2d(8, 6, 3, groups=2), nn.GELU(), nn.Flatten(), nn.Linear(150, 9),
    )  # fmt: skip
    deep, images = resnet18(num_classes=9), torch.rand(3, 3, 32, 32)
    looks = [(plain, "5"), (plain, "8"), (deep, "layer2"), (deep, "fc")]

    def kernels() -> list[np.ndarray]:
        return [
            effective_kernels(
                network,
                layer,
                images,
                receptive_fields(network, [layer], 32)[layer],
                [5, 0, 3, 2, 1],
            )
            for network, layer in looks
        ]

    expected = kernels()
    monkeypatch.setattr(effective, "_units_at_once", lambda pixels: 2)
    for found, wanted in zip(kernels(), expected, strict=True):
        assert np.abs(wanted).max() > 0
        assert np.allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())
