"""The layers of the network on trial and of its control, and their units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from facenet_demo.data.windows import to_pixels
from facenet_demo.features.trace import Trace, evaluating, maps_of
from facenet_demo.pictures import sheets
from facenet_demo.report import Picture
from facenet_demo.visualize.pages.base import Look, PageMaker
from facenet_demo.visualize.pages.units import Side, UnitEntry, units

_NUM_MAPS = 10  # of each layer, its first units
_NUM_FACES = 4  # with activation maps
_KERNEL_SIDE = 60  # of one effective kernel, pixels


@dataclass(frozen=True)
class LayerEntry:
    """One layer.

    Attributes:
        name: its dotted name.
        num_units: how many it has; `units` may hold fewer.
        map_size: (height, width) of its maps; None for a layer without space.
        receptive_field: side of the image region that one position sees, pixels.
        scores: key of the report's `scores` -> value for the layer as a whole.
        pictures: of the layer as a whole: kernels, activation maps.
        units: those that are shown.
    """

    name: str
    num_units: int
    map_size: tuple[int, int] | None
    receptive_field: int
    scores: Mapping[str, float | None] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    units: tuple[UnitEntry, ...] = ()


@dataclass(frozen=True)
class NetworkEntry:
    """The layers of one network in order; `name` is "trained", "untrained" or a control's."""

    name: str
    layers: tuple[LayerEntry, ...]


class Layers(PageMaker):
    """Each network's layers, each layer's units, everything about a unit."""

    name = "layers"
    title = "Layers"

    def make(self, look: Look) -> dict[str, tuple[NetworkEntry, ...]]:
        """`networks`: the network on trial first, with what only it was measured for."""
        measured = look.measured
        trained = Side(
            look, look.names[0], look.trained.network, measured.trained, measured.patches,
            measured.costs, measured.pictures,
        )  # fmt: skip
        control = Side(
            look, look.names[1], measured.twin, measured.control, measured.control_patches
        )
        return {
            "networks": tuple(
                NetworkEntry(side.name, tuple(_layer(side, layer) for layer in look.layers))
                for side in (trained, control)
            )
        }


def _layer(side: Side, layer: str) -> LayerEntry:
    measured = side.measures.layers[layer]
    position = list(side.measures.layers).index(layer)
    estimates = {name: values[position] for name, values in side.measures.estimates.items()}
    return LayerEntry(
        layer,
        num_units=len(measured.selectivity),
        map_size=measured.map_size if measured.map_size != (1, 1) else None,
        receptive_field=measured.field.size,
        scores={
            "gabor_r2": estimates["edges"],
            "iou": estimates["parts"],
            "selectivity": estimates["people"],
            "orientation": float(measured.tuning.selectivity.mean()),
        },
        pictures=tuple(_pictures(side, layer)),
        units=tuple(units(side, layer)),
    )


def _pictures(side: Side, layer: str) -> Iterator[Picture]:
    """What there is to see of a layer as a whole."""
    measured = side.measures.layers[layer]
    if side.network.first_layer.startswith(f"{layer}."):
        kernels = sheets.kernel_sheet(side.network.first_kernels.numpy(), magnify=10)
        yield side.save(
            f"{layer}/kernels.png", kernels, "kernel",
            "The kernels of the first layer; grey is a weight of 0.", layer,
        )  # fmt: skip
    else:
        magnify = max(1, _KERNEL_SIDE // measured.kernels.shape[-1])
        yield side.save(
            f"{layer}/effective.png", sheets.kernel_sheet(measured.kernels, magnify), "kernel",
            f"Effective kernels of {len(measured.kernels)} units, drawn by lot: the linear filter "
            "over the image that stands for each.",
            layer,
        )  # fmt: skip
    if measured.map_size != (1, 1):
        data = side.look.data
        test = data.split.rows["test"]
        _, first = np.unique(data.split.labels[test], return_index=True)
        windows = data.windows(test[np.sort(first)[:_NUM_FACES]]).to(side.network.mean.device)
        with evaluating(side.network), Trace(side.network, [layer], stop=True) as trace:
            side.network(windows)
        maps = maps_of(trace[layer])[:, :_NUM_MAPS].cpu().numpy()
        yield side.save(
            f"{layer}/maps.png", sheets.activation_sheet(to_pixels(windows), maps), "maps",
            f"What the first {maps.shape[1]} units make of {len(windows)} test faces, from black "
            "(lowest) to yellow (highest).",
            layer,
        )  # fmt: skip
