"""FaceCNN: a plain convolutional network whose layers are meant to be looked at.

    network = FaceCNN(channels=(32, 32, 64, 128), dropout=0.4).build(num_classes=40)
    scores = network(images)             # (B, 3, 64, 64) in [0, 1] -> (B, 40)

`stages.0` is one 7x7 convolution, large enough for its kernels to show an edge; each later stage
has two 3x3 convolutions, and from `stages.2` on each halves the resolution. No shortcuts, no
branches: a unit of a layer sees one square of the image and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.networks.base import FaceNetwork, NetworkSettings
from facenet_demo.system.fields import check_fields

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_FIRST_LAYER_SCALE = 0.1
NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "group": lambda channels: nn.GroupNorm(_num_groups(channels), channels),
    "none": nn.Identity,
}


@dataclass(frozen=True)
class FaceCNN(NetworkSettings):
    """A plain CNN: a 7x7 first layer, then stages of 3x3 convolutions.

    Args:
        channels: Number of units in each stage; its length is the number of stages. The first
            stage is the 7x7 layer, the second has its resolution, each later one halves it.
        convolutions: Number of 3x3 convolutions in each stage after the first.
        activation: What follows each convolution.
        normalization: What stands between a convolution and its activation.
        dropout: Share of the features hidden from the last layer in training, in [0, 1).
        first_stride: Step of the first layer in pixels; 1 keeps more detail and takes four times as
            long.
        grid: Side of the grid that the last maps are averaged to before the last layer: 1 forgets
            where a feature was seen, more keeps its rough place.
    """

    channels: tuple[int, ...] = (32, 32, 64, 128)
    convolutions: int = 2
    activation: Literal["relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid"] = "relu"
    normalization: Literal["batch", "group", "none"] = "batch"
    dropout: float = 0.4
    first_stride: int = 2
    grid: int = 2

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels must be one or more positive numbers, not {self.channels}.")
        for name in ("convolutions", "first_stride", "grid"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout}.")

    def build(self, num_classes: int) -> FaceCNNNetwork:
        return FaceCNNNetwork(self, num_classes)

    def largest_map(self, window: int) -> int:
        side = -(-window // self.first_stride)
        sides = [side, *(side >> i for i in range(len(self.channels) - 1))]
        return max(c * s**2 for c, s in zip(self.channels, sides, strict=True))


class FaceCNNNetwork(FaceNetwork):
    """The network that `FaceCNN` settings describe; see the module's first lines."""

    first_layer = "stages.0.conv"

    def __init__(self, settings: FaceCNN, num_classes: int) -> None:
        super().__init__()
        stages: list[nn.Module] = [
            _convolution(settings, 3, settings.channels[0], 7, settings.first_stride)
        ]
        for before, channels in zip(settings.channels, settings.channels[1:], strict=False):
            convolutions = [
                _convolution(settings, before if i == 0 else channels, channels, 3)
                for i in range(settings.convolutions)
            ]
            halve = [nn.MaxPool2d(2)] if len(stages) > 1 else []
            stages.append(nn.Sequential(*halve, *convolutions))
        self.stages = nn.Sequential(*stages)
        self.pool = _GridMean(settings.grid)
        self.dropout = nn.Dropout(settings.dropout)
        last = nn.Linear(settings.channels[-1] * settings.grid**2, num_classes)
        self.classifier = last
        self._initialize(settings, last)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(f"stages.{i}" for i in range(len(self.stages)))

    @property
    def blocks(self) -> tuple[str, ...]:
        return tuple(
            name for name, module in self.named_modules() if isinstance(module, _Convolution)
        )

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.stages(self.normalize(images))  # (B, U, h, w)
        return self.pool(maps).flatten(1)

    def _initialize(self, settings: FaceCNN, last: nn.Linear) -> None:
        # He et al. 2015 (arXiv 1502.01852) for rectifiers, Glorot and Bengio 2010 for the others.
        rectifier = settings.activation not in ("tanh", "sigmoid")
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if rectifier:
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                else:
                    nn.init.xavier_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if settings.normalization != "none":
            # The normalisation undoes the scale, but the smaller the weights, the sooner training
            # turns them: kernels then show what was learned, not the noise they started with.
            with torch.no_grad():
                self.get_parameter(f"{self.first_layer}.weight").mul_(_FIRST_LAYER_SCALE)
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)


class _GridMean(nn.Module):
    """Averages maps over the cells of a grid, as AdaptiveAvgPool2d does.

    That one's gradient has no deterministic version on a GPU, which torch says as an error.
    """

    def __init__(self, grid: int) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        height, width = maps.shape[-2:]
        if height % self.grid or width % self.grid:
            return F.adaptive_avg_pool2d(maps, self.grid)
        return F.avg_pool2d(maps, (height // self.grid, width // self.grid))


class _Convolution(nn.Sequential):
    """A convolution, its normalisation and its activation."""


def _convolution(
    settings: FaceCNN, before: int, channels: int, kernel: int, stride: int = 1
) -> _Convolution:
    normalization = NORMALIZATIONS[settings.normalization](channels)
    conv = nn.Conv2d(
        before,
        channels,
        kernel,
        stride,
        padding=kernel // 2,
        bias=settings.normalization == "none",  # a normalisation brings its own
    )
    return _Convolution(
        OrderedDict(conv=conv, norm=normalization, act=ACTIVATIONS[settings.activation]())
    )


def _num_groups(channels: int) -> int:
    return next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)
