"""Last layers beside the plain linear one: from a network's features to a score for each person.

    network.classifier = Cosine(margin=0.2).build(num_features=384, num_outputs=40)

In training a head is told who is in each picture, so that it can make the right answer harder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.system.fields import check_fields


@dataclass(frozen=True)
class HeadSettings(ABC):
    """The plain values that a head is built from."""

    @abstractmethod
    def build(self, num_features: int, num_outputs: int) -> Head:
        """A freshly initialised head for features of `num_features` numbers."""


class Head(nn.Module, ABC):
    """Features to scores; knows the answers while it learns."""

    @abstractmethod
    def forward(self, features: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Scores `(B, P)` of features `(B, D)`.

        Args:
            features: `(B, D)`.
            labels: `(B,)` int64 in training, below 0 where nobody is to be named; else None.
        """


@dataclass(frozen=True)
class Cosine(HeadSettings):
    """The cosine between features and a direction for each person, less a margin for the right one.

    CosFace: Wang et al. 2018, arXiv 1801.09414.

    Args:
        scale: What cosines are multiplied by: the larger, the surer the network can be.
        margin: What the right person's cosine is lowered by in training.
    """

    scale: float = 16.0
    margin: float = 0.2

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.scale > 0:
            raise ValueError(f"scale must be above 0, not {self.scale}.")
        if not 0 <= self.margin < 2:
            raise ValueError(f"margin must be at least 0 and below 2, not {self.margin}.")

    def build(self, num_features: int, num_outputs: int) -> CosineHead:
        return CosineHead(self, num_features, num_outputs)


class CosineHead(Head):
    """The head that `Cosine` settings describe."""

    def __init__(self, settings: Cosine, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.settings = settings
        self.weight = nn.Parameter(torch.empty(num_outputs, num_features))
        nn.init.xavier_normal_(self.weight)

    def forward(self, features: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        cosines = F.linear(F.normalize(features), F.normalize(self.weight))  # (B, P)
        if labels is not None:
            people = torch.arange(len(self.weight), device=labels.device)
            cosines = cosines - self.settings.margin * (labels[:, None] == people)
        return self.settings.scale * cosines
