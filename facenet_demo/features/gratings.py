"""How much does each unit prefer edges of one direction?

    found = probe_gratings(network, ["stages.0"], size=64, faces=windows)
    found["stages.0"].selectivity        # (U,) 1: one direction only, 0: all the same
    found["stages.0"].drive              # (U,) response to stripes, as a share of that to faces

Sine gratings on mid-grey, as physiologists show them to cells of the visual cortex. Selectivity is
1 - circular variance of the responses over directions, at the unit's best spatial frequency
(Ringach et al. 2002, J. Neurosci. 22:5639): `|sum r exp(2i angle)| / sum r`, r the largest response
over phases above that to plain grey. A unit that stripes do not drive has no orientation to speak
of, whatever the ratio says, hence `score`, the product of both.

What it cannot tell: that the unit stands for an edge. Stripes drive a unit that wants an eyebrow as
well, and every threshold that comes after an edge detector sharpens its tuning, so selectivity
rises with depth in trained networks. A linear edge detector that is much smaller than the stripes
has 1/3. `effective` kernels tell edges from more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from facenet_demo.features.observe import Instrument, View, observe
from facenet_demo.features.trace import IMAGES_AT_ONCE, device_of

NUM_ORIENTATIONS = 12
FREQUENCIES = (0.04, 0.07, 0.11, 0.16, 0.22, 0.3)  # cycles per pixel
_PHASES = np.arange(4) * np.pi / 2
_CONTRAST = 0.3
_GREY = 0.5


@dataclass(frozen=True)
class Tuning:
    """What gratings do to the units of a layer.

    Attributes:
        response: `(U, F, A)` response above that to plain grey for each of `FREQUENCIES` and
            `NUM_ORIENTATIONS` directions over 180 degrees (0: vertical stripes), 0 or more.
        faces: `(U,)` mean over faces of the largest response above that to plain grey, 0 or more.
    """

    response: np.ndarray
    faces: np.ndarray

    @property
    def frequency(self) -> np.ndarray:
        """`(U,)` position in `FREQUENCIES` of the one with the largest response."""
        return self.response.max(axis=2).argmax(axis=1)

    @property
    def selectivity(self) -> np.ndarray:
        """`(U,)` 1 - circular variance over directions at the best frequency, in [0, 1]."""
        best = self.response[np.arange(len(self.response)), self.frequency]  # (U, A)
        turns = np.exp(2j * np.pi * np.arange(NUM_ORIENTATIONS) / NUM_ORIENTATIONS)
        total = best.sum(axis=1)
        return np.divide(np.abs(best @ turns), total, out=np.zeros(len(best)), where=total > 0)

    @property
    def drive(self) -> np.ndarray:
        """`(U,)` largest response to a grating as a share of that to faces, at most 1."""
        best = self.response.max(axis=(1, 2))
        ratio = np.divide(best, self.faces, out=np.ones(len(best)), where=self.faces > 0)
        return np.where(best > 0, ratio, 0).clip(0, 1)

    @property
    def score(self) -> np.ndarray:
        """`(U,)` selectivity x drive, in [0, 1]."""
        return self.selectivity * self.drive


def gratings(size: int) -> torch.Tensor:
    """Sine gratings `(F * A * 4, 3, size, size)` in [0, 1]: by frequency, direction and phase."""
    place = np.arange(size) - (size - 1) / 2
    y, x = np.meshgrid(place, place, indexing="ij")
    images = [
        np.sin(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)) + phase)
        for frequency in FREQUENCIES
        for angle in np.arange(NUM_ORIENTATIONS) * np.pi / NUM_ORIENTATIONS
        for phase in _PHASES
    ]
    grey = torch.from_numpy(_GREY + _CONTRAST * np.stack(images)).float()
    return grey[:, None].expand(-1, 3, -1, -1).contiguous()


def probe_gratings(
    network: nn.Module, layers: Sequence[str], size: int, faces: torch.Tensor
) -> dict[str, Tuning]:
    """Show gratings and faces to a network.

    Args:
        network: takes images `(B, 3, size, size)`.
        layers: dotted names.
        size: side of the images, pixels.
        faces: `(N, 3, size, size)` in [0, 1], what responses are compared with.
    """
    tuning = GratingTuning()
    device = device_of(network)
    batches = (images.to(device) for images in stimuli(size, faces))
    observe(network, layers, batches, [tuning])
    return tuning.result()


def stimuli(size: int, faces: torch.Tensor) -> Iterator[torch.Tensor]:
    """What `GratingTuning` has to be shown, in batches: plain grey, the gratings, the faces."""
    yield torch.full((1, 3, size, size), _GREY)
    yield from gratings(size).split(IMAGES_AT_ONCE)
    yield from faces.split(IMAGES_AT_ONCE)


class GratingTuning(Instrument[Tuning]):
    """Keeps the largest value in the middle half of each map: the border adds its own edges."""

    def __init__(self) -> None:
        self._peaks: dict[str, list[torch.Tensor]] = {}  # (B, U)

    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        maps = maps.float()
        rows, columns = (slice(side // 4, side - side // 4) for side in maps.shape[2:])
        peaks = maps[..., rows, columns].amax((2, 3)).cpu()
        self._peaks.setdefault(layer, []).append(peaks)

    def result(self) -> dict[str, Tuning]:
        """Layer -> tuning, once all of `stimuli` were shown."""
        shape = (len(FREQUENCIES), NUM_ORIENTATIONS, len(_PHASES))
        found = {}
        for layer, peaks in self._peaks.items():
            plain, striped, seen = torch.cat(peaks).tensor_split((1, 1 + math.prod(shape)))
            above = (striped - plain).clamp_min(0).view(*shape, -1).amax(2)  # (F, A, U)
            response = above.permute(2, 0, 1).double().numpy()
            to_faces = (seen - plain).clamp_min(0).mean(0).double().numpy()
            found[layer] = Tuning(response, to_faces)
        return found
