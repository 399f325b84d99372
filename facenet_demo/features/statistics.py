"""Statistics of a stream: what is kept does not grow with the number of photos.

best = TopK(k=9)
for maps, rows in ...:
    best.add(maps.amax((2, 3)), rows)
best.result().ids                    # (32, 9)
"""

from __future__ import annotations

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
