"""Any torchvision classifier in FaceCNN's place.

    network = Torchvision(name="resnet18").build(num_classes=40)

It starts from scratch: no weights are downloaded.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import torch
from torch import nn

from facenet_demo.networks.base import FaceNetwork, NetworkSettings


@dataclass(frozen=True)
class Torchvision(NetworkSettings):
    """A classifier of torchvision.models, from scratch, with a new last layer.

    Args:
        name: Its name in torchvision.models, such as resnet18, mobilenet_v3_small or vit_b_16. Some
            want windows larger than the default: `data.window` 224.
        dropout: Share of the features hidden from the last layer in training, in [0, 1).
    """

    name: str = "resnet18"
    dropout: float = 0.0

    def build(self, num_classes: int) -> TorchvisionNetwork:
        return TorchvisionNetwork(self, num_classes)


class TorchvisionNetwork(FaceNetwork):
    """A torchvision classifier whose last linear layer was replaced."""

    def __init__(self, settings: Torchvision, num_classes: int) -> None:
        # torchvision takes a second to import and FaceCNN does not need it.
        from torchvision import models

        super().__init__()
        names = models.list_models(module=models)
        if settings.name not in names:
            near = ", ".join(difflib.get_close_matches(settings.name, names)) or "resnet18"
            raise ValueError(
                f"torchvision has no classifier named {settings.name!r}. Did you mean: {near}?"
            )
        plain: dict[str, bool] = {}
        if settings.name in ("googlenet", "inception_v3"):
            # They would answer training with the scores of side branches, too.
            plain = {"aux_logits": False, "init_weights": True}
        self.body = models.get_model(settings.name, weights=None, **plain)
        linear = [name for name, m in self.body.named_modules() if isinstance(m, nn.Linear)]
        if not linear or not _with_convolutions(self, "body"):
            raise ValueError(
                f"{settings.name} does not end in a linear layer over convolutions, so its last "
                "layer cannot be replaced. Take another one, for example resnet18."
            )
        features = self.body.get_submodule(linear[-1]).in_features
        self.body.set_submodule(linear[-1], nn.Identity())
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(features, num_classes)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(_children(self, "body"))

    @property
    def blocks(self) -> tuple[str, ...]:
        blocks = _with_convolutions(self, "body")
        # Many networks have them all in one child, `features`: there it goes on.
        while len(blocks) == 1 and (inside := _with_convolutions(self, blocks[0])):
            blocks = inside
        return blocks

    @property
    def first_layer(self) -> str:
        return next(name for name, m in self.named_modules() if isinstance(m, nn.Conv2d))

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(self.normalize(images))


def _with_convolutions(network: nn.Module, parent: str) -> tuple[str, ...]:
    """The children of a module, dotted names, that are convolutions or hold some."""
    return tuple(
        name
        for name, child in _children(network, parent).items()
        if any(isinstance(module, nn.Conv2d) for module in child.modules())
    )


def _children(network: nn.Module, parent: str) -> dict[str, nn.Module]:
    """The children of a module by dotted name; of a list of modules, which is never called, its."""
    found: dict[str, nn.Module] = {}
    for name, child in network.get_submodule(parent).named_children():
        path = f"{parent}.{name}"
        found |= _children(network, path) if isinstance(child, nn.ModuleList) else {path: child}
    return found
