"""A report about a network that never was: drawn faces as pictures, seeded numbers as scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from drawing import draw_face
from PIL import Image

from facenet_demo.features.measures import all_measures
from facenet_demo.report import (
    SCORES,
    DataFacts,
    FileEntry,
    Measure,
    NetworkFacts,
    Page,
    Picture,
    Report,
)
from facenet_demo.system.files import write_json
from facenet_demo.visualize.pages import Compare, Layers, Overview, Photos
from facenet_demo.visualize.pages.layers import LayerEntry, NetworkEntry
from facenet_demo.visualize.pages.overview import Interval, LayerRow, Progression, Verdict
from facenet_demo.visualize.pages.photos import Answer, Contribution, PhotoEntry
from facenet_demo.visualize.pages.units import PartScore, PersonScore, UnitEntry

# Layer -> side of its receptive field, side of its maps, pixels.
LAYERS = {"stem": (7, 64), "stages.0": (18, 32), "stages.1": (44, 16), "stages.2": (96, 8)}
PARTS = ("brows", "eyes", "nose", "mouth", "chin", "forehead", "background")
_WINDOW = 64
_HEIGHTS = {"brows": 0.33, "eyes": 0.42, "nose": 0.58, "mouth": 0.76, "chin": 0.9,
            "forehead": 0.2, "background": 0.06}  # fmt: skip


def fake_report(
    folder: Path, num_units: int = 12, networks: Sequence[str] = ("trained", "untrained")
) -> Report:
    """A finished report of 4 layers, whose pictures are saved in `folder`."""
    maker = _Maker(folder, np.random.default_rng(0))
    maker.folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "progression.json", {})
    return Report(
        title="FaceCNN on The ORL Database of Faces",
        network=NetworkFacts(
            "FaceCNN", 412_840, _WINDOW, 40, 0.98,
            {"channels": "32, 64, 96, 128", "activation": "relu", "dropout": 0.3},
        ),
        data=DataFacts(
            "The ORL Database of Faces", 400, "Free to use with credit.",
            "AT&T Laboratories Cambridge",
        ),
        notes=(
            "The photos are grey: colour cannot be told.",
            "There are 10 photos of each person: what removing a unit costs one person moves in "
            "steps of 20 %.",
        ),
        scores=SCORES,
        measures={
            one.name: Measure(one.label, one.explanation, one.style) for one in all_measures()
        },
        pages=(
            Overview().page({"progression": maker.progression()}),
            *layer_pages(*(maker.network(name, num_units) for name in networks)),
            Photos().page({"photos": (maker.photo("me.jpg"), maker.photo("a stranger <b>&amp;"))}),
        ),
    )  # fmt: skip


def layer_pages(*networks: NetworkEntry) -> tuple[Page, Page]:
    """The page of their layers, and that which sets two of them side by side."""
    first, last = networks[0], networks[-1]
    layer = first.layers[len(first.layers) // 2].name
    pair = [first.name, layer, last.name, layer]
    return Layers().page({"networks": networks}), Compare().page({"pair": pair})


_face = cache(draw_face)


@dataclass
class _Maker:
    folder: Path
    random: np.random.Generator

    def save(
        self, file: str, pixels: np.ndarray, caption: str, kind: str, *where: str | int
    ) -> Picture:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return Picture(file, caption, kind, *where)

    def progression(self) -> Progression:
        rows = []
        for i, (layer, (field, _)) in enumerate(LAYERS.items()):
            values = {
                "edges": (0.82 - 0.2 * i, 0.3 - 0.02 * i),
                "parts": (0.04 + 0.05 * i - 0.04 * (i == 3), 0.02),
                "people": (0.03 + 0.05 * i * i, 0.03 + 0.02 * i),
                "probe": (0.4 + 0.18 * i, 0.45),
            }
            controls = {"edges": "untrained", "parts": "masks of others", "people": "untrained",
                        "probe": "untrained"}  # fmt: skip
            rows.append(LayerRow(layer, field, {
                measure: {
                    "trained": Interval(value, value * 0.9, value * 1.1),
                    controls[measure]: Interval(control, control * 0.8, control * 1.2),
                    "rotated basis": Interval(control * 1.2, control, control * 1.4),
                } for measure, (value, control) in values.items()
            }))  # fmt: skip
        chart = np.full((360, 1000, 3), 255, np.uint8)
        colours = {"edges": (0, 114, 178), "parts": (213, 94, 0), "people": (0, 158, 115)}
        for measure, colour in colours.items():
            points = [
                (140 + 240 * i, 330 - round(300 * row.scores[measure]["trained"].value))
                for i, row in enumerate(rows)
            ]
            cv2.polylines(chart, [np.array(points)], False, colour, 4, cv2.LINE_AA)
        return Progression(
            self.save("progression.png", chart, "Edges fall, parts peak in the middle, people "
                      "rise with depth; thin lines are the controls.", "figure"),
            (
                Verdict("edges first", True, "Kernels of the first layer fit edges with a mean R2 "
                        "of .82, untrained .30; the score falls in every layer."),
                Verdict("parts in the middle", True, "Overlap with parts peaks in stages.1: .14 "
                        "above the position prior, untrained .02."),
                Verdict("people last", False, "Selectivity rises to .48, but its interval touches "
                        "the control's."),
                Verdict("parts matter", None, "There are too few photos of each person to tell."),
            ),
            tuple(rows),
            FileEntry("progression.json", "numbers", "every figure of the progression"),
        )  # fmt: skip

    def network(self, name: str, num_units: int) -> NetworkEntry:
        return NetworkEntry(
            name,
            tuple(
                LayerEntry(
                    layer, num_units, (size, size), field,
                    {"iou": self.random.random() / 5, "selectivity": self.random.random()},
                    self.layer_pictures(name, layer),
                    tuple(self.unit(name, layer, unit) for unit in range(num_units)),
                )
                for layer, (field, size) in LAYERS.items()
            ),
        )  # fmt: skip

    def layer_pictures(self, network: str, layer: str) -> tuple[Picture, ...]:
        noise = cv2.GaussianBlur(self.random.integers(0, 255, (66, 330, 3), np.uint8), (9, 9), 0)
        noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
        file = f"pictures/{network}/{layer}/maps.png"
        return (self.save(file, noise, f"What {layer} makes of a face", "maps", network, layer),)

    def unit(self, network: str, layer: str, unit: int) -> UnitEntry:
        random = self.random
        scores = {part: float(random.beta(1, 6)) for part in PARTS}
        best = max(scores, key=lambda part: scores[part])
        if scores[best] < 0.2:
            best = None
        people = tuple(
            PersonScore(f"person {i:02}", float(random.gamma(1)), float(random.beta(1, 20)))
            for i in range(14)
        )
        base = f"pictures/{network}/{layer}/{unit}"
        faces = [self.patch(best, i) for i in range(9)]
        sheet = np.vstack([np.hstack(faces[i : i + 3]) for i in (0, 3, 6)])
        noise = cv2.GaussianBlur(random.integers(0, 255, (96, 96, 3), np.uint8), (0, 0), 3)
        noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
        return UnitEntry(
            unit, best, max(people, key=lambda person: person.response).name,
            {
                "iou": max(scores.values()) - 0.05, "auc": float(random.uniform(0.4, 1)),
                "orientation": float(random.random()),
                "gabor_r2": float(random.random()) if layer == "stem" else None,
                "selectivity": float(random.random()), "ablation": float(random.normal(0, 0.01)),
            },
            {part: PartScore(iou, 0.05, float(random.uniform(0.4, 1)))
             for part, iou in scores.items()},
            people,
            (
                self.save(f"{base}-patches.png", sheet, "The nine regions of test photos that it "
                          "responds to most", "patches", network, layer, unit),
                self.save(f"{base}-synthesis.png", noise, "An image made to drive it: an "
                          "illustration, not a measurement", "synthesis", network, layer, unit),
            ),
        )  # fmt: skip

    def patch(self, part: str | None, photo: int) -> np.ndarray:
        """The region around a part in some drawn face, `(48, 48, 3)`."""
        face = _face(int(self.random.integers(8)), photo)
        y = round(96 * (_HEIGHTS[part] if part else self.random.uniform(0.2, 0.8)))
        x = 32 if part in ("eyes", "brows") else 48
        top, left = (min(max(0, c - 24), 48) for c in (y, x))
        return face[top : top + 48, left : left + 48]

    def photo(self, title: str) -> PhotoEntry:
        face = draw_face(7, len(title), 128)
        base = f"pictures/photos/{len(title)}"
        heat = np.zeros((128, 128), np.uint8)
        cv2.circle(heat, (42, 54), 24, 255, -1)
        heat = cv2.applyColorMap(cv2.GaussianBlur(heat, (0, 0), 10), cv2.COLORMAP_INFERNO)
        return PhotoEntry(
            title,
            self.save(f"{base}-face.png", face, "The face as the network sees it", "photo"),
            (Answer("person 07", 0.86), Answer("person 12", 0.09), Answer("person 03", 0.02)),
            "The network is sure that it knows this face.",
            (
                self.save(f"{base}-occlusion.png", face // 2 + heat[..., ::-1] // 2,
                          "Covering bright places costs the answer most", "occlusion"),
                self.save(f"{base}-attribution.png", heat[..., ::-1].copy(),
                          "Integrated gradients", "attribution"),
            ),
            tuple(Contribution("stages.2", unit, 0.9 - unit / 7) for unit in (0, 3, 5)),
        )  # fmt: skip
