"""How much does each unit, and each layer, tell about who is in the picture?

    pooled = pool(network, ["stages.3"], batches)          # layer -> (N, U) mean of each map
    selectivity(pooled["stages.3"], labels, num_people)    # (U,)
    accuracy = Probe(train_pooled, train_labels, num_people).right(test_pooled, test_labels).mean()

Class selectivity is `(m - r) / (m + r)`, m the mean response to the person with the largest, r to
all others (Morcos et al. 2018, arXiv 1803.06959). The linear probe (Alain and Bengio 2016, arXiv
1610.01644) asks what the layer as a whole says, single units or not.

What they cannot tell: whether the network uses it. Selective units need not matter (Leavitt and
Morcos 2020, arXiv 2003.01262). With few photos of each person the largest of many means is large by
chance: compare with the untrained network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from facenet_demo.features.observe import Instrument, View, observe

_PENALTIES = np.logspace(-4, 3, 15)  # of the probe's ridge, times the number of photos


def pool(
    network: nn.Module, layers: Sequence[str], batches: Iterable[torch.Tensor]
) -> dict[str, np.ndarray]:
    """The mean of each unit's map for each image, `(N, U)` float32.

    Args:
        network: takes the batches.
        layers: dotted names.
        batches: images `(B, 3, H, W)`.
    """
    pooling = Pooling()
    observe(network, layers, batches, [pooling])
    return pooling.result()


class Pooling(Instrument[np.ndarray]):
    """Keeps the mean of each unit's map for each image: `(N, U)` float32."""

    def __init__(self) -> None:
        self._means: dict[str, list[np.ndarray]] = {}

    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        means = maps.float().mean((2, 3)).cpu().numpy()
        self._means.setdefault(layer, []).append(means)

    def result(self) -> dict[str, np.ndarray]:
        return {layer: np.concatenate(means) for layer, means in self._means.items()}


def person_means(pooled: np.ndarray, labels: np.ndarray, num_people: int) -> np.ndarray:
    """Mean response `(U, P)` to each person's photos; NaN for people without any.

    Args:
        pooled: `(N, U)`.
        labels: `(N,)` from 0 to `num_people` - 1.
        num_people: P.
    """
    members = np.eye(num_people)[labels]  # (N, P)
    with np.errstate(invalid="ignore"):
        return (pooled.T.astype(float) @ members) / members.sum(axis=0)


def selectivity(pooled: np.ndarray, labels: np.ndarray, num_people: int) -> np.ndarray:
    """Class selectivity `(U,)` in [0, 1]; responses are counted from each unit's lowest one.

    Args:
        pooled: as in `person_means`.
        labels: the same.
        num_people: the same.
    """
    members = np.eye(num_people)[labels]  # (N, P)
    return selectivity_of_sums(members.T @ from_lowest(pooled), members.sum(axis=0))


def from_lowest(pooled: np.ndarray) -> np.ndarray:
    """Responses `(N, U)` counted from 0, or from a unit's lowest one if that is below."""
    return pooled.astype(float) - np.minimum(pooled.min(axis=0), 0)


def selectivity_of_sums(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Class selectivity `(U,)` from what was added up.

    Args:
        sums: `(P, U)` of the responses, 0 or more, to each person's photos.
        counts: `(P,)` of these photos.
    """
    with np.errstate(invalid="ignore"):
        means = np.where(counts[:, None] > 0, sums / counts[:, None], -np.inf)
    best, units = means.argmax(axis=0), np.arange(sums.shape[1])
    top = means[best, units]
    others = np.maximum(counts.sum() - counts[best], 1)
    rest = (sums.sum(axis=0) - sums[best, units]) / others
    total = top + rest
    return np.divide(top - rest, total, out=np.zeros(len(top)), where=total > 0)


class Probe:
    """A linear classifier on the pooled maps of a layer: ridge regression on each person.

    The penalty is the one with the smallest leave-one-out error on the photos it learns from, in
    closed form, so there is nothing to tune.

    Args:
        pooled: `(N, U)`.
        labels: `(N,)`.
        num_people: P.
    """

    def __init__(self, pooled: np.ndarray, labels: np.ndarray, num_people: int) -> None:
        self._mean = pooled.mean(axis=0)
        self._scale = np.maximum(pooled.std(axis=0), 1e-8)
        x = self._standard(pooled)
        targets = np.eye(num_people)[labels]
        u, s, vt = np.linalg.svd(x, full_matrices=False)
        projected = u.T @ (targets - targets.mean(axis=0))
        best = (np.inf, 0.0)
        for penalty in _PENALTIES * len(x):
            shrink = s**2 / (s**2 + penalty)
            fitted = targets.mean(axis=0) + u @ (shrink[:, None] * projected)
            leverage = (u**2) @ shrink + 1 / len(x)
            residual = (targets - fitted) / np.maximum(1 - leverage, 1e-6)[:, None]
            best = min(best, (float((residual**2).sum()), penalty))
        shrink = s / (s**2 + best[1])
        self._weights = vt.T @ (shrink[:, None] * projected)
        self._bias = targets.mean(axis=0)

    def right(self, pooled: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """`(N,)` bool: is the person with the highest score the right one?"""
        scores = self._standard(pooled) @ self._weights + self._bias
        return scores.argmax(axis=1) == labels

    def _standard(self, pooled: np.ndarray) -> np.ndarray:
        return (pooled.astype(float) - self._mean) / self._scale
