"""How much more do the units of a layer respond to their favourite person than to others?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from facenet_demo.features.measures.base import Draw, LayerValues, Measure
from facenet_demo.features.selectivity import from_lowest, selectivity, selectivity_of_sums
from facenet_demo.features.survey import TEST_POOLED, Survey


@dataclass(frozen=True)
class UnitSelectivity(LayerValues):
    """Class selectivity of each unit.

    Attributes:
        values: `(U,)`.
        responses: `(N, U)` to the test windows, 0 or more.
        counts: test windows of each person who has any.
    """

    values: np.ndarray
    responses: np.ndarray
    counts: np.ndarray

    @property
    def estimate(self) -> float:
        return float(self.values.mean())

    def replicate(self, draw: Draw) -> float:
        starts = np.cumsum(self.counts) - self.counts  # photos go by person
        sums = np.add.reduceat(self.responses[draw.photos], starts, axis=0)
        return float(draw.units(selectivity_of_sums(sums, self.counts)).mean())


@dataclass(frozen=True)
class People(Measure[UnitSelectivity]):
    """Mean class selectivity of units over people, on test windows."""

    name = "people"
    label = "People"
    axis = "selectivity for one person"
    explanation = (
        "How much more the layer's units respond to their favourite person than to others."
    )
    source = "Morcos et al. 2018, arXiv 1803.06959"
    readings = (TEST_POOLED,)

    def compute(self, network: nn.Module, survey: Survey, layer: str) -> UnitSelectivity:
        pooled, evidence = survey.layers[layer][TEST_POOLED], survey.evidence
        return UnitSelectivity(
            selectivity(pooled, evidence.test_labels, evidence.num_people),
            from_lowest(pooled),
            np.unique(evidence.test_labels, return_counts=True)[1],
        )
