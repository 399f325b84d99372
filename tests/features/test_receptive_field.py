from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from facenet_demo.features.receptive_field import receptive_fields
from facenet_demo.features.trace import Trace, maps_of
from facenet_demo.networks import FaceCNN


def seen_by_gradient(network: nn.Module, layer: str, size: int) -> tuple[int, int, int, int]:
    """xyxy of the pixels with a gradient from the middle of the layer's maps.

    With positive weights, inputs and no pooling by maxima nothing cancels out.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.uniform_(module.weight, 0.1, 1)
    image = torch.rand(1, 3, size, size, dtype=torch.double, requires_grad=True)
    with Trace(network.double().eval(), [layer], keep_grad=True) as trace:
        network(image)
    maps = maps_of(trace[layer])
    (gradient,) = torch.autograd.grad(
        maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2].sum(), image
    )
    rows, columns = (gradient[0].abs().sum((0, axis)).nonzero() for axis in (2, 1))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def without_maxima(network: nn.Module) -> nn.Module:
    """The network with means in place of maxima, which see as far and pass all gradients on."""
    for parent in list(network.modules()):
        for name, module in parent.named_children():
            if isinstance(module, nn.MaxPool2d):
                pool = nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
                setattr(parent, name, pool)
    return network


@pytest.mark.parametrize("channels", [(32, 32, 64, 128), (16, 24, 48, 96)])
def test_those_of_the_shipped_networks_are_those_of_gradients(channels: tuple[int, ...]) -> None:
    network = FaceCNN(channels=channels).build(5)
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    fields = receptive_fields(network, layers, 64)
    network = without_maxima(network)
    for layer in layers:
        field = fields[layer]
        middle = field.box(len(field.rows) // 2, len(field.columns) // 2)
        assert middle == seen_by_gradient(network, layer, 64), layer


def test_those_of_a_resnet_are_those_of_gradients() -> None:
    network = torchvision.models.resnet18()
    layers = ["conv1", "layer1", "layer2.0", "layer2", "layer3.0.conv1", "layer3"]
    fields = receptive_fields(network, layers, 160)
    assert [fields[layer].size for layer in layers] == [7, 43, 67, 99, 115, 160]
    network = without_maxima(network)
    for layer in layers:
        field = fields[layer]
        middle = field.box(len(field.rows) // 2, len(field.columns) // 2)
        assert middle == seen_by_gradient(network, layer, 160), layer


def test_a_field_ends_at_the_border_and_may_be_no_square() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, (3, 5), padding=(1, 2)))
    field = receptive_fields(network, ["0"], 8)["0"]
    assert field.box(0, 0) == (0, 0, 3, 2)
    assert field.box(4, 3) == (1, 3, 6, 6)
    assert field.size == 5


def test_a_layer_without_space_sees_all() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 4))
    field = receptive_fields(network, ["1"], 6)["1"]
    assert field.box(0, 0) == (0, 0, 6, 6)


def test_the_statistics_of_a_group_norm_do_not_count() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Conv2d(4, 4, 3))
    assert receptive_fields(network, ["2"], 9)["2"].size == 5
    assert not any(module._forward_hooks for module in network.modules())


def test_the_network_is_left_as_it_was() -> None:
    network = FaceCNN(channels=(4, 4)).build(2)
    network.stages[0].eval()
    modes = [module.training for module in network.modules()]
    before = network(torch.full((2, 3, 32, 32), 0.3))
    with pytest.raises(ValueError, match=r"stages\.1"):
        receptive_fields(network, ["stages.7"], 32)
    receptive_fields(network, ["stages.1"], 32)
    assert [module.training for module in network.modules()] == modes
    assert np.isfinite(before.detach().numpy()).all()
    assert all(p.grad is None for p in network.parameters())
