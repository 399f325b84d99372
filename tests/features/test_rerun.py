from __future__ import annotations

from collections import Counter

import pytest
import torch
import torchvision
from torch import nn

from facenet_demo.features.rerun import rerun
from facenet_demo.features.trace import Trace, evaluating
from facenet_demo.networks import FaceCNN


class Odd(nn.Module):
    """A module that is used twice, one that puts out a pair, work in place, a skip around all."""

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.conv(x), x

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.twice = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.pair = self.Pair()
        self.middle = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = start = self.stem(x)
        x = self.twice(x)
        first, second = self.pair(x)
        x = self.middle(first + second)
        x.relu_()
        x = self.twice(x)
        start += x  # the stem's own output
        return self.last(start.mean((2, 3)))


def lively(network: nn.Module) -> nn.Module:
    """With numbers that are worth comparing."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network


NETWORKS = {
    "FaceCNN": (
        lambda: FaceCNN(channels=[4, 6, 8]).build(5),
        ["stages.0", "stages.1.0.conv", "stages.2", "pool", "classifier"],
    ),
    "odd": (Odd, ["stem", "pair.conv", "middle", "last"]),
    "resnet18": (
        torchvision.models.resnet18,
        ["bn1", "layer2.0.conv1", "layer2.0.downsample.0", "layer3.1", "fc"],
    ),
    "densenet121": (torchvision.models.densenet121, ["features.denseblock2.denselayer3.conv1"]),
    "mobilenet": (torchvision.models.mobilenet_v3_small, ["features.4.block.2.avgpool"]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_those_of_a_whole_pass(name: str) -> None:
    make, layers = NETWORKS[name]
    network = lively(make())
    images = torch.rand(3, 3, 32, 32)
    for layer in layers:
        with evaluating(network):
            whole = network(images)

            def edit(layer: str, output: torch.Tensor) -> torch.Tensor:
                return edited(output, 1)

            with Trace(network, [layer], edit=edit):
                expected = network(images)
        with rerun(network, layer, images) as rest:
            assert torch.equal(rest.answers, whole)
            for _ in range(2):  # what was held is still the same
                assert torch.equal(rest(edited(rest.output, 1)), expected), layer
            several = rest(torch.cat([rest.output, edited(rest.output, 1)]))
            assert torch.allclose(several, torch.cat([whole, expected]), atol=1e-5)
        assert not torch.equal(whole, expected), "or it would tell nothing"


def edited(output: torch.Tensor, unit: int) -> torch.Tensor:
    output = output.clone()
    output[:, unit] = 0.7
    return output


def test_what_comes_before_is_computed_once() -> None:
    network = FaceCNN(channels=[4, 6, 8]).build(5).eval()
    called = Counter[str]()
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_, name=name: called.update([name]))
    with rerun(network, "stages.1.1", torch.rand(2, 3, 32, 32)) as rest:
        for _ in range(5):
            rest(rest.output.clone())
    assert called["stages.0.conv"] == called["stages.1.0.conv"] == called["stages.1.1.conv"] == 1
    assert called["stages.2.1.conv"] == 1 + 5


def test_a_network_is_left_as_it_was_on_error_too() -> None:
    network = FaceCNN(channels=[4, 6]).build(3).train()
    images = torch.rand(2, 3, 16, 16)
    with pytest.raises(RuntimeError), rerun(network, "stages.0", images) as rest:
        rest(torch.zeros(2, 99, 3, 3))
    with pytest.raises(ValueError, match="Did you mean"), rerun(network, "stage.0", images):
        pass
    for module in network.modules():
        assert "forward" not in module.__dict__
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert module.training


def test_a_forward_that_was_set_by_hand_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten())
    network[0].forward = lambda x: 2 * x  # type: ignore[method-assign]
    own = network[0].forward
    with rerun(network, "1", torch.ones(1, 3, 2, 2)) as rest:
        assert (rest.answers == 2).all()
    assert network[0].forward is own
