"""All that is measured for a report, in order, each step announced.

found = take(network, settings, layers, evidence, names_people=True, seed=0, step=print)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from facenet_demo.features.ablation import right_answers
from facenet_demo.features.causality import Causality, part_costs, unit_costs
from facenet_demo.features.gratings import GratingTuning, Tuning, stimuli
from facenet_demo.features.maps import MapsOf, StrongestMaps, TopMaps
from facenet_demo.features.measures.parts import best_parts, peak_layer, rotated_parts
from facenet_demo.features.observe import View
from facenet_demo.features.patches import Patches, TopPatches
from facenet_demo.features.progression import Progression, measure
from facenet_demo.features.selectivity import selectivity
from facenet_demo.features.side_by_side import Copies, side_by_side
from facenet_demo.features.survey import (
    CHOSEN,
    CHOSEN_ROTATED,
    HELD_OUT_ROTATED,
    TRAIN_POOLED,
    Evidence,
    Reading,
    held_out_windows,
)
from facenet_demo.features.synthesis import colour_basis, synthesize
from facenet_demo.features.verdicts import Judgement, judge
from facenet_demo.networks import FaceNetwork, NetworkSettings
from facenet_demo.networks.untrained import untrained_twin

MAX_ABLATED = 310  # test windows that single units are ablated on
_NUM_FACES = 4  # whose maps are shown
_NUM_TUNED = 64  # that gratings are compared with
_UNITS_AT_ONCE = 32  # with images of 64 x 64 pixels


def shown_faces(evidence: Evidence) -> np.ndarray:
    """Rows of the test windows whose maps are shown: the first photo of a few people."""
    _, first = np.unique(evidence.test_labels, return_index=True)
    return np.sort(first)[:_NUM_FACES]


def _stimuli(evidence: Evidence) -> Iterator[View]:
    faces = evidence.train_windows[:_NUM_TUNED]
    return (View(images.to(faces.device)) for images in stimuli(faces.shape[-1], faces))


# What is read in the same passes as what the measures need, to be shown.
PATCHES = Reading[TopPatches](held_out_windows, lambda evidence, seed: Patches(k=9))
TOP_MAPS = Reading[StrongestMaps](held_out_windows, lambda evidence, seed: TopMaps(k=4))
FACE_MAPS = Reading[np.ndarray](
    held_out_windows, lambda evidence, seed: MapsOf(shown_faces(evidence).tolist(), num_units=10)
)
TUNING = Reading[Tuning](_stimuli, lambda evidence, seed: GratingTuning())
_SHOWN = (PATCHES, TOP_MAPS, FACE_MAPS, TUNING)


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What a report is made of.

    Attributes:
        trained: of the network on trial (untrained itself, if that was asked for).
        twin: an untrained network of the same shape, another one if `trained` is untrained.
        control: of the twin.
        rotated: `(L,)` part score after a random rotation of each layer's units.
        judgements: of the claims; the last one is missing if nobody here can be named.
        causality: None if the network cannot name the people on these photos.
        costs: layer -> unit -> `(P,)` share of each person's windows lost without it; of those
            that were looked at closely, and empty where it cannot be measured.
        pictures: layer -> unit -> `(3, W, W)` synthesised, of the same units.
    """

    trained: Progression
    twin: FaceNetwork
    control: Progression
    rotated: np.ndarray
    judgements: list[Judgement]
    causality: Causality | None
    costs: dict[str, dict[int, np.ndarray]]
    pictures: dict[str, dict[int, torch.Tensor]]


def take(
    network: FaceNetwork,
    settings: NetworkSettings,
    layers: Sequence[str],
    evidence: Evidence,
    names_people: bool,
    seed: int,
    step: Callable[[str], None],
    num_units: int,
    asked: Mapping[str, Sequence[int]],
) -> Measurements:
    """Measure a network and its controls.

    Args:
        network: in evaluation mode.
        settings: what it was built from; the control is built from them too.
        layers: dotted names, first to last.
        evidence: what it is shown.
        names_people: its outputs are the people of `evidence`.
        seed: of all that is drawn.
        step: called before each of `num_steps` steps with its name.
        num_units: of each layer that are looked at closely, at most.
        asked: layer -> units that are looked at closely, too.
    """
    step("the network and an untrained one")
    device = evidence.test_windows.device
    untrained = untrained_twin(network, settings, evidence.train_windows, seed + 1)
    rotated = (CHOSEN_ROTATED, HELD_OUT_ROTATED)
    trained, control = side_by_side(
        [
            partial(measure, network, layers, evidence, seed, also=(*_SHOWN, *rotated)),
            partial(measure, untrained, layers, evidence, seed, also=_SHOWN),
        ],
        device,
    )
    judgements = judge(trained, control)
    copies = Copies(network)
    colours = colour_basis(evidence.train_windows[:: max(1, len(evidence.train_windows) // 200)])
    few = _spread(evidence.test_labels, MAX_ABLATED)
    right = None
    if names_people:
        right = right_answers(network, evidence.test_windows[few], evidence.test_labels[few])
    size = evidence.test_windows.shape[-1]
    at_once = max(1, _UNITS_AT_ONCE * 64**2 // size**2) if device.type == "cpu" else None
    costs: dict[str, dict[int, np.ndarray]] = {}
    pictures: dict[str, dict[int, torch.Tensor]] = {}
    jobs: list[tuple[dict[str, Any], str, Sequence[int], Callable[[], Any]]] = []
    for layer in layers:
        units = sorted({*asked.get(layer, ()), *_telling_units(trained, layer, num_units)})
        for some in _chunks(units, at_once):
            look = partial(_pictures, copies, trained, layer, some, colours)
            jobs.append((pictures, layer, some, look))
            if right is not None:
                lose = partial(_costs, copies, trained, layer, some, few, right)
                jobs.append((costs, layer, some, lose))
    # Where parts peak; in the first or last layer they are no less worth a try.
    peak = layers[peak_layer(trained.survey)]
    first: list[Callable[[], Any]] = (
        [partial(_part_costs, copies, trained, peak, seed)] if names_people else []
    )
    found: Iterator[Any] = side_by_side([*first, *(piece for *_, piece in jobs)], device)
    causality = None
    if names_people:
        step("ablation of parts")
        causality = next(found)
        judgements.append(causality.judgement)
    for layer in layers:
        step(f"units of {layer}")
        for table, _, some, _ in (job for job in jobs if job[1] == layer):
            table.setdefault(layer, {}).update(zip(some, next(found), strict=True))
    return Measurements(
        trained=trained,
        twin=untrained,
        control=control,
        rotated=rotated_parts(trained.survey),
        judgements=judgements,
        causality=causality,
        costs=costs,
        pictures=pictures,
    )


def num_steps(layers: Sequence[str], names_people: bool) -> int:
    """How often `take` calls `step`."""
    return 1 + names_people + len(layers)


def _chunks(units: Sequence[int], at_once: int | None) -> Iterator[Sequence[int]]:
    """So many units after each other, or all."""
    at_once = at_once or max(1, len(units))
    for start in range(0, len(units), at_once):
        yield units[start : start + at_once]


def _telling_units(trained: Progression, layer: str, number: int) -> list[int]:
    """The units of a layer that match parts best, and those most selective for one person.

    Both by training photos, one of each kind by turns.
    """
    evidence, read = trained.survey.evidence, trained.survey.layers[layer]
    _, above = best_parts(read[CHOSEN], evidence.face_parts)
    for_people = selectivity(read[TRAIN_POOLED], evidence.train_labels, evidence.num_people)
    by_turns = np.stack([np.argsort(-above), np.argsort(-for_people)], axis=1).flatten()
    return list(dict.fromkeys(by_turns.tolist()))[:number]


def _part_costs(
    copies: Copies[FaceNetwork], trained: Progression, layer: str, seed: int
) -> Causality:
    with copies.one() as network:
        return part_costs(network, trained, layer, seed)


def _pictures(
    copies: Copies[FaceNetwork],
    trained: Progression,
    layer: str,
    units: Sequence[int],
    colours: torch.Tensor,
) -> torch.Tensor:
    """What excites units most, `(len(units), 3, W, W)`."""
    survey = trained.survey
    size, field = survey.evidence.test_windows.shape[-1], survey.layers[layer].field
    with copies.one() as network:
        return synthesize(
            network, layer, units, size, seed=survey.seed, colours=colours, field=field
        )


def _costs(
    copies: Copies[FaceNetwork],
    trained: Progression,
    layer: str,
    units: Sequence[int],
    few: np.ndarray,
    right: np.ndarray,
) -> np.ndarray:
    """What people lose without each of some units, `(len(units), P)`, by a few windows."""
    evidence = trained.survey.evidence
    labels, means = evidence.test_labels[few], trained.survey.layers[layer][TRAIN_POOLED].mean(0)
    members = np.eye(evidence.num_people)[labels]
    with copies.one() as network:
        lost = unit_costs(network, evidence.test_windows[few], labels, layer, means, units, right)
    with np.errstate(invalid="ignore"):
        return lost @ members / members.sum(axis=0)


def _spread(labels: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, as evenly over people as can be."""
    turn = np.zeros(len(labels), int)  # the how-manieth photo of its person each row is
    for person in np.unique(labels):
        own = np.flatnonzero(labels == person)
        turn[own] = np.arange(len(own))
    return np.sort(np.argsort(turn, kind="stable")[:most])
