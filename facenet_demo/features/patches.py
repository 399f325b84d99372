"""The images, and the places in them, that each unit responds to most.

    top = top_patches(network, ["stages.2"], batches, k=9)
    top["stages.2"].rows                 # (U, 9) which images
    top["stages.2"].places               # (U, 9, 2) row and column in the map

With `receptive_fields` a place becomes the exact region of the image that the unit saw. At most one
place of each image, so nine patches are nine images (Zeiler and Fergus 2014, arXiv 1311.2901).

What it cannot tell: what the unit does between its largest responses, which are rare by choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from facenet_demo.features.receptive_field import ReceptiveField
from facenet_demo.features.statistics import TopK
from facenet_demo.features.trace import Trace, evaluating, maps_of


@dataclass(frozen=True)
class TopPatches:
    """Where the units of a layer respond most, the strongest first.

    Attributes:
        scores: `(U, k)` activations.
        rows: `(U, k)` numbers of the images.
        places: `(U, k, 2)` row and column of the map.
    """

    scores: np.ndarray
    rows: np.ndarray
    places: np.ndarray


def cut(
    windows: torch.Tensor, field: ReceptiveField, rows: np.ndarray, places: np.ndarray
) -> list[np.ndarray]:
    """The image regions that a unit saw.

    Args:
        windows: `(N, 3, H, W)` in [0, 1], the images that `rows` count.
        field: the receptive field of the unit's layer.
        rows: `(k,)` which images.
        places: `(k, 2)` row and column of the map.

    Returns:
        `(h, w, 3)` uint8 each; smaller at the image's border.
    """
    cuts = []
    for row, (y, x) in zip(rows, places, strict=True):
        left, top, right, bottom = field.box(y, x)
        pixels = windows[row, :, top:bottom, left:right].permute(1, 2, 0)
        cuts.append((pixels * 255).round().byte().cpu().numpy())
    return cuts


def top_patches(
    network: nn.Module,
    layers: Sequence[str],
    batches: Iterable[tuple[torch.Tensor, np.ndarray]],
    k: int = 9,
) -> dict[str, TopPatches]:
    """Find the strongest responses.

    Args:
        network: takes the images.
        layers: dotted names.
        batches: images `(B, 3, H, W)` and the number of each, `(B,)`.
        k: how many for each unit.
    """
    top = {layer: TopK(k) for layer in layers}
    widths: dict[str, int] = {}
    with evaluating(network), Trace(network, layers) as trace:
        for images, rows in batches:
            network(images)
            for layer in layers:
                maps = maps_of(trace[layer])
                widths[layer] = maps.shape[3]
                scores, places = maps.flatten(2).max(dim=2)  # (B, U)
                numbers = torch.from_numpy(rows).view(-1, 1).expand_as(scores).to(scores.device)
                top[layer].add(scores, torch.stack([numbers, places], dim=2))
    found = {}
    for layer in layers:
        result = top[layer].result()
        ids = result.ids.cpu().numpy()
        grid = np.stack(np.divmod(ids[..., 1], widths[layer]), axis=2)
        found[layer] = TopPatches(result.scores.float().cpu().numpy(), ids[..., 0], grid)
    return found
