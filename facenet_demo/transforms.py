"""Pixels: from a photo file to RGB, and from stored crops to the windows a network is shown.

    image = read_image("photo.jpg")      # RGB uint8 (H, W, 3)
    windows = CentreWindow(64)(crops)    # (B, 3, S, S) uint8 -> (B, 3, 64, 64) in [0, 1]
    windows = RandomWindow(64, AugmentSettings())(crops)

Windows are cut in one call per batch, on whatever device the crops are.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import nn

MAX_PIXELS = 100_000_000


class ImageError(Exception):
    """A file that is not a photo, or not one that can be read; the message says why."""


def read_image(path: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a photo as it is meant to be seen.

    Args:
        path: any file that Pillow reads; of an animation the first frame.
        max_pixels: larger images are refused by their header, before decoding.

    Returns:
        RGB uint8 `(H, W, 3)`, turned as its EXIF orientation says.

    Raises:
        ImageError: naming what is wrong with the file.
    """
    try:
        with warnings.catch_warnings():
            # Our own limit below is stricter than Pillow's warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                width, height = file.size
                if width * height > max_pixels:
                    raise ImageError(f"{width} x {height} pixels are more than {max_pixels}")
                image = ImageOps.exif_transpose(file)
                if image.mode.startswith("I"):  # 16 bits, of which Pillow would cut off the upper
                    image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
                if image.mode == "P" and "transparency" in image.info:
                    image = image.convert("RGBA")  # what Pillow asks for; colours stay as they are
                return np.asarray(image.convert("RGB"))
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except Exception as error:  # Pillow's decoders raise whatever their formats inspire them to
        raise ImageError(_reason(path, error)) from error


def _reason(path: Path | str, error: Exception) -> str:
    path = Path(path)
    if path.is_file() and path.stat().st_size == 0:
        return "empty file"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"damaged image ({error})"


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
