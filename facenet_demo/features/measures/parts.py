"""How well do the units of a layer that match parts of a face best overlap them?

What is chosen, units and their parts, is chosen on training views; what is reported was counted on
test views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from facenet_demo.features.dissection import Dissection, Overlap
from facenet_demo.features.measures.base import Draw, LayerValues, Measure
from facenet_demo.features.survey import (
    CHOSEN,
    CHOSEN_ROTATED,
    HELD_OUT,
    HELD_OUT_ROTATED,
    Reading,
    Survey,
)

TOP_SHARE = 0.1  # of a layer's units, in its part score


@dataclass(frozen=True)
class PartOverlap(LayerValues):
    """The overlap of some units, each with its own part, above the position prior.

    Attributes:
        overlap: of the units with their parts, `(N, T)`.
    """

    overlap: Overlap

    @property
    def estimate(self) -> float:
        return float(self._above().mean())

    def replicate(self, draw: Draw) -> float:
        return float(draw.units(self._above(draw.blocks)).mean())

    def _above(self, weights: np.ndarray | None = None) -> np.ndarray:
        """`(T,)` with each block of images counted so often."""
        iou, prior = self.overlap.scores(weights)
        return iou - prior


@dataclass(frozen=True)
class Parts(Measure[PartOverlap]):
    """Mean overlap of the top tenth of a layer's units, each with the part that it matches best."""

    name = "parts"
    label = "Parts"
    axis = "overlap with the best part, less position prior"
    explanation = (
        "How well the layer's best units overlap a part of the face, beyond what knowing where "
        "parts usually are would give."
    )
    source = "Bau et al. 2017, arXiv 1704.05796"
    readings = (CHOSEN, HELD_OUT)

    def compute(self, network: nn.Module, survey: Survey, layer: str) -> PartOverlap:
        return _overlap(survey, layer, CHOSEN, HELD_OUT)

    def lines(self, survey: Survey) -> dict[str, np.ndarray]:
        """Part of a face -> overlap, above the prior, of each layer's units best at it."""
        lines = []
        for layer in survey.layers.values():
            above = layer[CHOSEN].iou - layer[CHOSEN].prior
            held_out = layer[HELD_OUT].iou - layer[HELD_OUT].prior
            best = np.argsort(-above, axis=0)[: num_top(len(above))]
            lines.append(np.take_along_axis(held_out, best, axis=0).mean(axis=0))
        values = np.stack(lines)
        evidence = survey.evidence
        return {evidence.part_names[p]: values[:, p] for p in evidence.face_parts}


def rotated_parts(survey: Survey) -> np.ndarray:
    """The part score of each layer `(L,)` after a random rotation of its units: a control.

    As high as without it, parts would be spread over the units of a layer, and no matter of single
    ones. The survey holds `CHOSEN_ROTATED` and `HELD_OUT_ROTATED`.
    """
    return _scores(survey, CHOSEN_ROTATED, HELD_OUT_ROTATED)


def peak_layer(survey: Survey) -> int:
    """The position of the layer with the highest part score on training views."""
    return int(np.argmax(_scores(survey, CHOSEN, CHOSEN)))


def best_parts(chosen: Dissection, face_parts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The part that each unit matches best, `(U,)`, and how well, `(U,)`.

    How well is IoU less the position prior; the numbers are those of `View.parts`.
    """
    above = (chosen.iou - chosen.prior)[:, face_parts]
    return np.asarray(face_parts)[above.argmax(axis=1)], above.max(axis=1)


def top_units(chosen: Dissection, face_parts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The top tenth of a layer's units by their best part, and that part."""
    parts, above = best_parts(chosen, face_parts)
    units = np.argsort(-above)[: num_top(len(above))]
    return units, parts[units]


def num_top(num_units: int) -> int:
    """A tenth of a layer's units, at least one."""
    return max(1, round(TOP_SHARE * num_units))


def _overlap(
    survey: Survey, layer: str, chosen: Reading[Dissection], reported: Reading[Dissection]
) -> PartOverlap:
    readings = survey.layers[layer]
    units, parts = top_units(readings[chosen], survey.evidence.face_parts)
    return PartOverlap(readings[reported].overlap.of(units, parts))


def _scores(
    survey: Survey, chosen: Reading[Dissection], reported: Reading[Dissection]
) -> np.ndarray:
    return np.array([_overlap(survey, layer, chosen, reported).estimate for layer in survey.layers])
