"""What the middle of a layer's map sees of an image: what lies around need not be computed.

    near = closeup(network, "stages.1", 64, field)
    near.cut(images)                     # (B, 3, 24, 24) of (B, 3, 64, 64)
    near.middle(maps)                    # (B, U), what maps of those have where the whole's have it

A 7 x 7 kernel's unit in the middle of a picture of 64 x 64 sees a hundredth of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from facenet_demo.features.receptive_field import ReceptiveField
from facenet_demo.features.trace import Trace, device_of, evaluating, maps_of

_WORTH_IT = 0.7  # of the image's area: a part larger than that saves nothing
_TOLERANCE = 1e-4  # of the largest value: rounding


@dataclass(frozen=True)
class Closeup:
    """A part of an image, and what stands for the middle of the whole image's map in its own.

    Attributes:
        rows, columns: of the image's pixels, from and to.
        row, column: of the map that the layer makes of the part.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    row: int
    column: int

    def cut(self, images: torch.Tensor) -> torch.Tensor:
        """The part of images `(..., H, W)`, or of anything else that lies in such a grid."""
        return images[..., slice(*self.rows), slice(*self.columns)]

    def middle(self, maps: torch.Tensor) -> torch.Tensor:
        """What maps `(B, U, h, w)` of parts have there, `(B, U)`."""
        return maps[:, :, self.row, self.column]


def closeup(network: nn.Module, layer: str, size: int, field: ReceptiveField) -> Closeup:
    """The smallest part of an image that will do.

    Whether it does is tried out: in a network that takes only images of one size, or whose units
    hang on the whole image by way of a normalisation, it is the whole image.

    Args:
        network: takes images `(B, 3, size, size)`.
        layer: dotted name.
        size: side of the images, pixels.
        field: of the layer.
    """
    (rows, row), (columns, column) = (_needed(spans, size) for spans in (field.rows, field.columns))
    near = Closeup(rows, columns, row, column)
    whole = Closeup((0, size), (0, size), len(field.rows) // 2, len(field.columns) // 2)
    area = (rows[1] - rows[0]) * (columns[1] - columns[0])
    if area < _WORTH_IT * size**2 and _stands_for(near, whole, network, layer, size):
        return near
    return whole


def _needed(spans: np.ndarray, size: int) -> tuple[tuple[int, int], int]:
    """What the middle of some lines `(h, 2)` sees, by whole strides, and its place therein."""
    middle = len(spans) // 2
    start, end = (int(pixel) for pixel in spans[middle])
    if len(spans) < 2 or start == 0 or end == size:
        return (0, size), middle  # it may see more, that is not there
    stride = int(spans[middle, 0] - spans[middle - 1, 0])
    stride = max(stride, 1)
    first = start // stride
    return (first * stride, min(size, -(-end // stride) * stride)), middle - first


def _stands_for(near: Closeup, whole: Closeup, network: nn.Module, layer: str, size: int) -> bool:
    device = device_of(network)
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    found = []
    try:
        with evaluating(network):
            for part in (near, whole):
                with Trace(network, [layer], stop=True) as trace:
                    network(part.cut(images))
                found.append(part.middle(maps_of(trace[layer])))
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return False  # each network has its own way to say that it takes no such image
    of_part, expected = found
    return bool((of_part - expected).abs().max() <= _TOLERANCE * expected.abs().max())
