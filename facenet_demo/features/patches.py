"""The images, and the places in them, that each unit responds to most.

    top = top_patches(network, ["stages.2"], batches, k=9)
    top["stages.2"].rows                 # (U, 9) which images
    top["stages.2"].places               # (U, 9, 2) row and column in the map

With `receptive_fields` a place becomes the exact region of the image that the unit saw. At most one
place of each image, so nine patches are nine images (Zeiler and Fergus 2014, arXiv 1311.2901).

What it cannot tell: what the unit does between its largest responses, which are rare by choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.features.observe import Instrument, View, observe
from facenet_demo.features.receptive_field import ReceptiveField
from facenet_demo.features.statistics import TopK

_IMAGES_AT_ONCE = 512  # whose responses are chosen from together


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
    numbers = []

    def images():  # noqa: ANN202 - what observe takes, and notes the numbers
        for some, rows in batches:
            numbers.append(rows)
            yield some

    patches = Patches(k)
    observe(network, layers, images(), [patches])
    given = np.concatenate(numbers)
    return {layer: replace(top, rows=given[top.rows]) for layer, top in patches.result().items()}


class Patches(Instrument[TopPatches]):
    """Keeps where each unit responds most.

    Args:
        k: how many images for each unit.
    """

    def __init__(self, k: int = 9) -> None:
        self._k = k
        self._top: dict[str, TopK] = {}
        self._waiting: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        self._widths: dict[str, int] = {}
        self._num_images: Counter[str] = Counter()

    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        self._widths[layer] = maps.shape[3]
        # Of all ways to ask for the largest value and its place by far the fastest.
        scores, places = F.adaptive_max_pool2d(maps, 1, return_indices=True)
        waiting = self._waiting.setdefault(layer, [])
        waiting.append((scores.flatten(1), places.flatten(1)))  # (B, U)
        if sum(len(of_batch) for of_batch, _ in waiting) >= _IMAGES_AT_ONCE:
            self._choose(layer)

    def result(self) -> dict[str, TopPatches]:
        for layer in list(self._waiting):
            self._choose(layer)
        found = {}
        for layer, kept in self._top.items():
            top = kept.result()
            ids = top.ids.cpu().numpy()
            places = np.stack(np.divmod(ids[..., 1], self._widths[layer]), axis=2)
            found[layer] = TopPatches(top.scores.float().cpu().numpy(), ids[..., 0], places)
        return found

    def _choose(self, layer: str) -> None:
        """Keep the strongest of all that wait, too."""
        scores, places = (torch.cat(x) for x in zip(*self._waiting.pop(layer), strict=True))
        first = self._num_images[layer]
        self._num_images[layer] += len(scores)

        def row_and_place(images: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
            return torch.stack([first + images, places[images, units]], dim=1)

        self._top.setdefault(layer, TopK(self._k)).add(scores, row_and_place)
