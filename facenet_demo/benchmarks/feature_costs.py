"""What it costs to look inside a network: seconds, beside a forward pass and beside plainer ways.

    for name, cost in costs(Path("runs/lfw-..."), repeats=5):
        cost.comparison, cost.figures

All blocks of the network are looked into, on photos that it was not trained on; a run with fewer
than 400 of them shows them again.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from facenet_demo.benchmarks import scipy_gabors
from facenet_demo.benchmarks.cost import Comparison, compare
from facenet_demo.benchmarks.netdissect import netdissect
from facenet_demo.data.evidence import make_evidence
from facenet_demo.features.ablation import right_answers
from facenet_demo.features.causality import unit_costs
from facenet_demo.features.dissection import dissect
from facenet_demo.features.filters import fit_gabors
from facenet_demo.features.measures import Edges
from facenet_demo.features.observe import View
from facenet_demo.features.patches import top_patches
from facenet_demo.features.progression import measure
from facenet_demo.features.selectivity import pool
from facenet_demo.features.survey import Evidence
from facenet_demo.features.trace import IMAGES_AT_ONCE, Trace, evaluating
from facenet_demo.networks import FaceNetwork
from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.networks.untrained import untrained_twin
from facenet_demo.training.cli import configured_data
from facenet_demo.visualize.measurements import MAX_ABLATED

NUM_VIEWS = 400
_SLOW_REPEATS = 3  # at most, of what takes several times as long
_NUM_SCIPY = 20  # kernels that scipy fits
_NUM_ABLATED = 8  # units of a layer


@dataclass(frozen=True)
class Cost:
    """One comparison.

    Attributes:
        comparison: seconds of both sides.
        figures: whatever else it showed, by name.
    """

    comparison: Comparison
    figures: Mapping[str, float | bool]

    def __str__(self) -> str:
        shown = (
            f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
            for name, value in self.figures.items()
        )
        return "; ".join([str(self.comparison), *shown])


def costs(folder: Path, repeats: int) -> Iterator[tuple[str, Cost]]:
    """Compare one after the other.

    Args:
        folder: a run folder.
        repeats: how often both sides are run, in turn, after once for nothing; those of
            NetDissect-Lite 3 times at most.

    Yields:
        a name and what was found.
    """
    trained = load_checkpoint(folder)
    network = trained.network.requires_grad_(False)
    evidence = make_evidence(configured_data(folder / "config.yaml"), NUM_VIEWS, 0)
    twin = untrained_twin(network, trained.settings, evidence.train_windows, 1)
    views = repeated(evidence.test_views, NUM_VIEWS)
    num_parts = len(evidence.part_names)
    yield "dissection", dissection(network, network.blocks, views, num_parts, repeats)
    for name, matched in (("netdissect", False), ("netdissect_matched", True)):
        slow = min(repeats, _SLOW_REPEATS)
        yield name, against_netdissect(network, network.blocks, views, num_parts, slow, matched)
    yield "top_patches", patches(network, network.blocks, views, repeats)
    yield "gabors", gabor_fits(kernels_of_a_report([network, twin], evidence), repeats)
    yield "unit_costs", ablation(network, network.blocks, evidence, repeats)


def repeated(views: Iterable[View], number: int) -> list[View]:
    """So many views, in their batches, which come again if there are fewer; the last may be cut.

    Args:
        views: with their parts.
        number: of images in all.
    """
    found: list[View] = []
    for images, parts in itertools.cycle(list(views)):
        if number <= 0:
            break
        assert parts is not None
        found.append(View(images[:number], parts[:number]))
        number -= len(images)
    return found


def dissection(
    network: nn.Module, layers: Sequence[str], views: Sequence[View], num_parts: int, repeats: int
) -> Cost:
    """Dissecting the layers against running through the views once."""
    number = sum(len(view.images) for view in views)
    compared = compare(
        f"dissection of {number} views", lambda: dissect(network, layers, views, num_parts),
        "a forward pass", _passing(network, [view.images for view in views]),
        repeats, warm_up=True,
    )  # fmt: skip
    return Cost(compared, {})


def against_netdissect(
    network: nn.Module,
    layers: Sequence[str],
    views: Sequence[View],
    num_parts: int,
    repeats: int,
    matched: bool,
) -> Cost:
    """NetDissect-Lite's way against ours.

    Args:
        network: takes the views.
        layers: dotted names.
        views: with their parts.
        num_parts: K.
        repeats: how often both are run.
        matched: give it as many thresholds as ours has: for each part one that as large a share of
            a unit's values exceeds as the part covers. Then the figures say how far the overlaps
            are from ours, which counts a quarter of all cells and cuts between levels.
    """
    areas = torch.cat([_parts(view).flatten() for view in views]).bincount(minlength=num_parts)
    shares = (areas / areas.sum()).tolist()
    given = {"shares": shares} if matched else {}
    theirs: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        compared = compare(
            "NetDissect-Lite's way" + (", a threshold for each part" if matched else ""),
            lambda: theirs.update(
                netdissect(network, layers, views, num_parts, Path(folder), **given)
            ),
            "dissection", lambda: dissect(network, layers, views, num_parts),
            repeats, warm_up=True,
        )  # fmt: skip
    if not matched:
        return Cost(compared, {})
    ours = dissect(network, layers, views, num_parts)
    apart = np.concatenate([abs(theirs[layer] - ours[layer].iou).ravel() for layer in layers])
    figures = {
        "difference of IoU, median": float(np.median(apart)),
        "95th percentile": float(np.quantile(apart, 0.95)),
    }
    return Cost(compared, figures)


def patches(network: nn.Module, layers: Sequence[str], views: Sequence[View], repeats: int) -> Cost:
    """Top patches of the layers against running through the same batches once."""
    images = torch.cat([view.images for view in views])
    batches = images.split(IMAGES_AT_ONCE)
    numbered = list(zip(batches, np.split(np.arange(len(images)), _ends(batches)), strict=True))
    compared = compare(
        f"top patches of {len(images)} views", lambda: top_patches(network, layers, numbered),
        "a forward pass", _passing(network, batches), repeats, warm_up=True,
    )  # fmt: skip
    return Cost(compared, {})


def kernels_of_a_report(networks: Sequence[FaceNetwork], evidence: Evidence) -> list[np.ndarray]:
    """The effective kernels `(F, 3, k, k)` that a report fits, of each layer of each network."""
    found = []
    for network in networks:
        measured = measure(network, network.blocks, evidence, measures=[Edges()], num_replicates=0)
        found += [fits.kernels for fits in measured.found(Edges).values()]
    return found


def gabor_fits(kernels: Sequence[np.ndarray], repeats: int, num_scipy: int = _NUM_SCIPY) -> Cost:
    """Gabor fits, all kernels of a layer at once, against scipy, one by one.

    Args:
        kernels: `(F, 3, k, k)` of each layer.
        repeats: how often both are run.
        num_scipy: how many kernels, spread evenly over all, scipy fits; its time is scaled up.
    """
    single = [kernel for some in kernels for kernel in some]
    rows = np.linspace(0, len(single) - 1, min(num_scipy, len(single))).round().astype(int)
    theirs: list[float] = []
    ours: list[np.ndarray] = []

    def fit_by_scipy() -> None:
        theirs[:] = [scipy_gabors.fit(single[row]) for row in rows]

    def fit() -> None:
        ours[:] = [fit_gabors(some).r2 for some in kernels]

    compared = compare(
        f"scipy's least squares, {len(rows)} fits scaled to {len(single)}", fit_by_scipy,
        f"{len(single)} Gabor fits", fit, repeats, warm_up=True,
    )  # fmt: skip
    scale = len(single) / len(rows)
    scaled = replace(compared, seconds=[scale * seconds for seconds in compared.seconds])
    gained = np.concatenate(ours)[rows] - theirs
    figures = {
        "R2 above scipy's, median": float(np.median(gained)),
        "worst": float(gained.min()),
        "best": float(gained.max()),
    }
    return Cost(scaled, figures)


def ablation(
    network: nn.Module,
    layers: Sequence[str],
    evidence: Evidence,
    repeats: int,
    num_units: int = _NUM_ABLATED,
) -> Cost:
    """What single units are worth: by running only what comes after, against whole passes.

    Args:
        network: images to scores.
        layers: dotted names.
        evidence: at most 310 of its test windows are taken, spread evenly.
        repeats: how often both are run.
        num_units: of a layer at most, spread evenly.
    """
    number = len(evidence.test_windows)
    rows = np.linspace(0, number - 1, min(number, MAX_ABLATED)).round().astype(int)
    images, labels = evidence.test_windows[rows], evidence.test_labels[rows]
    pooled = pool(network, layers, evidence.train_windows.split(IMAGES_AT_ONCE))
    means = {layer: values.mean(axis=0) for layer, values in pooled.items()}
    units = {
        layer: np.unique(np.linspace(0, len(of_layer) - 1, num_units).round().astype(int)).tolist()
        for layer, of_layer in means.items()
    }
    right = right_answers(network, images, labels)
    found: dict[str, list[np.ndarray]] = {}

    def by(name: str, way: Callable[..., np.ndarray]) -> None:
        found[name] = [
            way(network, images, labels, layer, means[layer], units[layer], right)
            for layer in layers
        ]

    compared = compare(
        f"{sum(map(len, units.values()))} units ablated in whole passes over {len(rows)} windows",
        lambda: by("whole", unit_costs_in_whole_passes),
        "from their layer on", lambda: by("ours", unit_costs), repeats, warm_up=True,
    )  # fmt: skip
    same = all(map(np.array_equal, found["whole"], found["ours"]))
    return Cost(compared, {"same answers": same})


def unit_costs_in_whole_passes(
    network: nn.Module,
    images: torch.Tensor,
    labels: np.ndarray,
    layer: str,
    means: np.ndarray,
    units: Sequence[int],
    right: np.ndarray,
) -> np.ndarray:
    """What `features.causality.unit_costs` gives, by one pass through the network for each unit."""
    costs = []
    for unit in units:

        def hold(layer: str, output: torch.Tensor, unit: int = unit) -> torch.Tensor:
            held = output.clone()
            held[:, unit] = float(means[unit])
            return held

        with Trace(network, [layer], edit=hold):
            costs.append(right.astype(int) - right_answers(network, images, labels))
    return np.stack(costs)


def _passing(network: nn.Module, batches: Sequence[torch.Tensor]) -> Callable[[], None]:
    """Runs the network over all batches."""

    def forward() -> None:
        with evaluating(network):
            for images in batches:
                network(images)

    return forward


def _ends(batches: Sequence[torch.Tensor]) -> np.ndarray:
    """Where each batch but the last ends."""
    return np.cumsum([len(images) for images in batches])[:-1]


def _parts(view: View) -> torch.Tensor:
    assert view.parts is not None
    return view.parts
