"""Whether a network that was just built is one that the rest of the house can use.

    network = settings.build(num_classes)
    check_network(network, settings)

Said before a training, not after it: by whoever looks at its layers, or by its checkpoint.
"""

from __future__ import annotations

from torch import nn
from torch.nn.parameter import is_lazy

from facenet_demo.networks.base import FaceNetwork, NetworkSettings
from facenet_demo.networks.entries import as_entry

_SHOWN = 8


def check_network(network: FaceNetwork, settings: NetworkSettings) -> None:
    """Look at what a network says of itself, and at what its checkpoint would keep.

    Args:
        network: freshly built.
        settings: what it was built from.

    Raises:
        ValueError: if its layers are not in it, its first layer is no convolution of RGB, a weight
            has no size yet, or its settings could not be read back.
    """
    as_entry(settings)
    name = type(network).__name__
    for weight, value in network.named_parameters():
        if is_lazy(value):
            raise ValueError(
                f"{name}.{weight} has no size yet, so its checkpoint could not be read back. Take "
                "modules that are told their sizes, such as Linear in place of LazyLinear."
            )
    modules = {path: module for path, module in network.named_modules() if path}
    there_are = f"Its modules are {', '.join(list(modules)[:_SHOWN])}"
    there_are += ", ..." if len(modules) > _SHOWN else "."
    for attribute in ("layers", "blocks"):
        layers = getattr(network, attribute)
        if not isinstance(layers, tuple) or not layers:
            raise ValueError(f"{name}.{attribute} must be a tuple of names, not {layers!r}.")
        for layer in layers:
            if layer not in modules:
                raise ValueError(f"{name}.{attribute} has {layer!r}, no module of it. {there_are}")
    first = modules.get(network.first_layer)
    if not isinstance(first, nn.Conv2d) or first.weight.shape[1] != 3:
        raise ValueError(
            f"{name}.first_layer is {network.first_layer!r}. It must be the name of the Conv2d "
            f"that sees the pixels, of 3 channels. {there_are}"
        )
