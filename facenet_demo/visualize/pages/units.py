"""The units of a layer, each with its pictures and scores, for the page of the layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from facenet_demo.data.windows import to_pixels
from facenet_demo.features.measures import Edges, People
from facenet_demo.features.measures.parts import best_parts
from facenet_demo.features.patches import cut
from facenet_demo.features.progression import Progression
from facenet_demo.features.selectivity import person_means
from facenet_demo.features.survey import CHOSEN, HELD_OUT, TEST_POOLED
from facenet_demo.networks import FaceNetwork
from facenet_demo.pictures import sheets
from facenet_demo.report import Picture
from facenet_demo.visualize.measurements import PATCHES, TOP_MAPS, TUNING
from facenet_demo.visualize.pages.base import Look

_NUM_PEOPLE = 6  # of each unit, those that it responds to most
_SYNTHESIS_SIDE = 128  # pixels


class PersonScore(NamedTuple):
    """A unit and one person: mean response to their photos; accuracy on them lost without it."""

    name: str
    response: float
    cost: float | None = None


class PartScore(NamedTuple):
    """A unit and one part: IoU, IoU with another image's masks (the position prior), ROC area."""

    iou: float
    prior: float | None = None
    auc: float | None = None


@dataclass(frozen=True)
class UnitEntry:
    """One unit.

    Attributes:
        unit: its number in the layer.
        best_part: the part it matches best; None where it matches none.
        best_person: whom it responds to most.
        scores: key of the report's `scores` -> value.
        parts: part -> its scores.
        people: in any order.
        pictures: the first is the unit's tile in the grid.
    """

    unit: int
    best_part: str | None = None
    best_person: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    parts: Mapping[str, PartScore] = field(default_factory=dict)
    people: tuple[PersonScore, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Side:
    """One of the two networks that are looked into: the one on trial, or its control.

    Attributes:
        look: all that was looked at.
        name: what the network is called.
        network: itself.
        progression: of it.
        costs: see `Measurements`; of a control none.
        synthesised: see `Measurements.pictures`; of a control none.
    """

    look: Look
    name: str
    network: FaceNetwork
    progression: Progression
    costs: Mapping[str, Mapping[int, np.ndarray]] = field(default_factory=dict)
    synthesised: Mapping[str, Mapping[int, torch.Tensor]] = field(default_factory=dict)

    def save(
        self, file: str, pixels: np.ndarray, kind: str, caption: str, layer: str,
        unit: int | None = None,
    ) -> Picture:  # fmt: skip
        """Write a picture below the network's folder, see `Look.save`."""
        where = (self.name, layer, unit)
        return self.look.save(f"{self.name}/{file}", pixels, kind, caption, *where)


def units(side: Side, layer: str) -> Iterator[UnitEntry]:
    """Every unit of a layer, in order."""
    read, evidence = side.progression.survey.layers[layer], side.look.evidence
    parts, above = best_parts(read[CHOSEN], evidence.face_parts)
    held_out, orientation = read[HELD_OUT], read[TUNING].selectivity
    means = person_means(read[TEST_POOLED], evidence.test_labels, evidence.num_people)
    edges = side.progression.found(Edges)[layer]
    r2 = dict(zip(edges.units.tolist(), edges.r2.tolist(), strict=True))
    selectivity = side.progression.found(People)[layer].values
    of_units = side.costs.get(layer, {})
    overlays = _overlays(side, layer, parts) if read.map_size != (1, 1) else {}
    for unit, part in enumerate(parts):
        costs = of_units.get(unit)  # (P,)
        people = tuple(_people(side, means[unit], costs))
        iou, prior, auc = (of[unit] for of in (held_out.iou, held_out.prior, held_out.auc))  # (K,)
        yield UnitEntry(
            unit,
            best_part=evidence.part_names[part] if above[unit] > 0 else None,
            best_person=people[0].name if people else None,
            scores={
                "iou": float(iou[part] - prior[part]),
                "auc": float(auc[part]),
                "orientation": float(orientation[unit]),
                "gabor_r2": r2.get(unit),
                "selectivity": float(selectivity[unit]),
                "ablation": None if costs is None else float(np.nanmean(costs)),
            },
            parts={
                name: PartScore(float(iou[p]), float(prior[p]), float(auc[p]))
                for p, name in enumerate(evidence.part_names)
            },
            people=people,
            pictures=tuple(_pictures(side, layer, unit, overlays.get(unit),
                                     evidence.part_names[part])),
        )  # fmt: skip


def _pictures(
    side: Side, layer: str, unit: int, overlay: np.ndarray | None, part: str
) -> Iterator[Picture]:
    """What there is to see of a unit; its best part is outlined in `overlay`."""
    read = side.progression.survey.layers[layer]
    field, top = read.field, read[PATCHES]
    file = f"{layer}/{unit}"
    patches = cut(side.look.evidence.test_windows, field, top.rows[unit], top.places[unit])
    yield side.save(
        f"{file}-patches.webp", sheets.patch_sheet(patches), "patches",
        "The nine places in test photos to which the unit responds most, one in a photo: all that "
        f"it sees there ({field.size} px or less).",
        layer, unit,
    )  # fmt: skip
    if overlay is not None:
        yield side.save(
            f"{file}-parts.webp", overlay, "parts",
            "Bright: where the unit exceeds its threshold, in the photos that it responds to most. "
            f"Outlined: {part}.",
            layer, unit,
        )  # fmt: skip
    synthesised = side.synthesised.get(layer, {}).get(unit)
    if synthesised is not None:
        picture = sheets.enlarged(to_pixels(synthesised), _SYNTHESIS_SIDE)
        yield side.save(
            f"{file}-synthesis.webp", picture, "synthesis",
            "A picture computed to excite the unit. It illustrates; it proves nothing.",
            layer, unit,
        )  # fmt: skip


def _people(side: Side, means: np.ndarray, costs: np.ndarray | None) -> Iterator[PersonScore]:
    """Those a unit responds to most; its mean response to each `(P,)`, what each loses `(P,)`."""
    for person in np.argsort(-np.nan_to_num(means, nan=-np.inf))[:_NUM_PEOPLE]:
        if np.isnan(means[person]):
            continue  # none of the photos shows them
        cost = None if costs is None or np.isnan(costs[person]) else float(costs[person])
        yield PersonScore(side.look.data.people[person], float(means[person]), cost)


def _overlays(side: Side, layer: str, parts: np.ndarray) -> dict[int, np.ndarray]:
    """For each unit, its top photos with where it is active, and its best part outlined."""
    read, evidence = side.progression.survey.layers[layer], side.look.evidence
    top, thresholds = read[TOP_MAPS], read[HELD_OUT].thresholds
    return {
        unit: sheets.part_sheet(
            to_pixels(evidence.test_windows[top.rows[unit]]),
            top.maps[unit],
            float(thresholds[unit, part]),
            (evidence.test_parts[top.rows[unit]] == int(part)).cpu().numpy(),
        )
        for unit, part in enumerate(parts)
    }
