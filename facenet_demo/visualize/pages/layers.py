"""Measurements -> pictures in the report's folder, and the pages that show them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.windows import to_pixels
from facenet_demo.features.patches import TopPatches, cut
from facenet_demo.features.progression import NetworkMeasures, best_parts
from facenet_demo.features.selectivity import person_means
from facenet_demo.features.trace import Trace, evaluating, maps_of
from facenet_demo.networks import FaceNetwork
from facenet_demo.pictures import sheets
from facenet_demo.report import (
    LayerPage,
    NetworkPages,
    PartScore,
    PersonScore,
    Picture,
    UnitPage,
    report_path,
)
from facenet_demo.system.files import new_file
from facenet_demo.visualize.measurements import Measurements

_NUM_MAPS = 10  # of each layer, its first units
_NUM_PEOPLE = 6  # of each unit, those that it responds to most
_NUM_FACES = 4  # with activation maps
_NUM_OVERLAYS = 4
_KERNEL_SIDE = 60  # of one effective kernel, pixels
_BATCH = 64


class PageMaker:
    """Draws what a report shows of one network.

    Args:
        folder: the report's.
        name: "trained" or the control's.
        network: the network.
        measures: of it.
        patches: layer -> where its units respond most.
        data: whose test photos `patches` count.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        network: FaceNetwork,
        measures: NetworkMeasures,
        patches: Mapping[str, TopPatches],
        data: FaceDataModule,
    ) -> None:
        self._folder = folder
        self._name = name
        self._network = network
        self._measures = measures
        self._patches = patches
        self._data = data
        self._test = data.split.rows["test"]

    def pages(self, found: Measurements | None = None) -> NetworkPages:
        """All pages; with `found` also what was synthesised and what ablation costs."""
        return NetworkPages(
            self._name, tuple(self._layer(layer, found) for layer in self._measures.layers)
        )

    def _layer(self, layer: str, found: Measurements | None) -> LayerPage:
        measured = self._measures.layers[layer]
        position = list(self._measures.layers).index(layer)
        estimates = {name: v[position] for name, v in self._measures.estimates.items()}
        units = tuple(self._units(layer, found))
        return LayerPage(
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
            pictures=tuple(self._layer_pictures(layer)),
            units=units,
        )

    def _layer_pictures(self, layer: str):  # noqa: ANN202 - yields Picture
        measured = self._measures.layers[layer]
        place = f"{self._name}/{layer}"
        if self._network.first_layer.startswith(f"{layer}."):
            kernels = sheets.kernel_sheet(self._network.first_kernels.numpy(), magnify=10)
            yield self._save(f"{place}/kernels.png", kernels, "kernel",
                             "The kernels of the first layer; grey is a weight of 0.")  # fmt: skip
        else:
            magnify = max(1, _KERNEL_SIDE // measured.kernels.shape[-1])
            sheet = sheets.kernel_sheet(measured.kernels, magnify)
            yield self._save(
                f"{place}/effective.png", sheet, "kernel",
                f"Effective kernels of {len(measured.kernels)} units, drawn by lot: the linear "
                "filter over the image that stands for each.",
            )  # fmt: skip
        if measured.map_size != (1, 1):
            _, first = np.unique(self._data.split.labels[self._test], return_index=True)
            rows = self._test[np.sort(first)[:_NUM_FACES]]
            windows = self._data.windows(rows).to(self._network.mean.device)
            with evaluating(self._network), Trace(self._network, [layer], stop=True) as trace:
                self._network(windows)
            maps = maps_of(trace[layer])[:, :_NUM_MAPS].cpu().numpy()
            sheet = sheets.activation_sheet(to_pixels(windows), maps)
            yield self._save(
                f"{place}/maps.png", sheet, "maps",
                f"What the first {maps.shape[1]} units make of {len(rows)} test faces, from black "
                "(lowest) to yellow (highest).",
            )  # fmt: skip

    def _units(self, layer: str, found: Measurements | None):  # noqa: ANN202 - yields UnitPage
        measured, evidence = self._measures.layers[layer], self._measures.evidence
        parts, above = best_parts(measured.chosen, evidence.face_parts)
        top = self._patches[layer]
        iou, prior, auc = (getattr(measured.held_out, n) for n in ("iou", "prior", "auc"))
        means = person_means(measured.test_pooled, evidence.test_labels, evidence.num_people)
        r2 = dict(zip(measured.fitted.tolist(), measured.gabor_r2.tolist(), strict=True))
        costs = found.costs.get(layer) if found else None
        overlays = self._overlays(layer, parts) if measured.map_size != (1, 1) else {}
        for unit, part in enumerate(parts):
            place = f"{self._name}/{layer}/{unit}"
            sheet = sheets.patch_sheet(
                cut(evidence.test_windows, measured.field, top.rows[unit], top.places[unit])
            )
            caption = (
                "The nine places in test photos to which the unit responds most, one in a photo: "
                f"all that it sees there ({measured.field.size} px or less)."
            )
            pictures = [self._save(f"{place}-patches.webp", sheet, "patches", caption)]
            name = evidence.part_names[part] if above[unit] > 0 else None
            if unit in overlays:
                pictures.append(
                    self._save(f"{place}-parts.webp", overlays[unit], "parts",
                               "Bright: where the unit exceeds its threshold, in the photos that "
                               f"it responds to most. Outlined: {evidence.part_names[part]}.")
                )  # fmt: skip
            if found:
                picture = to_pixels(found.pictures[layer][unit])
                pictures.append(
                    self._save(f"{place}-synthesis.webp", enlarged(picture, 128), "synthesis",
                               "A picture computed to excite the unit. It illustrates; it proves "
                               "nothing.")
                )  # fmt: skip
            liked = np.argsort(-np.nan_to_num(means[unit], nan=-np.inf))[:_NUM_PEOPLE]
            people = [
                PersonScore(self._data.people[p], float(means[unit, p]),
                            None if costs is None or np.isnan(costs[unit, p])
                            else float(costs[unit, p]))
                for p in liked if not np.isnan(means[unit, p])
            ]  # fmt: skip
            yield UnitPage(
                unit,
                best_part=name,
                best_person=people[0].name if people else None,
                scores={
                    "iou": float(iou[unit, part] - prior[unit, part]),
                    "auc": float(auc[unit, part]),
                    "orientation": float(measured.tuning.selectivity[unit]),
                    "gabor_r2": r2.get(unit),
                    "selectivity": float(measured.selectivity[unit]),
                    "ablation": None if costs is None else float(np.nanmean(costs[unit])),
                },
                parts={
                    evidence.part_names[p]: PartScore(
                        float(iou[unit, p]), float(prior[unit, p]), float(auc[unit, p])
                    )
                    for p in range(len(evidence.part_names))
                },
                people=tuple(people),
                pictures=tuple(pictures),
            )

    def _overlays(self, layer: str, parts: np.ndarray) -> dict[int, np.ndarray]:
        """For each unit, its top photos with where it is active, and its best part outlined."""
        measured, evidence = self._measures.layers[layer], self._measures.evidence
        top = self._patches[layer].rows[:, :_NUM_OVERLAYS]  # (U, F)
        rows = np.unique(top)
        maps: dict[tuple[int, int], np.ndarray] = {}
        trace = Trace(self._network, [layer], stop=True)
        with evaluating(self._network):
            for some in np.array_split(rows, -(-len(rows) // _BATCH)):
                with trace:
                    self._network(evidence.test_windows[some])
                seen = maps_of(trace[layer]).cpu().numpy()
                for i, row in enumerate(some):
                    for unit in np.flatnonzero((top == row).any(axis=1)):
                        maps[int(unit), int(row)] = seen[i, unit].copy()
        return {
            unit: sheets.part_sheet(
                to_pixels(evidence.test_windows[top[unit]]),
                np.stack([maps[unit, int(row)] for row in top[unit]]),
                float(measured.held_out.thresholds[unit, part]),
                (evidence.test_parts[top[unit]] == int(part)).cpu().numpy(),
            )
            for unit, part in enumerate(parts)
        }

    def _save(self, file: str, pixels: np.ndarray, kind: str, caption: str) -> Picture:
        return save_picture(self._folder, file, pixels, kind, caption)


def save_picture(folder: Path, file: str, pixels: np.ndarray, kind: str, caption: str) -> Picture:
    """Write `(H, W, 3)` uint8 into a report's `pictures/` as the file's ending says."""
    file = f"pictures/{file}"
    with new_file(report_path(folder, file)) as temporary:
        Image.fromarray(pixels).save(temporary, quality=88)
    return Picture(file, caption, kind)


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """A square picture `(H, W, 3)` uint8 at another size, `(side, side, 3)`."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))
