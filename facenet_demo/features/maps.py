"""Maps to look at: of a few images, and of those that each unit responds to most.

few, top = MapsOf([3, 14, 15]), TopMaps(k=4)
observe(network, ["stages.2"], images.split(64), [few, top])
few.result()["stages.2"]             # (3, U, h, w)
top.result()["stages.2"].rows        # (U, 4) which images; `maps` (U, 4, h, w), each unit's own
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facenet_demo.features.observe import Instrument, View
from facenet_demo.features.statistics import TopK, peaks


@dataclass(frozen=True)
class StrongestMaps:
    """Each unit's own maps of the images that it responds to most, the strongest first.

    Attributes:
        rows: `(U, k)` numbers of the images.
        maps: `(U, k, h, w)`.
    """

    rows: np.ndarray
    maps: np.ndarray


class TopMaps(Instrument[StrongestMaps]):
    """Keeps each unit's maps of the images that it responds to most.

    Args:
        k: how many images for each unit.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        # Two of the same scores, which choose alike: one keeps numbers, one keeps maps.
        self._rows: dict[str, TopK] = {}
        self._maps: dict[str, TopK] = {}
        self._num_images: Counter[str] = Counter()

    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        scores, first = peaks(maps), self._num_images[layer]  # (B, U)
        self._num_images[layer] += len(maps)
        self._rows.setdefault(layer, TopK(self._k)).add(
            scores, lambda images, units: first + images
        )
        self._maps.setdefault(layer, TopK(self._k)).add(scores, lambda *which: maps[which])

    def result(self) -> dict[str, StrongestMaps]:
        return {
            layer: StrongestMaps(
                rows.result().ids.cpu().numpy(), self._maps[layer].result().ids.cpu().numpy()
            )
            for layer, rows in self._rows.items()
        }


class MapsOf(Instrument[np.ndarray]):
    """Keeps all maps of a few images: `(N, U, h, w)`, N those that have come.

    Args:
        rows: their numbers, ascending.
        num_units: of the layer's first units only; None keeps all.
    """

    def __init__(self, rows: Sequence[int], num_units: int | None = None) -> None:
        self._wanted = set(rows)
        self._num_units = num_units
        self._maps: dict[str, list[np.ndarray]] = {}
        self._num_images: Counter[str] = Counter()

    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        first = self._num_images[layer]
        self._num_images[layer] += len(maps)
        here = [i for i in range(len(maps)) if first + i in self._wanted]
        kept = maps[here, : self._num_units].cpu().numpy()
        self._maps.setdefault(layer, []).append(kept)

    def result(self) -> dict[str, np.ndarray]:
        return {layer: np.concatenate(maps) for layer, maps in self._maps.items()}
