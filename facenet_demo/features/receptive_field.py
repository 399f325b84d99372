"""Which pixels can a unit see?

    fields = receptive_fields(network, ["stages.0", "stages.2"], size=64)
    fields["stages.2"].size              # side of the largest patch, pixels
    fields["stages.2"].box(3, 5)         # xyxy of the patch of the map's row 3, column 5

Found by trying, for any network: a column of pixels is set to NaN, and whatever becomes NaN can see
it. What a layer norm, a group norm or a squeeze-and-excitation block lets through from the whole
image counts too, except for the statistics of normalisations, which are left out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from facenet_demo.features.trace import Trace, device_of, evaluating, maps_of

_NORMALIZATIONS = (nn.GroupNorm, nn.LayerNorm, nn.modules.instancenorm._InstanceNorm)
_LINES_AT_ONCE = 32
_AXES = {2: 3, 3: 2}  # rows and columns of (B, C, H, W); of each, the other


@dataclass(frozen=True)
class ReceptiveField:
    """The patches of one layer's maps.

    Attributes:
        rows: `(h, 2)` first pixel row that each row of the map can see, and the one after the last.
        columns: `(w, 2)` the same for columns.
    """

    rows: np.ndarray
    columns: np.ndarray

    @property
    def size(self) -> int:
        """Side of the largest patch, pixels; as large as the image if units see all of it."""
        return int(max(np.diff(self.rows).max(), np.diff(self.columns).max()))

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """The patch of one position as xyxy pixels; it ends at the image's border."""
        (top, bottom), (left, right) = self.rows[row].tolist(), self.columns[column].tolist()
        return left, top, right, bottom


def receptive_fields(
    network: nn.Module, layers: Sequence[str], size: int
) -> dict[str, ReceptiveField]:
    """The receptive fields of all positions of some layers' maps.

    Args:
        network: takes images `(B, 3, size, size)`.
        layers: dotted names. A layer without space sees the whole image.
        size: side of the image, pixels.
    """
    seen: dict[tuple[str, int], list[torch.Tensor]] = {
        (layer, axis): [] for layer in layers for axis in _AXES
    }
    device = device_of(network)
    handles = [
        module.register_forward_hook(lambda module, inputs, output: inputs[0])
        for module in network.modules()
        if isinstance(module, _NORMALIZATIONS)
    ]
    try:
        with evaluating(network), Trace(network, layers) as trace:
            for lines in torch.arange(size, device=device).split(_LINES_AT_ONCE):
                for axis in _AXES:
                    images = torch.full((len(lines), 3, size, size), 0.5, device=device)
                    for image, line in zip(images, lines, strict=True):
                        image.select(axis - 1, line).fill_(torch.nan)
                    network(images)
                    for layer in layers:
                        struck = maps_of(trace[layer]).isnan().any(dim=1)  # (B, h, w)
                        seen[layer, axis].append(struck.any(dim=_AXES[axis] - 1).cpu())
    finally:
        for handle in handles:
            handle.remove()
    return {
        layer: ReceptiveField(*(_spans(torch.cat(seen[layer, axis])) for axis in _AXES))
        for layer in layers
    }


def _spans(seen: torch.Tensor) -> np.ndarray:
    """`(size, h)` bool, does a line of the map see a line of the image, to `(h, 2)` from and to."""
    first = seen.int().argmax(dim=0)
    last = len(seen) - seen.flip(0).int().argmax(dim=0)
    return torch.stack([first, last], dim=1).numpy()
