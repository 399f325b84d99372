"""How well does a layer tell people apart, single units or not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from facenet_demo.features.measures.base import Measure, PhotoValues
from facenet_demo.features.selectivity import Probe
from facenet_demo.features.survey import TEST_POOLED, TRAIN_POOLED, Survey


@dataclass(frozen=True)
class LinearProbe(Measure[PhotoValues]):
    """Accuracy of a linear classifier on the layer's pooled maps."""

    name = "probe"
    label = "People, read out"
    axis = "accuracy of a linear probe"
    explanation = "How often a linear classifier names people rightly from this layer alone."
    source = "Alain and Bengio 2016, arXiv 1610.01644"
    style: ClassVar[Literal["number", "percent"]] = "percent"
    readings = (TRAIN_POOLED, TEST_POOLED)

    def compute(self, network: nn.Module, survey: Survey, layer: str) -> PhotoValues:
        evidence, readings = survey.evidence, survey.layers[layer]
        probe = Probe(readings[TRAIN_POOLED], evidence.train_labels, evidence.num_people)
        return PhotoValues(probe.right(readings[TEST_POOLED], evidence.test_labels))
