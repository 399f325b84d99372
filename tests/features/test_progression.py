from __future__ import annotations

import numpy as np
import pytest
import torch
from test_dissection import DISC, REST, planted
from torch import nn

from facenet_demo.features.causality import part_costs
from facenet_demo.features.measures import UnitValues
from facenet_demo.features.measures.parts import peak_layer, top_units
from facenet_demo.features.observe import View
from facenet_demo.features.progression import Progression, measure
from facenet_demo.features.survey import CHOSEN, Evidence, Survey
from facenet_demo.features.verdicts import judge

COLOURS = torch.tensor([[0.2, 1.0, 0.2], [0.2, 0.2, 1.0]])


class Staged(nn.Module):
    """Edges, then the planted disc, then people, who differ in the colour of the background."""

    def __init__(self) -> None:
        super().__init__()
        self.edges = nn.Conv2d(3, 6, 7, padding=3, bias=False)
        self.parts = nn.Conv2d(3, 6, 1, bias=False)
        self.people = nn.Conv2d(3, 6, 1, bias=False)
        place = torch.arange(7.0) - 3
        y, x = torch.meshgrid(place, place, indexing="ij")
        with torch.no_grad():
            for unit in range(6):
                angle = torch.tensor(unit * torch.pi / 6)
                wave = torch.cos(0.8 * (x * angle.cos() + y * angle.sin()))
                self.edges.weight[unit] = torch.exp(-(x**2 + y**2) / 6) * wave
            self.parts.weight.zero_()
            self.parts.weight[0, :, 0, 0] = torch.tensor([1.0, -1.0, -1.0])
            self.people.weight.zero_()
            for unit in range(6):
                self.people.weight[unit, :, 0, 0] = -0.5
                self.people.weight[unit, 1 + unit % 2, 0, 0] = 1.0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.edges(images)
        self.parts(images)
        return self.people(images).relu().mean((2, 3))


def evidence(num_photos: int = 60) -> Evidence:
    rng = np.random.default_rng(0)
    labels = np.arange(num_photos) % 2
    windows = COLOURS[labels][:, :, None, None].expand(-1, -1, 32, 32)
    windows = (windows + torch.from_numpy(rng.normal(0, 0.05, windows.shape)).float()).clamp(0, 1)
    return Evidence(
        train_views=planted(40, seed=1),
        test_views=planted(40, seed=2),
        part_names=("disc", "square", "rest"),
        face_parts=(DISC,),
        train_windows=windows,
        test_windows=windows.flip(0),
        test_parts=torch.full((num_photos, 16, 16), REST),
        train_labels=labels,
        test_labels=labels[::-1].copy(),
        num_people=2,
    )


LAYERS = ["edges", "parts", "people"]


@pytest.fixture(scope="module")
def staged() -> Progression:
    return measure(Staged(), LAYERS, evidence())


def test_each_measure_is_high_where_it_was_built_in(staged: Progression) -> None:
    assert staged.estimates["edges"].argmax() == 0
    assert staged.estimates["edges"][0] > 0.99
    assert peak_layer(staged.survey) == 1
    units, parts = top_units(staged.survey.layers["parts"][CHOSEN], (DISC,))
    assert (units.tolist(), parts.tolist()) == ([0], [DISC])
    assert staged.estimates["parts"][1] > 0.7
    assert staged.estimates["people"].argmax() == 2
    assert staged.estimates["probe"][2] == 1


def test_intervals_hold_their_estimate_and_replicates_repeat(staged: Progression) -> None:
    for name in ("edges", "parts", "probe"):
        value, low, high = staged.curves[name].T
        assert (low <= value + 1e-9).all()
        assert (value <= high + 1e-9).all()
    again = measure(Staged(), LAYERS, staged.survey.evidence)
    assert np.array_equal(again.replicates["edges"], staged.replicates["edges"])
    assert np.array_equal(again.replicates["people"], staged.replicates["people"])


def network_of(estimates: dict[str, list[float]], spread: float, seed: int = 0) -> Progression:
    """Measures made up, with replicates around them."""
    rng = np.random.default_rng(seed)
    values = {name: np.array(v) for name, v in estimates.items()}
    replicates = {n: v + rng.normal(0, spread, (400, len(v))) for n, v in values.items()}
    layers = [f"layer{i}" for i in range(len(values["edges"]))]
    return Progression(
        survey=Survey(evidence=evidence(), seed=0, layers=dict.fromkeys(layers)),  # type: ignore[arg-type]
        measures=(),
        values={
            name: {layer: UnitValues(v[i : i + 1]) for i, layer in enumerate(layers)}
            for name, v in values.items()
        },
        replicates=replicates,
    )


TRUE = {
    "edges": [0.9, 0.8, 0.6, 0.5, 0.3],
    "parts": [0.05, 0.1, 0.2, 0.1, 0.05],
    "people": [0.1, 0.1, 0.15, 0.2, 0.5],
    "probe": [0.2, 0.3, 0.4, 0.6, 0.9],
}
FLAT = {"edges": [0.3] * 5, "parts": [0.04] * 5, "people": [0.15] * 5, "probe": [0.2] * 5}


def verdicts(
    trained: dict[str, list[float]],
    monkeypatch: pytest.MonkeyPatch,
    spread: float = 0.005,
    control: dict[str, list[float]] = FLAT,
) -> list[bool]:
    measures = network_of(trained, spread)
    peak = int(np.argmax(trained["parts"]))
    monkeypatch.setattr("facenet_demo.features.verdicts.peak_layer", lambda _: peak)
    return [j.supported for j in judge(measures, network_of(control, spread, seed=1))]


def test_the_story_as_it_is_told_is_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdicts(TRUE, monkeypatch) == [True, True, True]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"edges": [0.3, 0.3, 0.6, 0.8, 0.9]}, [False, True, True]),  # edges last
        ({"edges": [0.3, 0.25, 0.2, 0.15, 0.1]}, [False, True, True]),  # no better than untrained
        ({"parts": [0.2, 0.1, 0.1, 0.1, 0.05]}, [True, False, True]),  # parts first
        ({"parts": [0.05, 0.1, 0.1, 0.1, 0.2]}, [True, False, True]),  # parts last
        ({"parts": [0.01, 0.02, 0.03, 0.02, 0.01]}, [True, False, True]),  # below untrained
        ({"people": [0.1, 0.5, 0.2, 0.2, 0.4]}, [True, True, False]),  # people early
        ({"probe": [0.9, 0.8, 0.7, 0.6, 0.5]}, [True, True, False]),  # read out early
        ({"people": [0.1, 0.11, 0.12, 0.13, 0.14]}, [True, True, False]),  # below untrained
    ],
)
def test_each_claim_can_come_out_false(
    change: dict[str, list[float]], expected: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdicts(TRUE | change, monkeypatch) == expected


def test_a_claim_is_judged_where_its_measures_were_taken() -> None:
    trained = network_of({name: TRUE[name] for name in ("edges", "people")}, spread=0.005)
    control = network_of({name: FLAT[name] for name in ("edges", "people")}, spread=0.005, seed=1)
    assert [judgement.claim for judgement in judge(trained, control)] == ["edges first"]


def test_what_is_not_sure_is_not_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdicts(TRUE, monkeypatch, spread=2.0) == [False, False, False]


def test_an_untrained_network_beside_another_is_supported_in_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert verdicts(FLAT, monkeypatch) == [False, False, False]


def test_units_that_a_part_needs_cost_more_than_others() -> None:
    """Two people, told apart by the disc alone: its colour. Other units carry nothing."""

    class ByDisc(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.Conv2d(3, 10, 1, bias=False)
            with torch.no_grad():
                self.maps.weight.zero_()
                self.maps.weight[4, :, 0, 0] = torch.tensor([1.0, -1.0, -1.0])

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            red = self.maps(images).relu()[:, 4].amax((1, 2))
            return torch.stack([red, 0.5 - red], dim=1)

    views = planted(40, seed=3)
    images = torch.cat([v.images for v in views])
    parts = torch.cat([v.parts for v in views])
    labels = np.arange(40) % 2
    for image, part, label in zip(images, parts, labels, strict=True):
        if label:
            image[:, part == DISC] = 0.3  # the second person has none to be seen
    data = Evidence(
        train_views=planted(40, seed=1), test_views=views,
        part_names=("disc", "square", "rest"), face_parts=(DISC,),
        train_windows=images, test_windows=images, test_parts=parts,
        train_labels=labels, test_labels=labels, num_people=2,
    )  # fmt: skip
    network = ByDisc()
    found = part_costs(network, measure(network, ["maps"], data), "maps")
    assert found.accuracy == 1
    assert list(found.part_units["disc"]) == [4]
    assert found.costs["disc"].units[0] == pytest.approx(0.5)
    assert found.costs["disc"].matched[0] == 0
    assert found.costs["disc"].covered[0] == pytest.approx(0.5)
    assert found.judgement.supported
    assert isinstance(views[0], View)
