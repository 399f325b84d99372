"""From stored crops to the windows that a network is shown, in one call a batch, on their device.

windows = CentreWindow(64)(crops)    # (B, 3, S, S) uint8 -> (B, 3, 64, 64) in [0, 1]
windows = RandomWindow(64, AugmentSettings())(crops)
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.system.fields import check_fields


@dataclass(frozen=True)
class AugmentSettings:
    """How much each training window may differ from the crop's centre; 0 switches a change off.

    Args:
        shift: Largest move, as a share of the window's side.
        scale: Largest growth or shrinking, as a share of the size.
        rotation: Largest turn, degrees.
        flip: Probability of a mirror image.
        brightness: Largest change of all pixels, in units of the white level.
        contrast: Largest change of contrast, as a share.
        erase: Probability of covering a random rectangle with noise (Zhong et al. 2017, arXiv
            1708.04896).
    """

    shift: float = 0.06
    scale: float = 0.1
    rotation: float = 10.0
    flip: float = 0.5
    brightness: float = 0.1
    contrast: float = 0.2
    erase: float = 0.25

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in asdict(self).items():
            most = {"rotation": 180, "brightness": math.inf, "contrast": math.inf}.get(name, 1)
            if not 0 <= value <= most:
                upto = f" and at most {most}" if most < math.inf else ""
                raise ValueError(f"{name} must be at least 0{upto}, not {value}.")


def to_pixels(windows: torch.Tensor) -> np.ndarray:
    """Windows `(..., 3, W, W)` in [0, 1] as `(..., W, W, 3)` uint8."""
    return (windows * 255).round().byte().movedim(-3, -1).cpu().numpy()


class CentreWindow(nn.Module):
    """The window in the crop's centre: what evaluation and inference see."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Crops `(B, 3, S, S)` uint8 to windows `(B, 3, W, W)` float in [0, 1]."""
        return self.cut(crops)[0]

    def cut(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The windows, and where each was cut: see `to_window`."""
        size = crops.shape[-1]
        start = (size - self.window) // 2
        end = start + self.window
        theta = torch.eye(2, 3, device=crops.device) * self.window / size
        return crops[..., start:end, start:end].float() / 255, theta.repeat(len(crops), 1, 1)


class RandomWindow(nn.Module):
    """A randomly shifted, scaled, turned, lit and covered window of each crop, one call a batch.

    All randomness comes from torch's generator of the crops' device, so a seed repeats it.
    """

    def __init__(self, window: int, settings: AugmentSettings) -> None:
        super().__init__()
        self.window = window
        self.settings = settings

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Crops `(B, 3, S, S)` uint8 to windows `(B, 3, W, W)` float in [0, 1]."""
        return self.cut(crops)[0]

    def cut(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The windows, and where each was cut: see `to_window`."""
        windows, theta = self._sample(crops)
        windows = self._relight(windows)
        return self._erase(windows), theta

    def _sample(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        s, size, count = self.settings, crops.shape[-1], len(crops)
        angle = _spread((count,), crops) * math.radians(s.rotation)
        zoom = torch.exp(_spread((count,), crops) * math.log1p(s.scale))
        zoom = zoom * self.window / size
        mirror = 1 - 2 * (torch.rand(count, device=crops.device) < s.flip).float()
        shift = _spread((count, 2), crops) * 2 * s.shift * self.window / size
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        rows = [torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)]
        theta = torch.cat([torch.stack(rows, 1), shift[:, :, None]], 2)  # (B, 2, 3)
        shape = [count, 3, self.window, self.window]
        grid = F.affine_grid(theta, shape, align_corners=False)
        pixels = crops.float() / 255
        windows = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
        return windows, theta

    def _relight(self, windows: torch.Tensor) -> torch.Tensor:
        s, shape = self.settings, (len(windows), 1, 1, 1)
        contrast = torch.exp(_spread(shape, windows) * math.log1p(s.contrast))
        brightness = _spread(shape, windows) * s.brightness
        mean = windows.mean(dim=(1, 2, 3), keepdim=True)
        return ((windows - mean) * contrast + mean + brightness).clamp(0, 1)

    def _erase(self, windows: torch.Tensor) -> torch.Tensor:
        count, device = len(windows), windows.device
        place = torch.arange(self.window, device=device)
        # Sides of 15 % to 45 % of the window: up to a fifth of it is covered.
        side = (torch.rand(count, 2, device=device) * 0.3 + 0.15) * self.window
        start = torch.rand(count, 2, device=device) * (self.window - side)
        rows, columns = (
            (place >= start[:, i, None]) & (place < (start + side)[:, i, None]) for i in (0, 1)
        )
        chosen = torch.rand(count, device=device) < self.settings.erase
        covered = rows[:, None, :, None] & columns[:, None, None, :] & chosen[:, None, None, None]
        return torch.where(covered, torch.rand_like(windows), windows)


def to_window(landmarks: torch.Tensor, theta: torch.Tensor, size: int) -> torch.Tensor:
    """Where the five landmarks of crops lie in windows cut from them.

    Args:
        landmarks: `(B, 5, 2)` x, y pixels of the crops.
        theta: `(B, 2, 3)`, from `cut`: maps places in the window to places in the crop, both from
            -1 to 1 between the outer edges.
        size: side of the crops, pixels.

    Returns:
        `(B, 5, 2)` x, y from 0 at the left and upper edge of the window to 1 at the other. In a
        mirrored window left and right have changed sides, as the landmarks are named as seen.
    """
    places = (2 * landmarks + 1) / size - 1  # pixel centres lie at whole numbers
    moved = places - theta[:, None, :, 2]
    found = torch.linalg.solve(theta[:, :, :2], moved.mT).mT  # (B, 5, 2)
    mirrored = torch.linalg.det(theta[:, :, :2]) < 0
    swapped = found[:, [1, 0, 2, 4, 3]]
    return (torch.where(mirrored[:, None, None], swapped, found) + 1) / 2


def _spread(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.rand(shape, device=like.device) * 2 - 1
