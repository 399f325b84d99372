"""All that is measured for a report, in order, each step announced.

found = take(network, settings, layers, evidence, names_people=True, seed=0, step=print)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facenet_demo.features.causality import Causality, part_costs, unit_costs
from facenet_demo.features.gratings import GratingTuning, Tuning, stimuli
from facenet_demo.features.maps import MapsOf, StrongestMaps, TopMaps
from facenet_demo.features.measures.parts import peak_layer, rotated_parts
from facenet_demo.features.observe import View
from facenet_demo.features.patches import Patches, TopPatches
from facenet_demo.features.progression import Progression, measure
from facenet_demo.features.survey import (
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

_MAX_ABLATED = 310  # test windows that single units are ablated on
_NUM_FACES = 4  # whose maps are shown
_NUM_TUNED = 64  # that gratings are compared with


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
        costs: layer -> `(U, P)` share of each person's windows lost without each unit; empty where
            it cannot be measured.
        pictures: layer -> `(U, 3, W, W)` synthesised.
    """

    trained: Progression
    twin: FaceNetwork
    control: Progression
    rotated: np.ndarray
    judgements: list[Judgement]
    causality: Causality | None
    costs: dict[str, np.ndarray]
    pictures: dict[str, torch.Tensor]


def take(
    network: FaceNetwork,
    settings: NetworkSettings,
    layers: Sequence[str],
    evidence: Evidence,
    names_people: bool,
    seed: int,
    step: Callable[[str], None],
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
    """
    step("network")
    rotated = (CHOSEN_ROTATED, HELD_OUT_ROTATED)
    trained = measure(network, layers, evidence, seed, also=(*_SHOWN, *rotated))
    step("untrained network")
    untrained = untrained_twin(network, settings, evidence.train_windows, seed + 1)
    control = measure(untrained, layers, evidence, seed, also=_SHOWN)
    judgements = judge(trained, control)
    causality = None
    step("ablation of parts")
    if names_people:
        # Where parts peak; in the first or last layer they are no less worth a try.
        causality = part_costs(network, trained, layers[peak_layer(trained.survey)], seed)
        judgements.append(causality.judgement)
    colours = colour_basis(evidence.train_windows[:: max(1, len(evidence.train_windows) // 200)])
    size = evidence.test_windows.shape[-1]
    costs, pictures = {}, {}
    few = _spread(evidence.test_labels, _MAX_ABLATED)
    members = np.eye(evidence.num_people)[evidence.test_labels[few]]
    for layer in layers:
        step(f"units of {layer}")
        means = trained.survey.layers[layer][TRAIN_POOLED].mean(axis=0)
        pictures[layer] = synthesize(
            network, layer, range(len(means)), size, seed=seed, colours=colours,
            field=trained.survey.layers[layer].field,
        )  # fmt: skip
        if names_people:
            lost = unit_costs(
                network, evidence.test_windows[few], evidence.test_labels[few], layer, means
            )
            with np.errstate(invalid="ignore"):
                costs[layer] = lost @ members / members.sum(axis=0)
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


def num_steps(layers: Sequence[str]) -> int:
    """How often `take` calls `step`."""
    return 3 + len(layers)


def _spread(labels: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, as evenly over people as can be."""
    turn = np.zeros(len(labels), int)  # the how-manieth photo of its person each row is
    for person in np.unique(labels):
        own = np.flatnonzero(labels == person)
        turn[own] = np.arange(len(own))
    return np.sort(np.argsort(turn, kind="stable")[:most])
