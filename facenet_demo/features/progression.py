"""Edges, parts and people, layer by layer; `verdicts` judges the claim that they come in order.

    measured = measure(network, layers, evidence)
    measured.curves["parts"]             # (L, 3) value and 95 % interval of each layer

What is measured is what `measures` has; one of your own joins it. What is chosen, the best units of
a layer and the layer where parts peak, is chosen on training images; what is reported was measured
on others. Intervals are those of a bootstrap over images and units.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from torch import nn

from facenet_demo.features.measures import Draw, LayerValues, Measure, all_measures
from facenet_demo.features.measures.base import Values
from facenet_demo.features.receptive_field import ReceptiveField
from facenet_demo.features.survey import Evidence, Reading, Survey, survey

NUM_REPLICATES = 400
# They draw units from one stream, as they always have; any other measure has a stream of its own,
# so that it can come and go without changing an interval of theirs.
_ONE_STREAM = ("edges", "parts", "people")


@dataclass(frozen=True, kw_only=True)
class Progression:
    """All that was measured in one network.

    Attributes:
        survey: what the measures were made from, and whatever else was read.
        measures: in the order in which they are shown.
        values: measure -> layer -> what it found, layers in the order of depth.
        replicates: measure -> `(R, L)` the values of bootstrap replicates; those of the same seed
            draw the same images for every network.
    """

    survey: Survey
    measures: Sequence[Measure[Any]]
    values: Mapping[str, Mapping[str, LayerValues]]
    replicates: Mapping[str, np.ndarray]

    @property
    def layers(self) -> list[str]:
        return list(self.survey.layers)

    def found(self, measure: type[Measure[Values]]) -> dict[str, Values]:
        """Layer -> what a measure found, as that measure has it."""
        return cast("dict[str, Values]", self.values[measure.name])

    @property
    def estimates(self) -> dict[str, np.ndarray]:
        """Measure -> `(L,)` value of each layer."""
        return {
            name: np.array([values.estimate for values in layers.values()])
            for name, layers in self.values.items()
        }

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """Measure -> `(L, 3)`, of each layer the value and the ends of its 95 % interval."""
        return {
            name: np.column_stack(
                [values, *np.quantile(self.replicates[name], [0.025, 0.975], axis=0)]
            )
            for name, values in self.estimates.items()
        }

    @property
    def lines(self) -> dict[str, Mapping[str, np.ndarray]]:
        """Measure -> name -> `(L,)`, what some measures are made of: parts, part by part."""
        found = {measure.name: measure.lines(self.survey) for measure in self.measures}
        return {name: lines for name, lines in found.items() if lines}

    @property
    def field_sizes(self) -> list[int]:
        """Side of each layer's receptive field, pixels."""
        return [layer.field.size for layer in self.survey.layers.values()]


def measure(
    network: nn.Module,
    layers: Sequence[str],
    evidence: Evidence,
    seed: int = 0,
    *,
    measures: Iterable[Measure[Any]] | None = None,
    also: Iterable[Reading[Any]] = (),
    num_replicates: int = NUM_REPLICATES,
    fields: Mapping[str, ReceptiveField] | None = None,
) -> Progression:
    """Measure each layer.

    Args:
        network: takes `evidence`'s images.
        layers: dotted names, from the first to the last.
        evidence: what it is shown.
        seed: of all that is drawn.
        measures: all that are defined if None.
        also: further readings, which share the passes over the photos.
        num_replicates: of the bootstrap; without any there are no `curves`.
        fields: see `survey`.
    """
    measures = tuple(all_measures() if measures is None else measures)
    readings = [*(reading for one in measures for reading in one.readings), *also]
    read = survey(network, layers, evidence, readings, seed, fields)
    values = {
        one.name: {layer: one.compute(network, read, layer) for layer in layers} for one in measures
    }
    replicates = _bootstrap(values, read, num_replicates)
    return Progression(survey=read, measures=measures, values=values, replicates=replicates)


def _bootstrap(
    values: Mapping[str, Mapping[str, LayerValues]],
    survey: Survey,
    num_replicates: int,
) -> dict[str, np.ndarray]:
    """Measure -> `(R, L)` replicates."""
    found = {name: np.empty((num_replicates, len(survey.layers))) for name in values}
    draws = list(_draws(survey, num_replicates))
    for i, layer in enumerate(survey.layers):
        one_stream = np.random.default_rng([survey.seed, 1, i])
        streams = {
            name: one_stream
            if name in _ONE_STREAM
            else np.random.default_rng([survey.seed, 1, i, *name.encode()])
            for name in values
        }
        for r, (blocks, photos) in enumerate(draws):
            for name, layers in values.items():
                draw = Draw(blocks, photos, streams[name])
                found[name][r, i] = layers[layer].replicate(draw)
    return found


def _draws(survey: Survey, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks and photos of each replicate, the same in each layer and network."""
    rng = np.random.default_rng([survey.seed, 0])
    labels, num_blocks = survey.evidence.test_labels, survey.evidence.num_blocks
    rows = [np.flatnonzero(labels == person) for person in np.unique(labels)]
    for _ in range(number):
        blocks = rng.multinomial(num_blocks, np.full(num_blocks, 1 / num_blocks))
        yield blocks, np.concatenate([own[rng.integers(len(own), size=len(own))] for own in rows])
