"""Pictures blended with each other, for a network that is to be unsure where two people meet.

    windows, blend = mix(windows, probability=0.5)
    losses = blend.of(loss(logits, labels), loss(logits, labels[blend.other]))

Zhang et al. 2018, arXiv 1710.09412; with strangers' pictures among them: Zhang et al. 2021, arXiv
2106.03917. Unlike torchvision's, each picture of a batch is blended to its own degree.
"""

from __future__ import annotations

from typing import NamedTuple

import torch


class Blend(NamedTuple):
    """How much of each picture is its own, and whose the rest is.

    Attributes:
        share: `(B,)` in [0.5, 1].
        other: `(B,)` int64, positions in the batch.
    """

    share: torch.Tensor
    other: torch.Tensor

    def of(self, own: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """What is worth `own` for its own picture and `others` for the other one, `(B, ...)`."""
        return torch.lerp(others, own, self.share.view(-1, *[1] * (own.ndim - 1)))


def mix(windows: torch.Tensor, probability: float) -> tuple[torch.Tensor, Blend]:
    """Blend some of the windows `(B, 3, W, W)` with others of the batch, evenly at most.

    Args:
        windows: what the network would be shown.
        probability: at which each of them is blended.
    """
    count, device = len(windows), windows.device
    share = torch.empty(count, device=device).uniform_(0.5, 1)
    share.masked_fill_(torch.rand(count, device=device) >= probability, 1)
    blend = Blend(share, torch.randperm(count, device=device))
    return blend.of(windows, windows[blend.other]), blend
