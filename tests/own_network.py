"""A network of somebody else's, as they would write it: a module that is no part of the package."""

from __future__ import annotations

from pathlib import Path

SOURCE = '''
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from facenet_demo.networks import FaceNetwork, NetworkSettings


@dataclass(frozen=True)
class Tiny(NetworkSettings):
    """Two convolutions, and how much of them there is.

    Args:
        channels: Number of units in each layer.
    """

    channels: int = 8

    def build(self, num_classes: int) -> TinyNetwork:
        return TinyNetwork(self, num_classes)


class TinyNetwork(FaceNetwork):
    layers = ("first", "second")
    first_layer = "first"

    def __init__(self, settings: Tiny, num_classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, settings.channels, 5, stride=2, padding=2)
        self.second = nn.Conv2d(settings.channels, settings.channels, 3, padding=1)
        self.classifier = nn.Linear(settings.channels, num_classes)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.first(self.normalize(images)).relu()
        return self.second(maps).relu().mean((2, 3))
'''


def write_module(folder: Path, module: str, network: str = "Tiny") -> None:
    """Write `folder/MODULE.py`, whose network is called so."""
    (folder / f"{module}.py").write_text(SOURCE.replace("Tiny", network))
