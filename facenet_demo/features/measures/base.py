"""What a measure of the progression is: one file, and one line in `measures/__init__.py`.

    @dataclass(frozen=True)
    class Sparsity(Measure[PhotoValues]):
        name = "sparsity"
        label = "Sparsity"
        axis = "share of units that are silent"
        explanation = "How many of the layer's units say nothing about a face."
        source = "Willmore and Tolhurst 2001, Network 12:255"
        readings = (TEST_POOLED,)

        def compute(self, network, survey, layer):
            return PhotoValues((survey.layers[layer][TEST_POOLED] <= 0).mean(axis=1))

A measure is registered by being defined; figure, report, `progression.json` and TensorBoard show
whatever there is. One of another module is there after `visualize.py --import its.module`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from torch import nn

from facenet_demo.features.survey import Reading, Survey


@dataclass(frozen=True)
class Draw:
    """One bootstrap replicate: which test photos there are this time, and how units are drawn.

    Attributes:
        blocks: `(N,)` how often each block of `Evidence.test_views` counts.
        photos: `(N,)` rows of `Evidence.test_windows`, person after person, each person's as many
            as there are.
        random: of the units.
    """

    blocks: np.ndarray
    photos: np.ndarray
    random: np.random.Generator

    def units(self, values: np.ndarray) -> np.ndarray:
        """As many of `(U,)` values, drawn anew."""
        return values[self.random.integers(len(values), size=len(values))]


class LayerValues(ABC):
    """What a measure found in one layer, and how that varies with photos and units."""

    @property
    @abstractmethod
    def estimate(self) -> float:
        """The layer's value."""

    @abstractmethod
    def replicate(self, draw: Draw) -> float:
        """The value on photos and units that are drawn anew."""


@dataclass(frozen=True)
class UnitValues(LayerValues):
    """`(U,)` values of units, whose mean is the layer's; the bootstrap draws units."""

    values: np.ndarray

    @property
    def estimate(self) -> float:
        return float(self.values.mean())

    def replicate(self, draw: Draw) -> float:
        return float(draw.units(self.values).mean())


@dataclass(frozen=True)
class PhotoValues(LayerValues):
    """`(N,)` values of test windows, whose mean is the layer's; the bootstrap draws photos."""

    values: np.ndarray

    @property
    def estimate(self) -> float:
        return float(self.values.mean())

    def replicate(self, draw: Draw) -> float:
        return float(self.values[draw.photos].mean())


_measures: dict[str, type[Measure[Any]]] = {}
Values = TypeVar("Values", bound=LayerValues, covariant=True)


class Measure(ABC, Generic[Values]):
    """Something that has a value in each layer.

    A subclass is registered by being defined: a frozen dataclass of plain values with defaults.

    Attributes:
        name: a word; the anchor in docs/measures.md.
        label: a word or two, the headline of its panel.
        axis: what its axis says, unit included.
        explanation: one or two plain sentences.
        source: the paper that its formula is from.
        style: "percent" for shares that are read as such.
        readings: what `compute` looks up in the survey.

    Raises:
        TypeError: where a measure is defined without one of its texts.
        ValueError: where a measure is defined whose name is another's.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    axis: ClassVar[str]
    explanation: ClassVar[str]
    source: ClassVar[str]
    style: ClassVar[Literal["number", "percent"]] = "number"
    readings: ClassVar[tuple[Reading[Any], ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        texts = ("name", "label", "axis", "explanation", "source")
        missing = [text for text in texts if not hasattr(cls, text)]
        if missing:
            raise TypeError(
                f"The measure {cls.__qualname__} has no {' and no '.join(missing)}: see Measure."
            )
        own, other = (
            f"{one.__module__}.{one.__qualname__}" for one in (cls, _measures.get(cls.name, cls))
        )
        if own != other:
            raise ValueError(
                f"There is a measure {cls.name} already, {other}: give {own} another name."
            )
        _measures[cls.name] = cls

    @abstractmethod
    def compute(self, network: nn.Module, survey: Survey, layer: str) -> Values:
        """Measure one layer.

        Args:
            network: what the survey is of.
            survey: holds this measure's `readings`.
            layer: dotted name.
        """

    def lines(self, survey: Survey) -> Mapping[str, np.ndarray]:
        """Name -> `(L,)` values: thinner lines in its panel, for what it is made of."""
        return {}


def all_measures() -> tuple[Measure[Any], ...]:
    """One of each measure that is defined, with its default values, in the order of definition."""
    return tuple(measure() for measure in _measures.values())
