"""Statistics of a stream: what is kept does not grow with the number of photos.

best = TopK(k=9)
quantiles = Quantiles(num_units=32)
for maps, rows in ...:
    best.add(maps.amax((2, 3)), rows)
    quantiles.add(maps.transpose(0, 1).flatten(1))
best.result().ids                    # (32, 9)
quantiles.above(0.02)                # (32,) the value that 2 % of all values exceed
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

_NUM_BINS = 16384


@dataclass(frozen=True)
class Top:
    """The largest scores of each unit, the largest first.

    Attributes:
        scores: `(U, k)`.
        ids: `(U, k, ...)` of what had them.
    """

    scores: torch.Tensor
    ids: torch.Tensor


class TopK:
    """The k largest scores of each unit, and what had them.

    Args:
        k: how many; all, while fewer were added.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        self._scores: torch.Tensor | None = None
        self._ids: torch.Tensor | None = None

    def add(self, scores: torch.Tensor, ids: torch.Tensor) -> None:
        """Add scores `(N, U)` of things with ids `(N, U, ...)`."""
        scores, ids = scores.transpose(0, 1), ids.transpose(0, 1)
        if self._scores is not None and self._ids is not None:
            scores = torch.cat([self._scores, scores], dim=1)
            ids = torch.cat([self._ids, ids], dim=1)
        self._scores, chosen = scores.topk(min(self._k, scores.shape[1]), dim=1)
        chosen = chosen.view(*chosen.shape, *[1] * (ids.ndim - 2))
        self._ids = ids.take_along_dim(chosen, dim=1)

    def result(self) -> Top:
        """The largest so far.

        Raises:
            ValueError: if nothing was added.
        """
        if self._scores is None or self._ids is None:
            raise ValueError("nothing was added")
        return Top(self._scores, self._ids)


class Quantiles:
    """Quantiles of each unit's values, from a histogram of fine bins.

    The first values that are added set each unit's range; if later ones exceed it, it doubles, and
    neighbouring bins merge. The rank of a result is wrong by less than what one bin holds, within
    which values are taken to be spread evenly.

    Args:
        num_units: U.
        num_bins: even.
    """

    def __init__(self, num_units: int, num_bins: int = _NUM_BINS) -> None:
        self._counts = np.zeros((num_units, num_bins), np.int64)
        self._low: np.ndarray | None = None  # (U, 1)
        self._width = np.ones((num_units, 1))  # of a bin

    def add(self, values: torch.Tensor) -> None:
        """Add values `(U, N)`."""
        new = values.detach().cpu().float().numpy()
        num_units, num_bins = self._counts.shape
        lowest, highest = new.min(axis=1, keepdims=True), new.max(axis=1, keepdims=True)
        if self._low is None:
            self._low = lowest
            self._width = np.maximum(highest - lowest, 1e-12) * 1.25 / num_bins
        while (short := highest >= self._low + self._width * num_bins).any():
            self._double(short[:, 0], upwards=True)
        while (short := lowest < self._low).any():
            self._double(short[:, 0], upwards=False)
        places = (new - self._low.astype(np.float32)) * (1 / self._width).astype(np.float32)
        bins = places.astype(np.int32).clip(0, num_bins - 1)
        bins += np.arange(num_units, dtype=np.int32)[:, None] * num_bins
        counts = np.bincount(bins.ravel(), minlength=self._counts.size)
        self._counts += counts.reshape(self._counts.shape)

    def above(self, shares: np.ndarray | float) -> np.ndarray:
        """The value that a share of all values exceed, as nearly as bins tell.

        Args:
            shares: in [0, 1], one, or `(K,)`.

        Returns:
            `(U,)` or `(U, K)`.

        Raises:
            ValueError: if nothing was added.
        """
        if self._low is None:
            raise ValueError("nothing was added")
        wanted = np.atleast_1d(np.asarray(shares, float))
        cumulative = self._counts.cumsum(axis=1)  # values up to the end of each bin
        total = cumulative[:, -1:]
        result = np.empty((len(cumulative), len(wanted)))
        for k, share in enumerate(wanted):
            # The first bin up to whose end all but the share of the values lie.
            bins = (cumulative < (1 - share) * total - 0.5).sum(axis=1, keepdims=True)
            before = np.take_along_axis(cumulative - self._counts, bins, axis=1)
            held = np.take_along_axis(self._counts, bins, axis=1)
            into = (((1 - share) * total - before) / np.maximum(held, 1)).clip(0, 1)
            result[:, k] = (self._low + (bins + into) * self._width)[:, 0]
        return result if np.ndim(shares) else result[:, 0]

    def ranks(self, values: torch.Tensor) -> torch.Tensor:
        """The share of all values that lie below each of `values` `(U, N)`, ties counted half."""
        assert self._low is not None
        cumulative = self._counts.cumsum(axis=1) - self._counts / 2
        table = torch.from_numpy((cumulative / cumulative[:, -1:]).astype(np.float32))
        low, width = (torch.from_numpy(v).float() for v in (self._low, self._width))
        bins = ((values - low) / width).long().clamp(0, table.shape[1] - 1)
        return table.gather(1, bins)

    def _double(self, units: np.ndarray, upwards: bool) -> None:
        counts = self._counts[units]
        merged = counts[:, ::2] + counts[:, 1::2]
        empty = np.zeros_like(merged)
        self._counts[units] = np.hstack([merged, empty] if upwards else [empty, merged])
        if not upwards and self._low is not None:
            self._low[units] -= self._width[units] * counts.shape[1]
        self._width[units] *= 2
