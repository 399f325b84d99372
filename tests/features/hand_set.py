"""Networks whose units are set by hand, so that what they respond to is known."""

from __future__ import annotations

import torch
from torch import nn


class ColourUnits(nn.Module):
    """Units that see one colour each, and one that is on around row 4, column 4, always.

    Images `(B, 3, 32, 32)`; `maps` has 4 units: red, green, blue, corner. The scores are the means
    of the first three.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maps = _Maps()
        self.read = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.read.weight.copy_(torch.eye(3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.read(self.maps(images)[:, :3].mean((2, 3)))


class _Maps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.colour = nn.Conv2d(3, 4, 1, bias=False)
        with torch.no_grad():
            self.colour.weight.zero_()
            # A colour less the other two, so that white and grey leave the unit silent.
            for unit in range(3):
                self.colour.weight[unit, :, 0, 0] = -1.0
                self.colour.weight[unit, unit, 0, 0] = 1.0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.colour(images).relu()
        away = (torch.arange(maps.shape[3]) - 4.0) ** 2
        corner = torch.exp(-(away[:, None] + away) / 32).expand_as(maps[:, :1])
        return torch.cat([maps[:, :3], corner], dim=1)
