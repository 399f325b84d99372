"""Which parts of a face does each unit respond to? (Bau et al. 2017, arXiv 1704.05796.)

    found = dissect(network, ["stages.0", "stages.2"], views, num_parts=8)
    found["stages.2"].iou                # (U, K) overlap of each unit's map with each part
    found["stages.2"].prior              # (U, K) the same with the masks of another image

A unit's map is enlarged to the grid of the masks and cut at the value that as large a share of all
its values exceeds as the part covers; IoU is then the intersection of that region with the part,
over all images, divided by their union. A part that always lies in the same place is overlapped by
any unit that likes that place: hence the prior, and views that are shifted, turned and scaled.

Where to cut is known only at the end. But a cell of the grid shows one part, and one in another
image, so a table of how often each unit was at each level (see `levels`) in each part, filled in
one pass, holds the overlap at every threshold. Of the grid, every second row and column is counted,
the odd or the even ones by turns: neighbours tell much the same.

What it cannot tell: whether the network uses the unit (see `ablation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.features.levels import NUM_LEVELS, Levels, share_of_a_level
from facenet_demo.features.observe import Instrument, View, observe

NUM_BLOCKS = 20
_STEP = 2  # from one row or column of the grid that is counted to the next
_SAMPLE = 10_000  # cells that show what values there are


@dataclass(frozen=True)
class Overlap:
    """Counted grid cells, in blocks of images: what intervals are drawn from.

    Attributes:
        active: `(N, U, K)` cells where the unit exceeds its threshold for the part.
        shared: `(N, U, K)` those of them that show the part.
        shared_other: `(N, U, K)` those of them that show the part in another image.
        masked: `(N, K)` cells that show the part.
        masked_other: `(N, K)` cells that show the part in the other images.
    """

    active: np.ndarray
    shared: np.ndarray
    shared_other: np.ndarray
    masked: np.ndarray
    masked_other: np.ndarray

    def of(self, units: np.ndarray, parts: np.ndarray) -> Overlap:
        """That of some units `(T,)` with a part `(T,)` each: `(N, T)` in place of all others."""
        active, shared, other = (
            counts[:, units, parts] for counts in (self.active, self.shared, self.shared_other)
        )
        return Overlap(active, shared, other, self.masked[:, parts], self.masked_other[:, parts])

    def scores(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Intersection over union, and the position prior, `(U, K)` or `(T,)`, in [0, 1].

        Args:
            weights: `(N,)` how often each block of images counts, 0 or more; once if None.
        """
        weights = np.ones(len(self.active)) if weights is None else weights

        def total(counts: np.ndarray) -> np.ndarray:
            return (weights @ counts.reshape(len(counts), -1)).reshape(counts.shape[1:])

        active = total(self.active)
        return (
            _iou(total(self.shared), active, total(self.masked)),
            _iou(total(self.shared_other), active, total(self.masked_other)),
        )


@dataclass(frozen=True)
class Dissection:
    """How far the units of a layer and the parts of a face go together.

    Attributes:
        thresholds: `(U, K)` where each unit's map was cut for each part; infinity where it never
            came near.
        overlap: the counts behind all scores.
        auc: `(U, K)` area under the ROC curve of "this cell shows the part", in [0, 1].
    """

    thresholds: np.ndarray
    overlap: Overlap
    auc: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """`(U, K)` intersection over union with each part, in [0, 1]."""
        return self.overlap.scores()[0]

    @property
    def prior(self) -> np.ndarray:
        """`(U, K)` the same with the masks of another image: what place alone gives."""
        return self.overlap.scores()[1]


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
        views: run through once.
        num_parts: K.
        rotation_seed: mix the units of each layer by a random rotation first. Parts that are read
            from a rotated layer as well are not a matter of single units (the control of Bau et al.
            2017).
    """
    overlaps = PartOverlaps(num_parts, rotation_seed=rotation_seed)
    observe(network, layers, views, [overlaps])
    if not (found := overlaps.result()):
        raise ValueError("there are no images to dissect")
    return found


class PartOverlaps(Instrument[Dissection]):
    """Counts at which levels each unit was in which parts.

    The first images show what values there are.

    Args:
        num_parts: K.
        num_blocks: N; batches are counted by turns as the first block's to the last's. It takes
            some 2 N K kB for every unit.
        rotation_seed: mix the units of each layer by a random rotation first.
    """

    def __init__(
        self, num_parts: int, num_blocks: int = NUM_BLOCKS, rotation_seed: int | None = None
    ) -> None:
        self.num_parts = num_parts
        self.num_blocks = num_blocks
        self._rotation_seed = rotation_seed
        self._rotations: dict[str, torch.Tensor] = {}
        self._tables: dict[str, _Table] = {}

    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        if view.parts is None:
            raise ValueError("the views do not say which parts they show, and cannot be dissected")
        maps = self._rotated(layer, maps.float())
        table = self._tables.setdefault(layer, _Table(self.num_blocks, self.num_parts))
        table.add(*_sampled(maps, view.parts, table.num_batches))

    def result(self) -> dict[str, Dissection]:
        return {layer: table.result() for layer, table in self._tables.items()}

    def _rotated(self, layer: str, maps: torch.Tensor) -> torch.Tensor:
        if self._rotation_seed is None:
            return maps
        if layer not in self._rotations:
            self._rotations[layer] = _rotation(maps.shape[1], self._rotation_seed).to(maps.device)
        return torch.einsum("vu,buhw->bvhw", self._rotations[layer], maps)


class _Table:
    """How often each unit was at each level in each part, in blocks of images.

    Args:
        num_blocks: N.
        num_parts: K.
    """

    def __init__(self, num_blocks: int, num_parts: int) -> None:
        self.num_batches = 0
        self._shape = num_blocks, num_parts
        self._waiting: list[tuple[torch.Tensor, torch.Tensor]] = []  # to be counted
        self._levels: Levels | None = None

    def add(self, values: torch.Tensor, parts: torch.Tensor) -> None:
        """Count values `(U, B * P)` in parts `(B, P)`, as the next block's."""
        self.num_batches += 1
        self._waiting.append((values, parts))
        if self._levels or sum(parts.numel() for _, parts in self._waiting) >= _SAMPLE:
            self._count()

    def _count(self) -> Levels:
        num_blocks, num_parts = self._shape
        if self._levels is None:
            sample = torch.cat([values for values, _ in self._waiting], dim=1)
            self._levels = Levels(sample)
            # In which parts of the same images, and of others. Whole numbers, exact up to 2^24.
            self._counts = sample.new_zeros(num_blocks, len(sample), NUM_LEVELS, 2, num_parts)
            self._places = self._levels.of_bin * 2 * num_parts  # of each bin, in a unit's table
        for batch, (values, parts) in enumerate(
            self._waiting, self.num_batches - len(self._waiting)
        ):
            block = self._counts[batch % num_blocks].flatten(1)  # a view
            places = self._places.gather(1, self._levels.bins(values))
            ones = torch.ones_like(values)
            same, other = parts.flatten(), parts.roll(1, dims=0).flatten() + num_parts
            for step in (same, other - same):
                places += step
                block.scatter_add_(1, places, ones)
        self._waiting.clear()
        return self._levels

    def result(self) -> Dissection:
        starts = self._count().starts
        inside = self._counts.sum(0)[:, :, 0].double().cpu()  # (U, L, K)
        of_level = inside.sum(2)
        above = of_level.flip(1).cumsum(1).flip(1)  # (U, L), from each level on
        share = inside[0].sum(0) / of_level[0].sum()
        most = share + share_of_a_level(share) / 2
        # The first level of each unit that is active, for each part, `(U, K)`.
        levels = (above[..., None] > most * above[:, :1, None]).sum(1)
        is_active = (levels[..., None] <= torch.arange(NUM_LEVELS)).float()  # (U, K, L)
        # The last K: in which part that is; the one before: in the same image, or in another.
        is_active = is_active.to(self._counts.device)
        active = torch.stack([is_active @ block for block in self._counts.flatten(3)])
        active = active.unflatten(3, (2, -1))  # (N, U, K, 2, K)
        shared, shared_other = active.diagonal(dim1=2, dim2=4).unbind(2)  # (N, U, K)
        masked, masked_other = self._counts[:, 0].sum(1).unbind(1)  # (N, K)
        counted = (active[:, :, :, 0].sum(3), shared, shared_other, masked, masked_other)
        return Dissection(
            starts(levels.to(self._counts.device)).cpu().numpy(),
            Overlap(*(count.double().cpu().numpy() for count in counted)),
            _area(inside, of_level[..., None] - inside).cpu().numpy(),
        )


def _area(inside: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """Area under the ROC curve `(U, K)` of how often each level `(U, L, K)` is in and outside."""
    lower = outside.cumsum(1) - outside / 2  # of the same level as good as half
    pairs = inside.sum(1) * outside.sum(1)
    return torch.where(pairs > 0, (inside * lower).sum(1) / pairs, 0.5)


def _iou(shared: np.ndarray, active: np.ndarray, masked: np.ndarray) -> np.ndarray:
    union = active + masked - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _sampled(
    maps: torch.Tensor, parts: torch.Tensor, turn: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Values `(U, B * P)` of maps `(B, U, h, w)`, and parts `(B, P)`, in some cells of the grid.

    Args:
        maps: enlarged to the grid, bilinear.
        parts: `(B, H, W)`, a grid.
        turn: number of the batch; of four that follow each other every cell comes once.
    """
    starts = [(turn >> axis) % min(_STEP, parts.shape[1 + axis]) for axis in (0, 1)]
    rows, columns = (slice(start, None, _STEP) for start in starts)
    maps = maps.transpose(0, 1)  # (U, B, h, w)
    if maps.shape[2:] == parts.shape[1:]:
        maps = maps[:, :, rows, columns]
    else:
        # One axis after the other, as products of matrices: many times as fast as interpolate.
        for axis in (1, 0):
            weights = _weights(maps.shape[3], parts.shape[1 + axis], starts[axis]).to(maps.device)
            enlarged = maps.reshape(-1, len(weights)) @ weights
            maps = enlarged.view(*maps.shape[:3], -1).transpose(2, 3)
    return maps.flatten(1), parts[:, rows, columns].flatten(1)


@cache
def _weights(small: int, large: int, start: int) -> torch.Tensor:
    """The matrix `(small, P)` of linear enlargement to every second cell of `large`."""
    enlarged = F.interpolate(torch.eye(small)[None], size=large, mode="linear")[0]
    return enlarged[:, start::_STEP].contiguous()


def _rotation(size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rotation, triangle = torch.linalg.qr(torch.randn(size, size, generator=generator))
    return rotation * triangle.diagonal().sign()  # uniform over all rotations (Mezzadri 2007)
