"""All that is measured for a report, in order, each step announced.

found = take(network, settings, layers, evidence, names_people=True, seed=0, step=print)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facenet_demo.features.causality import Causality, part_costs, unit_costs
from facenet_demo.features.patches import TopPatches, top_patches
from facenet_demo.features.progression import (
    Evidence,
    NetworkMeasures,
    measure,
    peak_layer,
    rotated_parts,
)
from facenet_demo.features.synthesis import colour_basis, synthesize
from facenet_demo.features.verdicts import Judgement, judge
from facenet_demo.networks import FaceNetwork, NetworkSettings
from facenet_demo.networks.untrained import untrained_twin

NUM_PATCHES = 9
_MAX_ABLATED = 310  # test windows that single units are ablated on
_BATCH = 64


@dataclass(frozen=True)
class Measurements:
    """What a report is made of.

    Attributes:
        trained: of the network on trial (untrained itself, if that was asked for).
        twin: an untrained network of the same shape, another one if `trained` is untrained.
        control: of the twin.
        rotated: `(L,)` part score after a random rotation of each layer's units.
        judgements: of the claims; the last one is missing if nobody here can be named.
        causality: None if the network cannot name the people on these photos.
        patches, control_patches: layer -> where its units respond most, in test windows.
        costs: layer -> `(U, P)` share of each person's windows lost without each unit; empty where
            it cannot be measured.
        pictures: layer -> `(U, 3, W, W)` synthesised.
    """

    trained: NetworkMeasures
    twin: FaceNetwork
    control: NetworkMeasures
    rotated: np.ndarray
    judgements: list[Judgement]
    causality: Causality | None
    patches: dict[str, TopPatches]
    control_patches: dict[str, TopPatches]
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
    trained = measure(network, layers, evidence, seed)
    step("untrained network")
    untrained = untrained_twin(network, settings, evidence.train_windows, seed + 1)
    control = measure(untrained, layers, evidence, seed)
    step("rotated units")
    rotated = rotated_parts(network, layers, evidence, seed)
    judgements = judge(trained, control)
    causality = None
    step("ablation of parts")
    if names_people:
        # Where parts peak; in the first or last layer they are no less worth a try.
        causality = part_costs(network, trained, layers[peak_layer(trained)], seed)
        judgements.append(causality.judgement)
    step("top patches")
    patches, control_patches = (
        top_patches(one, layers, _numbered(evidence.test_windows), NUM_PATCHES)
        for one in (network, untrained)
    )
    colours = colour_basis(evidence.train_windows[:: max(1, len(evidence.train_windows) // 200)])
    size = evidence.test_windows.shape[-1]
    costs, pictures = {}, {}
    few = _spread(evidence.test_labels, _MAX_ABLATED)
    members = np.eye(evidence.num_people)[evidence.test_labels[few]]
    for layer in layers:
        step(f"units of {layer}")
        means = trained.layers[layer].train_pooled.mean(axis=0)
        pictures[layer] = synthesize(
            network, layer, range(len(means)), size, seed=seed, colours=colours
        )
        if names_people:
            lost = unit_costs(
                network, evidence.test_windows[few], evidence.test_labels[few], layer, means
            )
            with np.errstate(invalid="ignore"):
                costs[layer] = lost @ members / members.sum(axis=0)
    return Measurements(
        trained, untrained, control, rotated, judgements, causality, patches, control_patches,
        costs, pictures,
    )  # fmt: skip


def num_steps(layers: Sequence[str]) -> int:
    """How often `take` calls `step`."""
    return 5 + len(layers)


def _numbered(windows: torch.Tensor):  # noqa: ANN202 - pairs, as top_patches takes them
    for rows in np.array_split(np.arange(len(windows)), -(-len(windows) // _BATCH)):
        yield windows[rows], rows


def _spread(labels: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, as evenly over people as can be."""
    turn = np.zeros(len(labels), int)  # the how-manieth photo of its person each row is
    for person in np.unique(labels):
        own = np.flatnonzero(labels == person)
        turn[own] = np.arange(len(own))
    return np.sort(np.argsort(turn, kind="stable")[:most])
