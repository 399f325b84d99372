"""Run a network once over photos; any number of instruments look at what its layers put out.

    pooling, patches = Pooling(), Patches(k=9)
    observe(network, ["stages.0", "stages.2"], images.split(64), [pooling, patches])
    pooling.result()["stages.2"]         # (N, U) mean of each map
    patches.result()["stages.2"].rows    # (U, 9) which images each unit responds to most

An instrument keeps what it needs and no more, so photos may be many. It can be read at any time,
and used in a loop of one's own:

    with evaluating(network), Trace(network, layers) as trace:
        for images in camera:
            network(images)
            for layer in layers:
                patches.add(layer, maps_of(trace[layer]), View(images))
            show(patches.result())

There are `Pooling`, `Patches`, `TopMaps`, `PartOverlaps`, ...; one of your own is a subclass of
`Instrument` with two methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import nn

from facenet_demo.features.trace import Trace, evaluating, maps_of

Result = TypeVar("Result")


class View(NamedTuple):
    """A batch of images and, where they are known, the parts in them.

    Attributes:
        images: `(B, 3, H, W)` float in [0, 1].
        parts: `(B, h, w)` int64, the number of the part that each cell of a grid over the image
            shows, from 0.
    """

    images: torch.Tensor
    parts: torch.Tensor | None = None


class Instrument(ABC, Generic[Result]):
    """Makes something of the maps of each layer, batch after batch.

    Images are counted as they come, from 0, in each layer by itself.
    """

    @abstractmethod
    def add(self, layer: str, maps: torch.Tensor, view: View) -> None:
        """Look at one batch.

        Args:
            layer: dotted name.
            maps: `(B, U, h, w)`, one position where the layer has no space; not to be changed.
            view: what the network was shown.
        """

    @abstractmethod
    def result(self) -> dict[str, Result]:
        """Layer -> what was found so far; empty before the first batch."""


def observe(
    network: nn.Module,
    layers: Sequence[str],
    batches: Iterable[View | torch.Tensor],
    instruments: Sequence[Instrument[Any]],
) -> None:
    """Run the network once over all batches, and hand each instrument the maps of each layer.

    Args:
        network: takes the images; in evaluation mode and without gradients meanwhile.
        layers: dotted names.
        batches: views, or plain images `(B, 3, H, W)`, on the network's device.
        instruments: handed each batch in turn.

    Raises:
        ValueError: a layer that is not there, or puts out neither maps nor numbers of units.
    """
    with evaluating(network), Trace(network, layers) as trace:
        for batch in batches:
            view = batch if isinstance(batch, View) else View(batch)
            network(view.images)
            for layer in layers:
                maps = maps_of(trace[layer])
                for instrument in instruments:
                    instrument.add(layer, maps, view)
