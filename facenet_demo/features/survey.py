"""What is read off a network before anything is measured; all who ask for the same photos share.

pooled = Reading(held_out_windows, lambda evidence, seed: Pooling())
found = survey(network, ["stages.0", "stages.2"], evidence, [pooled, HELD_OUT])
found.layers["stages.2"][pooled]           # (N, U)
found.layers["stages.2"][HELD_OUT].iou     # (U, K)
found.layers["stages.2"].field.size        # side of its receptive field, pixels
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from facenet_demo.features.dissection import NUM_BLOCKS, Dissection, PartOverlaps
from facenet_demo.features.observe import Instrument, View, observe
from facenet_demo.features.receptive_field import ReceptiveField, receptive_fields
from facenet_demo.features.selectivity import Pooling
from facenet_demo.features.trace import IMAGES_AT_ONCE

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The images that a network is measured on.

    Attributes:
        train_views, test_views: jittered, with their parts; run through several times, the same
            each time. In some 20 batches, which the bootstrap draws from.
        part_names: what the numbers in `View.parts` mean.
        face_parts: numbers of those parts that count as parts of a face.
        train_windows, test_windows: `(N, 3, H, W)`, faces as the network knows them.
        test_parts: `(N, h, w)` int64, the parts of `test_windows`.
        train_labels, test_labels: `(N,)` who they show, from 0 to `num_people` - 1.
        num_people: P.
        num_blocks: of the views: batches count as the first block's to the last's by turns, and the
            bootstrap draws blocks. One is enough where nothing is drawn.
    """

    train_views: Iterable[View]
    test_views: Iterable[View]
    part_names: Sequence[str]
    face_parts: Sequence[int]
    train_windows: torch.Tensor
    test_windows: torch.Tensor
    test_parts: torch.Tensor
    train_labels: np.ndarray
    test_labels: np.ndarray
    num_people: int
    num_blocks: int = NUM_BLOCKS


# What may be shown: evidence -> batches.


def training_views(evidence: Evidence) -> Iterable[View]:
    return evidence.train_views


def held_out_views(evidence: Evidence) -> Iterable[View]:
    return evidence.test_views


def training_windows(evidence: Evidence) -> Iterable[View]:
    return map(View, evidence.train_windows.split(IMAGES_AT_ONCE))


def held_out_windows(evidence: Evidence) -> Iterable[View]:
    return map(
        View, evidence.test_windows.split(IMAGES_AT_ONCE), evidence.test_parts.split(IMAGES_AT_ONCE)
    )


@dataclass(frozen=True, eq=False)
class Reading(Generic[Result]):
    """What an instrument makes of some photos; equal only to itself, and taken once.

    Attributes:
        photos: evidence -> batches; readings of the same function share a pass.
        instrument: evidence and seed -> a fresh instrument.
    """

    photos: Callable[[Evidence], Iterable[View]]
    instrument: Callable[[Evidence, int], Instrument[Any]]


def _dissecting(evidence: Evidence, seed: int) -> Instrument[Any]:
    return PartOverlaps(len(evidence.part_names), evidence.num_blocks)


def _dissecting_rotated(evidence: Evidence, seed: int) -> Instrument[Any]:
    # One block: no interval is drawn from it.
    return PartOverlaps(len(evidence.part_names), num_blocks=1, rotation_seed=seed)


# The mean of each map `(N, U)` for each window.
TRAIN_POOLED = Reading[np.ndarray](training_windows, lambda evidence, seed: Pooling())
TEST_POOLED = Reading[np.ndarray](held_out_windows, lambda evidence, seed: Pooling())
# Parts in training views, for choosing, and in test views, for reporting; and the same of units in
# a random rotation.
CHOSEN = Reading[Dissection](training_views, _dissecting)
HELD_OUT = Reading[Dissection](held_out_views, _dissecting)
CHOSEN_ROTATED = Reading[Dissection](training_views, _dissecting_rotated)
HELD_OUT_ROTATED = Reading[Dissection](held_out_views, _dissecting_rotated)


@dataclass(frozen=True, kw_only=True)
class LayerReadings:
    """All that was read in one layer.

    Attributes:
        field: which pixels its units see.
        readings: see `Reading`; `layer[HELD_OUT]` is one of them.
    """

    field: ReceptiveField
    readings: Mapping[Reading[Any], Any]

    @property
    def map_size(self) -> tuple[int, int]:
        """Height and width of its maps."""
        return len(self.field.rows), len(self.field.columns)

    def __getitem__(self, reading: Reading[Result]) -> Result:
        if reading not in self.readings:
            raise KeyError(
                "This reading was not taken. Name it in `readings` of the measure that wants it, "
                "or in `measure(also=...)`."
            )
        return self.readings[reading]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All that was read in one network.

    Attributes:
        evidence: what it was shown.
        seed: of what was drawn.
        layers: layer -> its readings, in the order of depth.
    """

    evidence: Evidence
    seed: int
    layers: Mapping[str, LayerReadings]


def survey(
    network: nn.Module,
    layers: Sequence[str],
    evidence: Evidence,
    readings: Iterable[Reading[Any]],
    seed: int = 0,
    fields: Mapping[str, ReceptiveField] | None = None,
) -> Survey:
    """Take readings, each kind of photos shown once.

    Args:
        network: takes `evidence`'s images.
        layers: dotted names, from the first to the last.
        evidence: what it is shown.
        readings: what to take; one that is named twice is taken once.
        seed: given to the instruments.
        fields: of each layer, from an earlier survey, since weights do not change them; they are
            found out if None.
    """
    if fields is None:
        fields = receptive_fields(network, layers, evidence.test_windows.shape[-1])
    wanted = dict.fromkeys(readings)
    found: dict[Reading[Any], dict[str, Any]] = {}
    for photos in dict.fromkeys(reading.photos for reading in wanted):
        at_work = {r: r.instrument(evidence, seed) for r in wanted if r.photos is photos}
        observe(network, layers, photos(evidence), list(at_work.values()))
        found |= {reading: instrument.result() for reading, instrument in at_work.items()}
    return Survey(
        evidence=evidence,
        seed=seed,
        layers={
            layer: LayerReadings(field=fields[layer], readings={r: found[r][layer] for r in wanted})
            for layer in layers
        },
    )
