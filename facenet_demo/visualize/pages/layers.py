"""The layers of the network on trial and of its control, and their units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product

from facenet_demo.data.windows import to_pixels
from facenet_demo.features.measures import Edges
from facenet_demo.features.survey import TEST_POOLED
from facenet_demo.pictures import sheets
from facenet_demo.report import Picture
from facenet_demo.system.threads import ordered_map
from facenet_demo.visualize.measurements import FACE_MAPS, TUNING, shown_faces
from facenet_demo.visualize.pages.base import Look, PageMaker
from facenet_demo.visualize.pages.units import Side, UnitEntry, units

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
            look, look.names[0], look.trained.network, measured.trained, measured.costs,
            measured.pictures,
        )  # fmt: skip
        control = Side(look, look.names[1], measured.twin, measured.control)
        sides = (trained, control)
        # Most of the time goes into pictures, which are drawn side by side.
        layers = ordered_map(lambda one: _layer(*one), product(sides, look.layers))
        return {
            "networks": tuple(
                NetworkEntry(side.name, tuple(islice(layers, len(look.layers)))) for side in sides
            )
        }


def _layer(side: Side, layer: str) -> LayerEntry:
    read = side.progression.survey.layers[layer]
    estimates = {name: of[layer].estimate for name, of in side.progression.values.items()}
    return LayerEntry(
        layer,
        num_units=read[TEST_POOLED].shape[1],
        map_size=read.map_size if read.map_size != (1, 1) else None,
        receptive_field=read.field.size,
        scores={
            "gabor_r2": estimates["edges"],
            "iou": estimates["parts"],
            "selectivity": estimates["people"],
            "orientation": float(read[TUNING].selectivity.mean()),
        },
        pictures=tuple(_pictures(side, layer)),
        units=tuple(units(side, layer)),
    )


def _pictures(side: Side, layer: str) -> Iterator[Picture]:
    """What there is to see of a layer as a whole."""
    if side.network.first_layer.startswith(f"{layer}."):
        kernels = side.network.first_kernels.numpy()
        yield side.save(
            f"{layer}/kernels.png", sheets.kernel_sheet(kernels, magnify=10), "kernel",
            "The kernels of the first layer; grey is a weight of 0.", layer,
        )  # fmt: skip
    else:
        kernels = side.progression.found(Edges)[layer].kernels
        magnify = max(1, _KERNEL_SIDE // kernels.shape[-1])
        yield side.save(
            f"{layer}/effective.png", sheets.kernel_sheet(kernels, magnify), "kernel",
            f"Effective kernels of {len(kernels)} units, drawn by lot: the linear filter over the "
            "image that stands for each.",
            layer,
        )  # fmt: skip
    read, evidence = side.progression.survey.layers[layer], side.look.evidence
    if read.map_size != (1, 1):
        faces, maps = to_pixels(evidence.test_windows[shown_faces(evidence)]), read[FACE_MAPS]
        yield side.save(
            f"{layer}/maps.png", sheets.activation_sheet(faces, maps), "maps",
            f"What the first {maps.shape[1]} units make of {len(faces)} test faces, from black "
            "(lowest) to yellow (highest).",
            layer,
        )  # fmt: skip
