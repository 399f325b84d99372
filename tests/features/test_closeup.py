from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from facenet_demo.features.closeup import closeup
from facenet_demo.features.receptive_field import receptive_fields
from facenet_demo.features.trace import Trace, maps_of
from facenet_demo.networks import FaceCNN


def maps(network: nn.Module, layer: str, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad(), Trace(network, [layer]) as trace:
        network(images)
    return maps_of(trace[layer])


@pytest.mark.parametrize("size", [64, 63, 50])
def test_a_part_of_the_image_gives_what_the_whole_gives(size: int) -> None:
    torch.manual_seed(0)
    network = FaceCNN(channels=[4, 6, 8]).build(3).eval()
    images = torch.rand(3, 3, size, size)
    fields = receptive_fields(network, network.blocks, size)
    sides = []
    for layer in network.blocks:
        near = closeup(network, layer, size, fields[layer])
        whole = maps(network, layer, images)
        found = near.middle(maps(network, layer, near.cut(images)))
        expected = whole[:, :, whole.shape[2] // 2, whole.shape[3] // 2]
        assert torch.allclose(found, expected, atol=1e-5), layer
        sides.append(near.rows[1] - near.rows[0])
    assert sides[0] <= 8, "the first layer sees 7 pixels"
    assert sides == sorted(sides)


class Strict(nn.Module):
    """Takes images of one size, as networks with places of patches do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        torch._assert(images.shape[-1] == 32, "Wrong image height!")
        return self.conv(images)


def test_where_no_part_will_do_it_is_the_whole() -> None:
    torch.manual_seed(0)
    by_norm = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(1, 4))  # which sees all of the image
    narrow = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 2))
    for network, layer, size in (
        (by_norm, "1", 32),
        (narrow, "2", 32),
        (Strict(), "conv", 32),
        (resnet18().eval(), "layer4", 64),
    ):
        field = receptive_fields(network, [layer], size)[layer]
        near = closeup(network, layer, size, field)
        assert near.rows == near.columns == (0, size), layer
        images = torch.rand(2, 3, size, size)
        whole = maps(network, layer, images)
        middle = whole[:, :, whole.shape[2] // 2, whole.shape[3] // 2]
        assert torch.equal(near.middle(maps(network, layer, near.cut(images))), middle)
