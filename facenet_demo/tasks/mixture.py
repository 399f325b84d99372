"""Strangers blended with people to be named, for a network that is less sure the less it sees of
somebody.

    windows, mixture = mix(windows, labels)
    losses = mixture.of(loss(logits, labels), loss(logits, labels[mixture.other]))

Mixture outlier exposure: Zhang et al. 2021, arXiv 2106.03917.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from facenet_demo.records import STRANGER


class Mixture(NamedTuple):
    """How much of each picture is its own, and whose the rest is.

    Attributes:
        share: `(B,)` in [0, 1]; 1 unless it is a stranger's.
        other: `(B,)` int64, positions in the batch.
    """

    share: torch.Tensor
    other: torch.Tensor

    def of(self, own: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """What is worth `own` for its own picture and `others` for the other one, `(B, ...)`."""
        return torch.lerp(others, own, self.share.view(-1, *[1] * (own.ndim - 1)))


def mix(windows: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, Mixture]:
    """Blend strangers among the windows `(B, 3, W, W)` with another window each.

    Args:
        windows: what the network would be shown.
        labels: `(B,)`, `STRANGER` for those to be blended.
    """
    count, device = len(windows), windows.device
    share = torch.rand(count, device=device).masked_fill_(labels != STRANGER, 1)
    mixture = Mixture(share, torch.randperm(count, device=device))
    return mixture.of(windows, windows[mixture.other]), mixture
