from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from facenet_demo.networks import FaceCNN, FaceNetwork, NetworkSettings, Torchvision
from facenet_demo.networks.checking import check_network


@dataclass(frozen=True)
class Claims(NetworkSettings):
    """A network that says of itself what it is told to."""

    layers: tuple[str, ...] | str = ("conv", "stages.0")
    blocks: tuple[str, ...] | str = ("conv",)
    first_layer: str = "conv"
    lazy: bool = False
    value: object = 0

    def build(self, num_classes: int) -> ClaimsNetwork:
        return ClaimsNetwork(self, num_classes)


class ClaimsNetwork(FaceNetwork):
    layers, blocks, first_layer = (), (), ""

    def __init__(self, settings: Claims, num_classes: int) -> None:
        super().__init__()
        self.layers, self.blocks = settings.layers, settings.blocks
        self.first_layer = settings.first_layer
        self.conv = nn.Conv2d(3, 4, 3)
        self.stages = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU())
        self.classifier = nn.LazyLinear(num_classes) if settings.lazy else nn.Linear(4, num_classes)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return self.stages(self.conv(self.normalize(images))).mean((2, 3))


@pytest.mark.parametrize("settings", [Claims(), FaceCNN(), Torchvision("swin_t")])
def test_what_says_the_truth_is_taken(settings: NetworkSettings) -> None:
    check_network(settings.build(3), settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Claims(layers=("conv", "stage")), r"layers has 'stage', .* conv, stages, stages\.0, st"),
        (Claims(blocks=("",)), "blocks has ''"),
        (Claims(layers="conv"), "layers must be a tuple of names, not 'conv'"),
        (Claims(layers=()), r"layers must be a tuple of names, not \(\)"),
        (Claims(first_layer="conv1"), r"first_layer is 'conv1'\. It must be .*, conv, stages"),
        (Claims(first_layer="classifier"), "first_layer is 'classifier'"),
        (Claims(first_layer="stages.0"), r"first_layer is 'stages\.0'.* 3 channels"),
        (Claims(value={"a": 1}), "value is not a plain value"),
        (Claims(lazy=True), r"classifier\.weight has no size yet"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_what_would_fail_later_is_said_at_once(settings: Claims, says: str) -> None:
    network = settings.build(3)
    with pytest.raises(ValueError, match=says):
        check_network(network, settings)
