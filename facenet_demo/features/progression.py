"""Edges, parts and people, layer by layer; `verdicts` judges the claim that they come in order.

    measured = measure(network, layers, evidence)
    measured.curves["parts"]             # (L, 3) value and 95 % interval of each layer

What is chosen, the best units of a layer and the layer where parts peak, is chosen on training
images; what is reported was measured on others. Intervals are those of a bootstrap over images and
units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from facenet_demo.features.dissection import Dissection, View, dissect
from facenet_demo.features.effective import effective_kernels
from facenet_demo.features.filters import fit_gabors
from facenet_demo.features.gratings import Tuning, probe_gratings
from facenet_demo.features.receptive_field import ReceptiveField, receptive_fields
from facenet_demo.features.selectivity import (
    Probe,
    from_lowest,
    pool,
    selectivity,
    selectivity_of_sums,
)

MEASURES = ("edges", "parts", "people", "probe")
NUM_REPLICATES = 400
TOP_SHARE = 0.1  # of a layer's units, in its part score
_MAX_FITTED = 24  # units of a layer whose effective kernels are fitted
_NUM_GRADIENTS = 32
_BATCH = 64


@dataclass(frozen=True)
class Evidence:
    """The images that a network is measured on.

    Attributes:
        train_views, test_views: jittered, with their parts; run through several times, the same
            each time. In some 20 batches, which the bootstrap draws from.
        part_names: what the numbers in `View.parts` mean.
        face_parts: numbers of those parts that count as parts of a face.
        train_windows, test_windows: `(N, 3, H, W)`, faces as the network knows them.
        test_parts: `(N, h, w)` int64, the parts of `test_windows`.
        train_labels, test_labels: `(N,)` who they show, from 0 to `num_people` - 1.
        num_people: P.
    """

    train_views: Iterable[View]
    test_views: Iterable[View]
    part_names: Sequence[str]
    face_parts: Sequence[int]
    train_windows: torch.Tensor
    test_windows: torch.Tensor
    test_parts: torch.Tensor
    train_labels: np.ndarray
    test_labels: np.ndarray
    num_people: int


@dataclass(frozen=True)
class LayerMeasures:
    """All that was measured in one layer.

    Attributes:
        field: which pixels its units see.
        map_size: height and width of its maps.
        fitted: `(F,)` numbers of the units whose effective kernels were fitted.
        kernels: `(F, 3, k, k)` those kernels.
        gabor_r2: `(F,)` how well a Gabor function explains each.
        tuning: answers to gratings.
        chosen: dissection of training views, for choosing.
        held_out: dissection of test views, for reporting.
        train_pooled, test_pooled: `(N, U)` mean of each map for each window.
        selectivity: `(U,)` over people, on test windows.
        probe_right: `(N,)` which test windows the linear probe names rightly.
    """

    field: ReceptiveField
    map_size: tuple[int, int]
    fitted: np.ndarray
    kernels: np.ndarray
    gabor_r2: np.ndarray
    tuning: Tuning
    chosen: Dissection
    held_out: Dissection
    train_pooled: np.ndarray
    test_pooled: np.ndarray
    selectivity: np.ndarray
    probe_right: np.ndarray


@dataclass(frozen=True)
class NetworkMeasures:
    """All that was measured in one network: layer -> its measures, in the order of depth.

    Attributes:
        layers: see `LayerMeasures`.
        evidence: what it was measured on.
        estimates: measure -> `(L,)` value of each layer.
        replicates: measure -> `(R, L)` the same for each bootstrap replicate; replicates of the
            same seed draw the same images for every network.
    """

    layers: dict[str, LayerMeasures]
    evidence: Evidence
    estimates: dict[str, np.ndarray] = field(default_factory=dict)
    replicates: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def part_lines(self) -> dict[str, np.ndarray]:
        """Part of a face -> `(L,)` overlap, above the prior, of each layer's units best at it."""
        lines = []
        for layer in self.layers.values():
            above = layer.chosen.iou - layer.chosen.prior
            held_out = layer.held_out.iou - layer.held_out.prior
            best = np.argsort(-above, axis=0)[: num_top(len(above))]
            lines.append(np.take_along_axis(held_out, best, axis=0).mean(axis=0))
        values = np.stack(lines)
        return {self.evidence.part_names[p]: values[:, p] for p in self.evidence.face_parts}

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
    def field_sizes(self) -> list[int]:
        """Side of each layer's receptive field, pixels."""
        return [layer.field.size for layer in self.layers.values()]


def measure(
    network: nn.Module, layers: Sequence[str], evidence: Evidence, seed: int = 0
) -> NetworkMeasures:
    """Measure edges, parts and people in each layer.

    Args:
        network: takes `evidence`'s images.
        layers: dotted names, from the first to the last.
        evidence: what it is shown.
        seed: of the units that are fitted, and of the bootstrap.
    """
    size = evidence.test_windows.shape[-1]
    fields = receptive_fields(network, layers, size)
    faces = evidence.train_windows[:_BATCH]
    tuning = probe_gratings(network, layers, size, faces)
    num_parts = len(evidence.part_names)
    chosen = dissect(network, layers, evidence.train_views, num_parts)
    held_out = dissect(network, layers, evidence.test_views, num_parts)
    train_pooled = pool(network, layers, evidence.train_windows.split(_BATCH))
    test_pooled = pool(network, layers, evidence.test_windows.split(_BATCH))
    gradients = _first_images(evidence.train_views, _NUM_GRADIENTS)
    found = {}
    for layer in layers:
        place = fields[layer]
        num_units = test_pooled[layer].shape[1]
        rng = np.random.default_rng(seed)
        fitted = np.sort(rng.permutation(num_units)[:_MAX_FITTED])
        middle = place.box(len(place.rows) // 2, len(place.columns) // 2)
        kernels = effective_kernels(network, layer, gradients, middle, fitted.tolist())
        # A unit that was silent in the middle of all images has no kernel there to fit.
        spoke = kernels.any(axis=(1, 2, 3))
        fitted, kernels = fitted[spoke], kernels[spoke]
        probe = Probe(train_pooled[layer], evidence.train_labels, evidence.num_people)
        found[layer] = LayerMeasures(
            place, (len(place.rows), len(place.columns)), fitted, kernels, fit_gabors(kernels).r2,
            tuning[layer], chosen[layer], held_out[layer], train_pooled[layer], test_pooled[layer],
            selectivity(test_pooled[layer], evidence.test_labels, evidence.num_people),
            probe.right(test_pooled[layer], evidence.test_labels),
        )  # fmt: skip
    measures = NetworkMeasures(found, evidence)
    estimates, replicates = _bootstrap(measures, seed)
    return NetworkMeasures(found, evidence, estimates, replicates)


def _first_images(views: Iterable[View], number: int) -> torch.Tensor:
    found: list[torch.Tensor] = []
    for view in views:
        found.append(view.images)
        if sum(map(len, found)) >= number:
            break
    return torch.cat(found)[:number]


def best_parts(chosen: Dissection, face_parts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The part that each unit matches best, `(U,)`, and how well, `(U,)`.

    How well is IoU less the position prior; the numbers are those of `View.parts`.
    """
    above = (chosen.iou - chosen.prior)[:, face_parts]
    return np.asarray(face_parts)[above.argmax(axis=1)], above.max(axis=1)


def part_score(
    dissection: Dissection, units: np.ndarray, parts: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """IoU above the position prior of some units, each with its own part: `(T,)`."""
    iou, prior = dissection.weighted(weights)
    return (iou - prior)[units, parts]


def top_units(chosen: Dissection, face_parts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The top tenth of a layer's units by their best part, and that part."""
    parts, above = best_parts(chosen, face_parts)
    units = np.argsort(-above)[: num_top(len(above))]
    return units, parts[units]


def num_top(num_units: int) -> int:
    """A tenth of a layer's units, at least one."""
    return max(1, round(TOP_SHARE * num_units))


def _bootstrap(
    measures: NetworkMeasures, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Estimates and replicates of the four measures in each layer."""
    evidence = measures.evidence
    shape = NUM_REPLICATES, len(measures.layers)
    estimates = {name: np.empty(shape[1]) for name in MEASURES}
    replicates = {name: np.empty(shape) for name in MEASURES}
    rows = [np.flatnonzero(evidence.test_labels == p) for p in np.unique(evidence.test_labels)]
    counts = np.array([len(own) for own in rows])
    starts = np.cumsum(counts) - counts
    for i, layer in enumerate(measures.layers.values()):
        # Images are drawn anew from the same seed, the same in each layer and network.
        images, units = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1, i])

        def resampled(values: np.ndarray, rng: np.random.Generator = units) -> np.ndarray:
            return values[rng.integers(len(values), size=len(values))]

        top, parts = top_units(layer.chosen, evidence.face_parts)
        num_blocks = layer.held_out.num_blocks
        fits = layer.gabor_r2 if len(layer.gabor_r2) else np.zeros(1)
        estimates["edges"][i] = fits.mean()
        estimates["parts"][i] = part_score(layer.held_out, top, parts, np.ones(num_blocks)).mean()
        estimates["people"][i] = layer.selectivity.mean()
        estimates["probe"][i] = layer.probe_right.mean()
        responses = from_lowest(layer.test_pooled)
        for r in range(NUM_REPLICATES):
            blocks = images.multinomial(num_blocks, np.full(num_blocks, 1 / num_blocks))
            photos = np.concatenate([own[images.integers(len(own), size=len(own))] for own in rows])
            replicates["edges"][r, i] = resampled(fits).mean()
            scores = part_score(layer.held_out, top, parts, blocks)
            replicates["parts"][r, i] = resampled(scores).mean()
            sums = np.add.reduceat(responses[photos], starts, axis=0)  # photos go by person
            replicates["people"][r, i] = resampled(selectivity_of_sums(sums, counts)).mean()
            replicates["probe"][r, i] = layer.probe_right[photos].mean()
    return estimates, replicates


def rotated_parts(
    network: nn.Module, layers: Sequence[str], evidence: Evidence, seed: int = 0
) -> np.ndarray:
    """The part score of each layer `(L,)` after a random rotation of its units: a control.

    As high as without it, parts would be spread over the units of a layer, and no matter of single
    ones.
    """
    num_parts = len(evidence.part_names)
    chosen, held_out = (
        dissect(network, layers, views, num_parts, rotation_seed=seed)
        for views in (evidence.train_views, evidence.test_views)
    )
    scores = []
    for layer in layers:
        units, parts = top_units(chosen[layer], evidence.face_parts)
        weights = np.ones(held_out[layer].num_blocks)
        scores.append(part_score(held_out[layer], units, parts, weights).mean())
    return np.array(scores)


def peak_layer(measures: NetworkMeasures) -> int:
    """The position of the layer with the highest part score on training views."""
    scores = []
    for layer in measures.layers.values():
        units, parts = top_units(layer.chosen, measures.evidence.face_parts)
        weights = np.ones(layer.chosen.num_blocks)
        scores.append(part_score(layer.chosen, units, parts, weights).mean())
    return int(np.argmax(scores))
