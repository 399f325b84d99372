"""How sure a network can be that a face is not a stranger's: from its scores, and from faces it
knows.

    neighbours = Neighbours.of(embeddings, labels, stranger_embeddings)
    certainty(logits)                            # (N,) in [0, 1]: the largest probability
    certainty(logits, embeddings, neighbours)    # its mean with how near the face is to that person

The largest probability (Hendrycks and Gimpel 2017, arXiv 1610.02136) asks whether a face looks like
one person rather than another. A stranger who looks like one of them is told by looking like some
other stranger too: similarities are compared with those to a cohort, as where speakers are verified
(Auckenthaler, Carey and Lloyd-Thomas 2000, Score normalization for text-independent speaker
verification systems).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

# The difference of two cosines that counts as wholly near: of known faces it is mostly half of it.
_NEAR = 1 / 3
_MOST = 5000  # photos that are kept of known people, and of strangers


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Faces that taught a network, as it sees them.

    Attributes:
        known: `(R, D)` of the people to be named: embeddings of length 1, in half precision.
        labels: `(R,)` int64, whose they are.
        strangers: `(S, D)` of strangers, S > 0.
    """

    known: torch.Tensor
    labels: torch.Tensor
    strangers: torch.Tensor

    @classmethod
    def of(cls, known: torch.Tensor, labels: torch.Tensor, strangers: torch.Tensor) -> Neighbours:
        """Keep embeddings of any length; of many photos some of each person.

        Args:
            known: `(N, D)`.
            labels: `(N,)`.
            strangers: `(M, D)`.
        """
        kept = _some_of_each(labels.numpy(), _MOST)
        return cls(
            torch.nn.functional.normalize(known[kept], dim=1).half(),
            labels[kept],
            torch.nn.functional.normalize(strangers[:_MOST], dim=1).half(),
        )

    @classmethod
    def from_values(cls, values: Mapping[str, torch.Tensor]) -> Neighbours:
        """From the tensors that a checkpoint carries (`vars`).

        Raises:
            ValueError, TypeError, AttributeError: if they are not those of neighbours.
        """
        made = cls(**values)
        finite = made.known.isfinite().all() and made.strangers.isfinite().all()
        if not finite or not len(made.strangers) or made.labels.shape != made.known.shape[:1]:
            raise ValueError("its neighbours are not rows of finite numbers")
        return made

    def nearness(self, logits: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
        """How much nearer faces are to whom they are taken for than to any stranger.

        Args:
            logits: `(N, P)`, which say who that is.
            embeddings: `(N, D)`, of any length.

        Returns:
            `(N,)` in [0, 1]: 0 where a stranger is as near.
        """
        faces = torch.nn.functional.normalize(embeddings, dim=1)  # (N, D)
        others = self.labels != logits.argmax(dim=1, keepdim=True)  # (N, R)
        own = (faces @ self.known.float().T).masked_fill(others, -1.0).amax(dim=1)
        stranger = (faces @ self.strangers.float().T).amax(dim=1)
        return ((own - stranger) / _NEAR).clamp(0, 1)


def certainty(
    logits: torch.Tensor,
    embeddings: torch.Tensor | None = None,
    neighbours: Neighbours | None = None,
) -> torch.Tensor:
    """How sure it is that faces are those of whom they are taken for: `(N,)` in [0, 1].

    In double precision; in single precision the surest faces would all be 1.

    Args:
        logits: scores `(N, P)`, before calibration: the low temperatures that label smoothing asks
            for make all the surer faces alike.
        embeddings: `(N, D)`; only with neighbours.
        neighbours: where strangers taught the network.
    """
    probability = logits.double().softmax(dim=1).amax(dim=1)
    if embeddings is None or neighbours is None:
        return probability
    return (probability + neighbours.nearness(logits, embeddings).double()) / 2


def _some_of_each(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows `(R,)`, equally many of each label where that is possible, not many more than `most`."""
    order = np.argsort(labels, kind="stable")
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    rank = np.arange(len(labels)) - np.repeat(first, counts)  # of each row among its label's
    return np.sort(order[rank < max(1, most // max(1, len(counts)))])
