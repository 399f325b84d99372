"""What does the network lose without some of its units? (Bau et al. 2020, PNAS 117:30071.)

    base = right_answers(network, images, labels)                        # (N,) bool
    without = right_answers(network, images, labels, Ablation("stages.2", [17], means))
    cost = base.mean() - without.mean()

An ablated unit is held at its mean over training images, which takes away what it says and leaves
the layer's level as it was.

What it cannot tell: that a unit that costs nothing is idle; others may stand in for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from facenet_demo.features.trace import IMAGES_AT_ONCE, Trace, evaluating


class Ablation(NamedTuple):
    """Units to be held at their mean.

    Attributes:
        layer: dotted name.
        units: their numbers.
        means: `(U,)` mean activation of each unit of the layer.
    """

    layer: str
    units: Sequence[int]
    means: np.ndarray


def right_answers(
    network: nn.Module, images: torch.Tensor, labels: np.ndarray, ablation: Ablation | None = None
) -> np.ndarray:
    """Which images are named rightly, with some units held at their mean: `(N,)` bool.

    Args:
        network: images to scores `(B, P)`.
        images: `(N, 3, H, W)`.
        labels: `(N,)` right answers.
        ablation: None leaves all units alone.
    """
    named = []
    device = next(network.parameters()).device
    layers, edit = [], None
    if ablation is not None:
        layers = [ablation.layer]
        units = torch.as_tensor(ablation.units, device=device)
        means = torch.as_tensor(ablation.means[ablation.units], dtype=torch.float32, device=device)

        def edit(layer: str, output: torch.Tensor) -> torch.Tensor:
            edited = output.clone()
            shape = (1, -1) + (1,) * (output.ndim - 2)
            edited[:, units] = means.view(shape).to(output.dtype)
            return edited

    with evaluating(network), Trace(network, layers, edit=edit):
        for some in images.split(IMAGES_AT_ONCE):
            named.append(network(some.to(device)).argmax(1).cpu())
    return torch.cat(named).numpy() == labels


def matched_units(
    means: np.ndarray, units: Sequence[int], rng: np.random.Generator, num_near: int = 3
) -> list[int]:
    """As many other units with about the same mean activations.

    Args:
        means: `(U,)` mean activation of each unit.
        units: those to be matched, at most half of all.
        rng: draws one of the nearest for each.
        num_near: among how many it draws.

    Raises:
        ValueError: if there are not enough others.
    """
    free = sorted(set(range(len(means))) - set(units))
    if len(free) < len(units):
        raise ValueError(f"{len(units)} of {len(means)} units leave too few to match them")
    matched = []
    for unit in rng.permutation(units):
        near = sorted(free, key=lambda other: abs(means[other] - means[unit]))[:num_near]
        chosen = int(rng.choice(near))
        free.remove(chosen)
        matched.append(chosen)
    return matched
