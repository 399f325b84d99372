"""What every network has, whatever is inside it.

A network of one's own is two classes: settings that build it, found by their name as soon as they
are defined, and the module. CONTRIBUTING.md shows both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.networks.heads import Head, HeadSettings

_CLOSER = 0.05  # of the side is cut off at each edge
_WIDE = 64  # channels where maps are as large as the window, at most, unless settings know better


@dataclass(frozen=True)
class NetworkSettings(ABC):
    """The plain values that a network is built from."""

    @abstractmethod
    def build(self, num_classes: int) -> FaceNetwork:
        """A freshly initialised network with `num_classes` outputs."""

    def largest_map(self, window: int) -> int:
        """About how many numbers the layer that says the most holds of one face.

        Files are refused that would fill the memory with them. By default enough for networks with
        at most 64 channels where their maps are as large as the window.

        Args:
            window: side of the square that the network is shown, pixels.
        """
        return _WIDE * window**2


class FaceNetwork(nn.Module, ABC):
    """RGB windows to scores, with the normalisation inside.

    Images come in as they are shown, float in [0, 1]; `mean` and `std` are buffers, set from the
    training photos, so a checkpoint carries them and nothing outside ever normalises.

    A class says its `layers` and its `first_layer`, as a class attribute or, where they depend on
    its settings, as a property; one that does not is refused where it is defined.

    Attributes:
        classifier: from features to scores, the last layer; a network sets it.
        dropout: what is left out of the features before it while it learns; none, unless it is set.

    Raises:
        TypeError: as the class is defined, if it says nothing of one of them.
    """

    mean: torch.Tensor
    std: torch.Tensor
    classifier: nn.Linear | Head
    dropout: nn.Module

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, example in (("layers", '("conv1", "conv2")'), ("first_layer", '"conv1"')):
            if getattr(cls, name) is getattr(FaceNetwork, name):
                raise TypeError(
                    f"{cls.__module__}.{cls.__qualname__} does not say its {name}. Write it into "
                    f"the class, such as {name} = {example}, or as a property of that name."
                )

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
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """Dotted names of the layers worth looking at while training, first to last."""

    @property
    @abstractmethod
    def first_layer(self) -> str:
        """Dotted name of the convolution that sees the pixels."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """As `layers`, for a closer look: every convolution with what follows it."""
        return self.layers

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
        """Put another last layer, freshly initialised, in the place of the linear one.

        Raises:
            ValueError: if its last layer is no linear one.
        """
        old = self.classifier
        if not isinstance(old, nn.Linear):
            raise ValueError(
                f"The classifier of {type(self).__name__} is no plain linear layer, in whose place "
                f"{type(settings).__name__} could be put."
            )
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
