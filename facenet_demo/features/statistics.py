"""Statistics of a stream: what is kept does not grow with the number of photos.

best = TopK(k=9)
for maps, rows in ...:
    best.add(peaks(maps), lambda images, units: rows[images])
best.result().ids                    # (32, 9)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


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

    def add(
        self, scores: torch.Tensor, ids: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ) -> None:
        """Add scores of N things.

        Args:
            scores: `(N, U)`.
            ids: asked for those `(M,)` that are among the largest, and the units `(M,)` for which
                they are, it gives `(M, ...)`.
        """
        scores, num_before = scores.transpose(0, 1), 0
        if self._scores is not None:
            num_before = self._scores.shape[1]
            scores = torch.cat([self._scores, scores], dim=1)
        self._scores, chosen = scores.topk(min(self._k, scores.shape[1]), dim=1)
        units, slots = (chosen >= num_before).nonzero(as_tuple=True)
        new = ids(chosen[units, slots] - num_before, units)
        kept = new.new_zeros(*chosen.shape, *new.shape[1:])
        if self._ids is not None:
            old = chosen.clamp(max=num_before - 1).view(*chosen.shape, *[1] * (new.ndim - 1))
            kept = self._ids.take_along_dim(old, dim=1)
        kept[units, slots] = new
        self._ids = kept

    def result(self) -> Top:
        """The largest so far.

        Raises:
            ValueError: if nothing was added.
        """
        if self._scores is None or self._ids is None:
            raise ValueError("nothing was added")
        return Top(self._scores, self._ids)


def peaks(maps: torch.Tensor) -> torch.Tensor:
    """The largest value `(B, U)` of each map `(B, U, h, w)`."""
    # For a few maps whose units lie next to each other this is ten times as fast as both at once.
    return maps.amax(2).amax(2)
