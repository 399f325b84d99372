"""What does the network lose without some of its units? (Bau et al. 2020, PNAS 117:30071.)

    base = right_answers(network, images, labels)                        # (N,) bool
    without = right_without(network, images, labels, "stages.2", [[17], [3, 5]], means)  # (2, N)
    cost = base.mean() - without.mean(axis=1)

An ablated unit is held at its mean over training images, which takes away what it says and leaves
the layer's level as it was.

What it cannot tell: that a unit that costs nothing is idle; others may stand in for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from facenet_demo.features.rerun import rerun
from facenet_demo.features.trace import IMAGES_AT_ONCE, device_of, evaluating

# Versions of an image that a GPU is given at once; a CPU is as fast with one after the other.
_IMAGES_AT_ONCE_GPU = 2048


def right_answers(network: nn.Module, images: torch.Tensor, labels: np.ndarray) -> np.ndarray:
    """Which images are named rightly: `(N,)` bool.

    Args:
        network: images to scores `(B, P)`.
        images: `(N, 3, H, W)`.
        labels: `(N,)` right answers.
    """
    device = device_of(network)
    with evaluating(network):
        named = [network(some.to(device)).argmax(1).cpu() for some in images.split(IMAGES_AT_ONCE)]
    return torch.cat(named).numpy() == labels


def right_without(
    network: nn.Module,
    images: torch.Tensor,
    labels: np.ndarray,
    layer: str,
    groups: Sequence[Sequence[int]],
    means: np.ndarray,
) -> np.ndarray:
    """Which images are named rightly while some units of a layer are held at their mean.

    What comes before the layer is computed once for all groups.

    Args:
        network: images to scores `(B, P)`.
        images: `(N, 3, H, W)`.
        labels: `(N,)` right answers.
        layer: dotted name.
        groups: numbers of the units that are held together, G times.
        means: `(U,)` mean activation of each unit of the layer.

    Returns:
        `(G, N)` bool.
    """
    device = device_of(network)
    if not len(groups):
        return np.empty((0, len(labels)), bool)
    held_at = torch.as_tensor(means, dtype=torch.float32, device=device)
    named = []
    for some in images.split(IMAGES_AT_ONCE):
        with rerun(network, layer, some.to(device)) as rest:
            output, of_groups = rest.output, []
            at_once = 1 if device.type == "cpu" else max(1, _IMAGES_AT_ONCE_GPU // len(some))
            for start in range(0, len(groups), at_once):
                few = groups[start : start + at_once]
                edited = torch.cat([output] * len(few))  # as it lies in memory
                shape = (1, -1) + (1,) * (output.ndim - 2)
                for version, units in zip(edited.split(len(some)), few, strict=True):
                    version[:, units] = held_at[units].view(shape).to(output.dtype)
                of_groups.append(rest(edited).argmax(1).view(len(few), -1).cpu())
        named.append(torch.cat(of_groups))
    return torch.cat(named, dim=1).numpy() == labels


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
