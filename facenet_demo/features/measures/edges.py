"""How well does an ideal edge or bar explain what the units of a layer respond to?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from facenet_demo.features.effective import effective_kernels
from facenet_demo.features.filters import fit_gabors
from facenet_demo.features.measures.base import Draw, LayerValues, Measure
from facenet_demo.features.observe import View
from facenet_demo.features.survey import TEST_POOLED, Survey


@dataclass(frozen=True)
class EdgeFits(LayerValues):
    """Gabor fits of some units' effective kernels.

    Attributes:
        units: `(F,)` their numbers.
        kernels: `(F, 3, k, k)`.
        r2: `(F,)` how well a Gabor function explains each.
    """

    units: np.ndarray
    kernels: np.ndarray
    r2: np.ndarray

    @property
    def estimate(self) -> float:
        return float(self._fits.mean())

    def replicate(self, draw: Draw) -> float:
        return float(draw.units(self._fits).mean())

    @property
    def _fits(self) -> np.ndarray:
        return self.r2 if len(self.r2) else np.zeros(1)


@dataclass(frozen=True)
class Edges(Measure[EdgeFits]):
    """Mean Gabor fit of effective kernels.

    Args:
        num_units: how many units of a layer are fitted, drawn by lot.
        num_images: how many training views gradients are averaged over.
    """

    name = "edges"
    label = "Edges"
    axis = "edge fit of effective kernels (R²)"
    explanation = (
        "How well an ideal edge or bar detector (a Gabor function) explains what the layer's units "
        "respond to."
    )
    source = "Daugman 1985, J. Opt. Soc. Am. A 2:1160"
    readings = (TEST_POOLED,)

    num_units: int = 24
    num_images: int = 32

    def compute(self, network: nn.Module, survey: Survey, layer: str) -> EdgeFits:
        field = survey.layers[layer].field
        images = _first_images(survey.evidence.train_views, self.num_images)
        num_units = survey.layers[layer][TEST_POOLED].shape[1]
        rng = np.random.default_rng(survey.seed)
        units = np.sort(rng.permutation(num_units)[: self.num_units])
        kernels = effective_kernels(network, layer, images, field, units.tolist())
        # A unit that was silent in the middle of all images has no kernel there to fit.
        spoke = kernels.any(axis=(1, 2, 3))
        units, kernels = units[spoke], kernels[spoke]
        return EdgeFits(units, kernels, fit_gabors(kernels).r2)


def _first_images(views: Iterable[View], number: int) -> torch.Tensor:
    found: list[torch.Tensor] = []
    for view in views:
        found.append(view.images)
        if sum(map(len, found)) >= number:
            break
    return torch.cat(found)[:number]
