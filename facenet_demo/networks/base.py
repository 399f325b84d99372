"""What every network has, whatever is inside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.networks.heads import Head, HeadSettings

_CLOSER = 0.05  # of the side is cut off at each edge


@dataclass(frozen=True)
class NetworkSettings(ABC):
    """The plain values that a network is built from."""

    @abstractmethod
    def build(self, num_classes: int) -> FaceNetwork:
        """A freshly initialised network with `num_classes` outputs."""


class FaceNetwork(nn.Module, ABC):
    """RGB windows to scores, with the normalisation inside.

    Images come in as they are shown, float in [0, 1]; `mean` and `std` are buffers, set from the
    training photos, so a checkpoint carries them and nothing outside ever normalises.

    Attributes:
        layers: dotted names of the layers worth looking at while training, first to last.
        blocks: the same for a closer look: every convolution with what follows it.
        first_layer: dotted name of the convolution that sees the pixels.
        classifier: from features to scores, the last layer; a network sets it.
        dropout: what is left out of the features before it while it learns; none, unless it is set.
    """

    layers: tuple[str, ...]
    blocks: tuple[str, ...]
    first_layer: str
    mean: torch.Tensor
    std: torch.Tensor
    classifier: nn.Linear | Head
    dropout: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((3, 1, 1), 0.25))
        self.dropout = nn.Identity()

    def set_normalization(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Set the mean and standard deviation `(3,)` of the training pixels, in [0, 1]."""
        self.mean.copy_(mean.view(3, 1, 1))
        self.std.copy_(std.view(3, 1, 1).clamp_min(1e-3))

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """`(B, 3, H, W)` in [0, 1] to zero mean and unit deviation, in the precision of weights."""
        return (images.to(self.mean.dtype) - self.mean) / self.std

    @property
    def first_kernels(self) -> torch.Tensor:
        """The weights of the first layer, `(U, 3, k, k)` float on the CPU, without gradient."""
        return self.get_parameter(f"{self.first_layer}.weight").detach().float().cpu()

    @abstractmethod
    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Features `(B, D)` of images `(B, 3, H, W)` in [0, 1]: what the head reads."""

    def head(self, embedding: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Scores `(B, num_classes)` of features `(B, D)`.

        Args:
            embedding: `(B, D)`.
            labels: `(B,)` while it learns, for heads that make use of them.
        """
        features = self.dropout(embedding)
        if isinstance(self.classifier, Head):
            return self.classifier(features, labels)
        return self.classifier(features)

    def replace_head(self, settings: HeadSettings) -> None:
        """Put another last layer, freshly initialised, in the place of the linear one."""
        assert isinstance(self.classifier, nn.Linear)
        old = self.classifier
        self.classifier = settings.build(old.in_features, old.out_features).to(old.weight.device)

    def recognize(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features `(B, D)`, on average over four views of each image, and their scores.

        The views: the image, a closer look at its middle, and both in a mirror. They show the same
        person, and err in different ways. Whoever names people asks this; `forward` sees the
        images as they are.
        """
        side = images.shape[-1]
        edge = round(_CLOSER * side)
        middle = images[..., edge : side - edge, edge : side - edge]
        closer = F.interpolate(middle, size=(side, side), mode="bilinear", align_corners=False)
        views = torch.cat([images, closer])
        features = self.embed(torch.cat([views, views.flip(-1)]))  # (4B, D)
        embedding = features.view(4, -1, features.shape[1]).mean(0)
        return embedding, self.head(embedding)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (logits) `(B, num_classes)` of images `(B, 3, H, W)` in [0, 1]."""
        return self.head(self.embed(images))
