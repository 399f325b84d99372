"""Why the network answers as it does for a face: pictures and the units that spoke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from facenet_demo.data.windows import to_pixels
from facenet_demo.features.attribution import integrated_gradients, occlusion, speaking_units
from facenet_demo.features.side_by_side import Copies, side_by_side
from facenet_demo.features.trace import Trace, evaluating, maps_of
from facenet_demo.networks import FaceNetwork
from facenet_demo.networks.calibration import Calibration
from facenet_demo.pictures import sheets
from facenet_demo.report import Picture
from facenet_demo.visualize.pages.base import Look, PageMaker

_NUM_ANSWERS = 5
_NUM_UNITS = 8
_NUM_MAPS = 9
_SIDE = 256


class Answer(NamedTuple):
    """A name the network gives to a photo, and how sure it is, in [0, 1]."""

    name: str
    probability: float


class Contribution(NamedTuple):
    """What one unit of the network on trial added to the answer for a photo."""

    layer: str
    unit: int
    contribution: float


@dataclass(frozen=True)
class PhotoEntry:
    """Why the network on trial answers as it does for one face.

    Attributes:
        title: what the photo is called.
        photo: the face as the network sees it.
        answers: the likeliest first.
        text: a sentence on the answer ("A stranger: ..."), if there is something to say.
        pictures: occlusion map, attribution, maps of layers.
        units: those that spoke most, the strongest first.
    """

    title: str
    photo: Picture
    answers: tuple[Answer, ...]
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    units: tuple[Contribution, ...] = ()


class Photos(PageMaker):
    """A user's photos, or some test photos: what the network answers, and why."""

    name = "photos"
    title = "Your photos"

    def make(self, look: Look) -> dict[str, tuple[PhotoEntry, ...]]:
        copies = Copies(look.trained.network)

        def explained(number: int, title: str, window: torch.Tensor) -> PhotoEntry:
            with copies.one() as network:
                return _explained(network, look, f"photos/{number}", title, window)

        pieces = [partial(explained, i, *face) for i, face in enumerate(look.faces)]
        return {"photos": tuple(side_by_side(pieces, look.evidence.test_windows.device))}


def _explained(
    network: FaceNetwork, look: Look, file: str, title: str, window: torch.Tensor
) -> PhotoEntry:
    """One face `(3, W, W)`, its pictures saved under names that begin with `file`."""
    people = look.trained.people
    with evaluating(network):
        with Trace(network, look.layers) as trace:
            network(window[None])
        logits = network.recognize(window[None])[1].cpu()
    calibration = look.trained.calibration or Calibration()
    probability = calibration.probability(logits)[0]
    order = probability.argsort(descending=True)[:_NUM_ANSWERS].tolist()
    maps = {layer: maps_of(trace[layer])[0].cpu().numpy() for layer in look.layers}  # (U, h, w)
    spoken = [
        Contribution(layer, unit, contribution)
        for layer in dict.fromkeys((look.layers[-1], look.layers[len(look.layers) // 2]))
        for unit, contribution in speaking_units(network, layer, window, order[0], _NUM_UNITS)
    ]
    photo = sheets.enlarged(to_pixels(window), _SIDE)
    known = bool(calibration.knows(logits)[0])
    return PhotoEntry(
        title,
        look.save(f"{file}.webp", photo, "photo", f"{title}, aligned."),
        tuple(Answer(people[i], float(probability[i])) for i in order),
        text=""
        if known
        else "Below the threshold: the network takes this face for a stranger's. What follows "
        "explains its likeliest answer all the same.",
        pictures=(*_reasons(network, look, file, window, order[0]), *_maps(look, file, maps)),
        units=tuple(sorted(spoken, key=lambda one: -one.contribution)),
    )


def _reasons(
    network: FaceNetwork, look: Look, file: str, window: torch.Tensor, target: int
) -> Iterator[Picture]:
    """Which pixels speak for an answer."""
    name = look.trained.people[target]
    for kind, values, caption in (
        ("occlusion", occlusion(network, window, target),
         f"Occlusion: covering what is red makes {name} less likely, covering what is blue more."),
        ("attribution", integrated_gradients(network, window, target),
         f"Integrated gradients: pixels that speak for {name} (red) and against (blue)."),
    ):  # fmt: skip
        drawn = sheets.overlay(to_pixels(window), values.numpy())
        yield look.save(f"{file}-{kind}.webp", sheets.enlarged(drawn, _SIDE), kind, caption)


def _maps(look: Look, file: str, maps: Mapping[str, np.ndarray]) -> Iterator[Picture]:
    """Of each layer that has space, the maps `(U, h, w)` of some units."""
    for layer, values in maps.items():
        if values.shape[1:] == (1, 1):
            continue
        shown, which = list(look.units.get(layer, ())), "the units that were asked for"
        if not shown:
            liveliest = np.argsort(-values.max(axis=(1, 2)), kind="stable")
            shown, which = liveliest[:_NUM_MAPS].tolist(), "the units that respond most"
        yield look.save(
            f"{file}-{layer}.png", sheets.map_sheet(values[shown]), "maps",
            f"{layer}: {which}, from the upper left: {', '.join(map(str, shown))}.",
        )  # fmt: skip
