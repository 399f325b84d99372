"""Do the units that respond to a part matter more than others?

    found = part_costs(network, progression, "stages.2")
    found.difference                     # accuracy lost without part units, less without others
    found.part_units["mouth"], found.costs["mouth"]

For each part the units that match it best are held at their mean, and so are, a few times over, as
many others of about the same mean activation (Bau et al. 2020, PNAS 117:30071). Units are chosen on
training images, accuracy is counted on others. Beside it stands what covering the part in the
picture costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.features.ablation import matched_units, right_answers, right_without
from facenet_demo.features.measures.parts import num_top
from facenet_demo.features.progression import NUM_REPLICATES, Progression
from facenet_demo.features.survey import CHOSEN, TRAIN_POOLED
from facenet_demo.features.verdicts import Difference, Judgement

_NUM_MATCHES = 5


@dataclass(frozen=True)
class PartCost:
    """Accuracy lost on test images, each the mean and `(2,)` 95 % interval, in [-1, 1].

    Attributes:
        units: without the units that match the part best.
        matched: without as many others.
        covered: with the part covered in the picture.
        people: `(P,)` lost on each person without the part's units; NaN without test photos.
    """

    units: tuple[float, float, float]
    matched: tuple[float, float, float]
    covered: tuple[float, float, float]
    people: np.ndarray


@dataclass(frozen=True)
class Causality:
    """What the units of a layer that match parts are worth.

    Attributes:
        layer: dotted name.
        accuracy: with all units, in [0, 1].
        part_units: part -> the units that match it best.
        costs: part -> what its loss costs.
        difference: cost of part units less that of matched units, mean over parts.
    """

    layer: str
    accuracy: float
    part_units: Mapping[str, Sequence[int]]
    costs: Mapping[str, PartCost]
    difference: Difference

    @property
    def judgement(self) -> Judgement:
        """The claim that parts matter."""
        return Judgement("parts matter", (self.difference,))


def part_costs(
    network: nn.Module, progression: Progression, layer: str, seed: int = 0
) -> Causality:
    """Ablate the units of each part, and others, and cover the part.

    Args:
        network: images to scores; its outputs are the people of the evidence.
        progression: of this network.
        layer: where units are ablated.
        seed: of the matched units and the bootstrap.
    """
    evidence, readings = progression.survey.evidence, progression.survey.layers[layer]
    images, labels = evidence.test_windows, evidence.test_labels
    means = readings[TRAIN_POOLED].mean(axis=0)
    above = readings[CHOSEN].iou - readings[CHOSEN].prior
    rng = np.random.default_rng(seed)
    count = num_top(len(means))
    base = right_answers(network, images, labels).astype(float)
    members = np.eye(evidence.num_people)[labels]  # (N, P)
    resampled = rng.multinomial(len(base), np.full(len(base), 1 / len(base)), NUM_REPLICATES)

    def lost(right: np.ndarray) -> np.ndarray:
        return base - right  # (..., N)

    def interval(loss: np.ndarray) -> tuple[float, float, float]:
        low, high = np.quantile(resampled @ loss / len(loss), [0.025, 0.975])
        return float(loss.mean()), float(low), float(high)

    part_units = {
        part: np.argsort(-above[:, part])[:count].tolist() for part in evidence.face_parts
    }
    groups = [
        group
        for units in part_units.values()
        for group in (units, *(matched_units(means, units, rng) for _ in range(_NUM_MATCHES)))
    ]
    right = right_without(network, images, labels, layer, groups, means)
    losses = lost(right).reshape(len(part_units), 1 + _NUM_MATCHES, -1)
    costs, differences = {}, []
    for part, (without, *others) in zip(part_units, losses, strict=True):
        matched = np.mean(others, axis=0)
        covered = lost(right_answers(network, _cover(images, evidence.test_parts, part), labels))
        with np.errstate(invalid="ignore"):
            people = without @ members / members.sum(axis=0)
        costs[evidence.part_names[part]] = PartCost(
            interval(without), interval(matched), interval(covered), people
        )
        differences.append(without - matched)
    what = f"accuracy lost without part units of {layer} less that lost without others"
    difference = Difference(what, *interval(np.mean(differences, axis=0)))
    named = {evidence.part_names[part]: units for part, units in part_units.items()}
    return Causality(layer, float(base.mean()), named, costs, difference)


def unit_costs(
    network: nn.Module,
    images: torch.Tensor,
    labels: np.ndarray,
    layer: str,
    means: np.ndarray,
    units: Sequence[int],
    right: np.ndarray,
) -> np.ndarray:
    """Which answers units of a layer are needed for, each by itself.

    Args:
        network: images to scores `(B, P)`.
        images: `(N, 3, H, W)`.
        labels: `(N,)`.
        layer: dotted name.
        means: `(U,)` mean activation of each of its units.
        units: which of them.
        right: `(N,)` bool, see `right_answers`: what is named rightly with all units.

    Returns:
        `(len(units), N)`: 1 where an image is named rightly with all units and wrongly without this
        one, -1 where it is the other way round, else 0.
    """
    groups = [[unit] for unit in units]
    without = right_without(network, images, labels, layer, groups, means)
    return right.astype(int) - without


def _cover(images: torch.Tensor, parts: torch.Tensor, part: int) -> torch.Tensor:
    """Images with one part in the mean colour of all."""
    mask = F.interpolate((parts == part)[:, None].float(), size=images.shape[2:], mode="nearest")
    return torch.lerp(images, images.mean((0, 2, 3), keepdim=True), mask)
