"""A measure is one file; whatever shows measures shows it too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest
import torch
from contributing import examples
from hand_set import ColourUnits
from test_dissection import DISC, planted
from torch import nn

from facenet_demo.features.measures import Measure, UnitValues, base
from facenet_demo.features.progression import Progression, measure
from facenet_demo.features.survey import TEST_POOLED, Evidence, Survey
from facenet_demo.pictures import figures


@pytest.fixture(autouse=True)
def _no_other_test_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_measures", dict(base._measures))


def define_sparsity() -> type[Measure]:
    """The measure that CONTRIBUTING.md shows."""
    names = {"__name__": "sparsity"}
    exec(examples()["a measure"]["sparsity.py"], names)
    return cast("type[Measure]", names["Sparsity"])


def evidence() -> Evidence:
    """Of the test windows half show red in their upper half, the others nothing."""
    windows = torch.zeros(8, 3, 32, 32)
    windows[4:, 0, :16] = 1
    labels = np.arange(8) % 2
    return Evidence(
        train_views=planted(40, seed=1), test_views=planted(40, seed=2),
        part_names=("disc", "square", "rest"), face_parts=(DISC,),
        train_windows=windows, test_windows=windows,
        test_parts=torch.zeros(8, 16, 16, dtype=torch.long),
        train_labels=labels, test_labels=labels, num_people=2,
    )  # fmt: skip


def of_colours() -> Progression:
    return measure(ColourUnits(), ["maps", "maps.colour"], evidence(), num_replicates=50)


def test_a_measure_of_ones_own_is_in_curves_and_figure() -> None:
    sparsity = define_sparsity()
    found = of_colours()
    assert list(found.curves) == ["edges", "parts", "people", "probe", "sparsity"]
    # Three units of colour and one that always speaks; red is silent in half of half the photos.
    expected = (0.75 + (2 + 0.5) / 4) / 2
    value, low, high = found.curves["sparsity"][0]
    assert value == pytest.approx(expected)
    assert 0.625 <= low < value < high <= 0.75
    figure = figures.progression(
        found.measures, found.layers, found.field_sizes, {"trained": found.curves}, found.lines
    )
    shown = [axes for axes in figure.axes if axes.get_visible()]
    titles = ["Edges", "Parts", "People", "People, read out", "Sparsity"]
    assert [axes.get_title(loc="left") for axes in shown] == titles
    assert shown[4].get_ylabel() == sparsity.axis
    (line,) = shown[4].lines
    assert line.get_ydata() == pytest.approx(found.estimates["sparsity"])
    assert {line.get_label() for line in shown[1].lines} == {"disc", "trained"}


def test_another_measure_changes_nothing_of_the_others() -> None:
    without = of_colours()

    @dataclass(frozen=True)
    class Loudness(Measure[UnitValues]):
        """Draws units in every replicate, as edges, parts and people do."""

        name, label, axis, explanation, source = "loudness", "Loudness", "mean", "How loud.", "-"
        readings = (TEST_POOLED,)

        def compute(self, network: nn.Module, survey: Survey, layer: str) -> UnitValues:
            return UnitValues(survey.layers[layer][TEST_POOLED].mean(axis=0))

    with_it = of_colours()
    value, low, high = with_it.curves["loudness"][0]
    assert low < value < high
    for name, curve in without.curves.items():
        assert np.array_equal(with_it.curves[name], curve)


def test_a_measure_is_refused_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match=r"Bare has no label and no axis and no .*: see Measure"):

        class Bare(Measure[UnitValues]):
            name = "bare"

    with pytest.raises(ValueError, match=r"a measure edges already, .*\.Edges: give .*Again"):

        class Again(Measure[UnitValues]):
            name, label, axis, explanation, source = "edges", "Edges", "r", "e", "s"
