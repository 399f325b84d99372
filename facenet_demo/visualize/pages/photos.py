"""Why the network answers as it does for a photo: pictures and the units that spoke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from facenet_demo.data.windows import to_pixels
from facenet_demo.faces.photos import ImageError
from facenet_demo.features.attribution import integrated_gradients, occlusion, speaking_units
from facenet_demo.features.trace import Trace, evaluating, maps_of
from facenet_demo.networks.calibration import Calibration
from facenet_demo.networks.checkpoints import TrainedNetwork
from facenet_demo.pictures import sheets
from facenet_demo.predict.inputs import find_files
from facenet_demo.predict.reader import FaceReader
from facenet_demo.report import Answer, Contribution, PhotoPage
from facenet_demo.system.files import as_text
from facenet_demo.visualize.pages.layers import enlarged, save_picture

_NUM_ANSWERS = 5
_NUM_UNITS = 8
_NUM_MAPS = 9
_SIDE = 256


def find_faces(
    paths: Sequence[Path], trained: TrainedNetwork
) -> tuple[list[tuple[str, torch.Tensor]], list[str]]:
    """The faces in a user's photos, aligned as in training, and what went wrong.

    Args:
        paths: files and folders.
        trained: whose window it is.

    Returns:
        for each face a title and its window `(3, W, W)`; a sentence for each file without any.
    """
    reader = FaceReader(trained.window, trained.face_scale)
    faces, notes = [], []
    found = find_files(paths)
    notes += [f"{as_text(folder)}: {why}." for folder, why in found.unreadable]
    for file in found.photos:
        name = as_text(file.name)
        try:
            windows = reader(file).windows
        except ImageError as error:
            notes.append(f"{name} could not be read: {error}.")
            continue
        if not len(windows):
            notes.append(f"{name}: no face was found.")
        many = len(windows) > 1
        faces += [
            (f"{name}, face {i + 1} from the left" if many else name, window)
            for i, window in enumerate(windows)
        ]
    return faces, notes


def explain(
    folder: Path,
    faces: Sequence[tuple[str, torch.Tensor]],
    trained: TrainedNetwork,
    layers: Sequence[str],
    chosen: Mapping[str, Sequence[int]],
) -> Iterator[PhotoPage]:
    """A page for each face.

    Args:
        folder: the report's.
        faces: title and window of each.
        trained: the network that answers.
        layers: whose maps are shown; the units that spoke are looked for in the middle one and in
            the last.
        chosen: layer -> the units whose maps are shown; of other layers those that respond most.
    """
    network = trained.network
    for number, (title, window) in enumerate(faces):
        with evaluating(network):
            with Trace(network, layers) as trace:
                network(window[None])
            logits = network.recognize(window[None])[1].cpu()
        calibration = trained.calibration or Calibration()
        probability = calibration.probability(logits)[0]
        order = probability.argsort(descending=True)[:_NUM_ANSWERS].tolist()
        target, pixels = order[0], to_pixels(window)
        name = trained.people[target]
        place = f"photos/{number}"
        pictures = [
            save_picture(
                folder, f"{place}-{kind}.webp",
                enlarged(sheets.overlay(pixels, values.numpy()), _SIDE), kind, caption,
            )
            for kind, values, caption in (
                ("occlusion", occlusion(network, window, target),
                 f"Occlusion: covering what is red makes {name} less likely, covering what is blue "
                 "more."),
                ("attribution", integrated_gradients(network, window, target),
                 f"Integrated gradients: pixels that speak for {name} (red) and against (blue)."),
            )
        ]  # fmt: skip
        for layer in layers:
            maps = maps_of(trace[layer]).cpu().numpy()
            if maps.shape[2:] == (1, 1):
                continue
            shown, which = list(chosen.get(layer, ())), "the units that were asked for"
            if not shown:
                liveliest = np.argsort(-maps[0].max(axis=(1, 2)), kind="stable")
                shown, which = liveliest[:_NUM_MAPS].tolist(), "the units that respond most"
            pictures.append(
                save_picture(
                    folder, f"{place}-{layer}.png",
                    sheets.map_sheet(maps[0, shown]), "maps",
                    f"{layer}: {which}, from the upper left: {', '.join(map(str, shown))}.",
                )
            )  # fmt: skip
        spoken = [
            Contribution(layer, unit, contribution)
            for layer in dict.fromkeys((layers[-1], layers[len(layers) // 2]))
            for unit, contribution in speaking_units(network, layer, window, target, _NUM_UNITS)
        ]
        known = bool(calibration.knows(logits)[0])
        yield PhotoPage(
            title,
            save_picture(
                folder, f"{place}.webp", enlarged(pixels, _SIDE), "photo", f"{title}, aligned."
            ),
            tuple(Answer(trained.people[i], float(probability[i])) for i in order),
            text=""
            if known
            else "Below the threshold: the network takes this face for a "
            "stranger's. What follows explains its likeliest answer all the same.",
            pictures=tuple(pictures),
            units=tuple(sorted(spoken, key=lambda one: -one.contribution)),
        )
