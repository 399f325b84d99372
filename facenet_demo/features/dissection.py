"""Which parts of a face does each unit respond to? (Bau et al. 2017, arXiv 1704.05796.)

    found = dissect(network, ["stages.0", "stages.2"], views, num_parts=8)
    found["stages.2"].iou                # (U, K) overlap of each unit's map with each part
    found["stages.2"].prior              # (U, K) the same with the masks of another image

A unit's map is enlarged to the grid of the masks and cut at the value that as large a share of all
its values exceeds as the part covers; IoU is then the intersection of that region with the part,
over all images, divided by their union. A part that always lies in the same place is overlapped by
any unit that likes that place: hence the prior, and views that are shifted, turned and scaled.

It takes two passes over the same views: `PartThresholds` finds where to cut, `PartOverlaps` counts.

What it cannot tell: whether the network uses the unit (see `ablation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.features.observe import Instrument, View, observe
from facenet_demo.features.statistics import Quantiles

NUM_BLOCKS = 20
_SAMPLED = 0.25  # of all cells tell ranks and quantiles as well


@dataclass(frozen=True)
class Overlap:
    """Counted grid cells, in blocks of images: what intervals are drawn from.

    Attributes:
        active: `(N, U, K)` cells where the unit exceeds its threshold for the part.
        shared: `(N, U, K)` those of them that show the part.
        shared_other: `(N, U, K)` those of them that show the part in another image.
        masked: `(N, K)` cells that show the part.
        masked_other: `(N, K)` cells that show the part in the other images.
        ranks: `(N, U, K)` sum over the cells of a part of the share of all the unit's values that
            lie below.
        sampled, total: `(N, K)` and `(N,)`, how many cells of the part, and of all, `ranks` saw.
    """

    active: np.ndarray
    shared: np.ndarray
    shared_other: np.ndarray
    masked: np.ndarray
    masked_other: np.ndarray
    ranks: np.ndarray
    sampled: np.ndarray
    total: np.ndarray


@dataclass(frozen=True)
class Dissection:
    """How far the units of a layer and the parts of a face go together.

    Attributes:
        thresholds: `(U, K)` where each unit's map was cut for each part.
        overlap: the counts behind all scores.
    """

    thresholds: np.ndarray
    overlap: Overlap

    @property
    def num_blocks(self) -> int:
        return len(self.overlap.active)

    @property
    def iou(self) -> np.ndarray:
        """`(U, K)` intersection over union with each part, in [0, 1]."""
        return self.weighted(np.ones(self.num_blocks))[0]

    @property
    def prior(self) -> np.ndarray:
        """`(U, K)` the same with the masks of another image: what place alone gives."""
        return self.weighted(np.ones(self.num_blocks))[1]

    @property
    def auc(self) -> np.ndarray:
        """`(U, K)` area under the ROC curve of "this cell shows the part", in [0, 1]."""
        o = self.overlap
        inside, total = o.sampled.sum(0), o.total.sum()
        share = inside / total
        with np.errstate(invalid="ignore", divide="ignore"):
            area = (o.ranks.sum(0) / inside - share / 2) / (1 - share)
        return np.where((share > 0) & (share < 1), area, 0.5).clip(0, 1)

    def weighted(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`iou` and `prior` with each block of images counted so often.

        Args:
            weights: `(N,)`, 0 or more.
        """
        o = self.overlap

        def total(counts: np.ndarray) -> np.ndarray:
            return np.tensordot(weights, counts, axes=1)

        active = total(o.active)
        return (
            _iou(total(o.shared), active, total(o.masked)),
            _iou(total(o.shared_other), active, total(o.masked_other)),
        )


def dissect(
    network: nn.Module,
    layers: Sequence[str],
    views: Iterable[View],
    num_parts: int,
    rotation_seed: int | None = None,
) -> dict[str, Dissection]:
    """Compare the maps of all units of some layers with the parts of faces.

    Args:
        network: takes `View.images`.
        layers: dotted names.
        views: run through twice, and must give the same both times.
        num_parts: K.
        rotation_seed: mix the units of each layer by a random rotation first. Parts that are read
            from a rotated layer as well are not a matter of single units (the control of Bau et al.
            2017).
    """
    thresholds = PartThresholds(num_parts, rotation_seed)
    observe(network, layers, views, [thresholds])
    overlaps = thresholds.next_pass()
    observe(network, layers, views, [overlaps])
    return overlaps.result()


class PartThresholds(Instrument[np.ndarray]):
    """The first pass: the value `(U, K)` that each unit exceeds in as large a share as parts cover.

    Args:
        num_parts: K.
        rotation_seed: mix the units of each layer by a random rotation first.
    """

    def __init__(self, num_parts: int, rotation_seed: int | None = None) -> None:
        self.num_parts = num_parts
        self._rotation_seed = rotation_seed
        self._rotations: dict[str, torch.Tensor] = {}
        self._covered: dict[str, np.ndarray] = {}  # (K,) cells of each part
        self.quantiles: dict[str, Quantiles] = {}

    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        parts = _parts(view)
        maps = self.rotated(layer, maps)
        if layer not in self.quantiles:
            self.quantiles[layer] = Quantiles(maps.shape[1])
            self._covered[layer] = np.zeros(self.num_parts)
        self._covered[layer] += np.bincount(parts.flatten().cpu(), minlength=self.num_parts)
        cells = _enlarge(maps, _size(parts), sample=True)
        self.quantiles[layer].add(cells.transpose(0, 1).flatten(1))

    def rotated(self, layer: str, maps: torch.Tensor) -> torch.Tensor:
        """Maps `(B, U, h, w)` as float, their units mixed if that was asked for."""
        maps = maps.float()
        if self._rotation_seed is None:
            return maps
        if layer not in self._rotations:
            self._rotations[layer] = _rotation(maps.shape[1], self._rotation_seed).to(maps.device)
        return torch.einsum("vu,buhw->bvhw", self._rotations[layer], maps)

    def result(self) -> dict[str, np.ndarray]:
        return {
            layer: quantiles.above(self._covered[layer] / self._covered[layer].sum())
            for layer, quantiles in self.quantiles.items()
        }

    def next_pass(self) -> PartOverlaps:
        return PartOverlaps(self)


class PartOverlaps(Instrument[Dissection]):
    """The second pass, over the same views: where units exceed their thresholds.

    Args:
        first: the first pass, which is over.

    Raises:
        ValueError: it saw nothing.
    """

    def __init__(self, first: PartThresholds) -> None:
        if not first.quantiles:
            raise ValueError("there are no images to dissect")
        self._first = first
        self._thresholds = first.result()
        self._counters = {
            layer: _Counter(thresholds, first.quantiles[layer])
            for layer, thresholds in self._thresholds.items()
        }

    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        self._counters[layer].add(self._first.rotated(layer, maps), _parts(view))

    def result(self) -> dict[str, Dissection]:
        return {
            layer: Dissection(self._thresholds[layer], counter.result())
            for layer, counter in self._counters.items()
        }


class _Counter:
    """Adds up an `Overlap`."""

    def __init__(self, thresholds: np.ndarray, quantiles: Quantiles) -> None:
        self._thresholds = torch.from_numpy(thresholds).float()
        self._quantiles = quantiles
        self._num_batches = 0
        num_units, num_parts = thresholds.shape
        per_unit, per_part = (NUM_BLOCKS, num_units, num_parts), (NUM_BLOCKS, num_parts)
        self._counts = Overlap(
            active=np.zeros(per_unit), shared=np.zeros(per_unit), shared_other=np.zeros(per_unit),
            masked=np.zeros(per_part), masked_other=np.zeros(per_part),
            ranks=np.zeros(per_unit), sampled=np.zeros(per_part), total=np.zeros(NUM_BLOCKS),
        )  # fmt: skip

    def add(self, maps: torch.Tensor, parts: torch.Tensor) -> None:
        """Count maps `(B, U, h, w)` and parts `(B, H, W)`, P cells, as the next block's."""
        block, size = self._num_batches % NUM_BLOCKS, _size(parts)
        self._num_batches += 1
        num_parts = self._thresholds.shape[1]
        masks = F.one_hot(parts.flatten(1), num_parts).transpose(1, 2).byte()  # (B, K, P)
        counts = self._counts
        others = masks.roll(1, dims=0)
        cells = _enlarge(maps, size)  # (B, U, P)
        thresholds = self._thresholds.to(maps.device)
        for part in range(masks.shape[1]):
            active = (cells > thresholds[:, part, None]).view(torch.uint8)
            counts.active[block, :, part] += _count(active)
            counts.shared[block, :, part] += _count(active & masks[:, part, None])
            counts.shared_other[block, :, part] += _count(active & others[:, part, None])
        counts.masked[block] += _count(masks)
        counts.masked_other[block] += _count(others)
        few = masks[:, :, _sample(size)].float()  # (B, K, p)
        sample = _enlarge(maps, size, sample=True).transpose(0, 1)  # (U, B, p)
        ranks = self._quantiles.ranks(sample.flatten(1).cpu()).view(sample.shape)
        counts.ranks[block] += torch.einsum("ubp,bkp->uk", ranks, few.cpu()).numpy()
        counts.sampled[block] += few.sum((0, 2)).cpu().numpy()
        counts.total[block] += few.shape[0] * few.shape[2]

    def result(self) -> Overlap:
        return deepcopy(self._counts)  # which goes on counting


def _iou(shared: np.ndarray, active: np.ndarray, masked: np.ndarray) -> np.ndarray:
    union = active + masked - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _count(ones: torch.Tensor) -> np.ndarray:
    """Sum of 0s and 1s `(B, X, P)` uint8 over images and places: `(X,)`."""
    if ones.shape[2] % 8 == 0:
        # Eight counters in one word, none of which reaches 256: several times as fast.
        words = ones.contiguous().view(torch.int64)
        ones = torch.stack([part.sum(2) for part in words.split(255, dim=2)]).view(torch.uint8)
        return ones.unflatten(2, (-1, 8)).sum((0, 1, 3)).cpu().numpy()
    return ones.sum((0, 2)).cpu().numpy()


def _parts(view: View) -> torch.Tensor:
    if view.parts is None:
        raise ValueError("the views do not say which parts they show, and cannot be dissected")
    return view.parts


def _size(parts: torch.Tensor) -> tuple[int, int]:
    return parts.shape[1], parts.shape[2]


def _enlarge(maps: torch.Tensor, size: tuple[int, int], sample: bool = False) -> torch.Tensor:
    """Maps `(B, U, h, w)` on a grid of `size`, bilinear: `(B, U, P)`, or a sample of the cells."""
    if maps.shape[2:] == size:
        return maps.flatten(2)[..., _sample(size)] if sample else maps.flatten(2)
    return maps.flatten(2) @ _weights(tuple(maps.shape[2:]), size, sample).to(maps.device)


@cache
def _weights(small: tuple[int, int], large: tuple[int, int], sample: bool) -> torch.Tensor:
    """The matrix `(h * w, P)` of bilinear enlargement."""
    unit = torch.eye(small[0] * small[1]).view(-1, 1, *small)
    enlarged = F.interpolate(unit, size=large, mode="bilinear", align_corners=False).flatten(1)
    return enlarged[:, _sample(large)].contiguous() if sample else enlarged


@cache
def _sample(size: tuple[int, int]) -> torch.Tensor:
    """Some cells of a grid, by lot, the same every time."""
    num_cells = size[0] * size[1]
    drawn = np.random.default_rng(0).permutation(num_cells)[: max(1, round(_SAMPLED * num_cells))]
    return torch.from_numpy(np.sort(drawn))


def _rotation(size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rotation, triangle = torch.linalg.qr(torch.randn(size, size, generator=generator))
    return rotation * triangle.diagonal().sign()  # uniform over all rotations (Mezzadri 2007)
