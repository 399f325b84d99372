"""The command line of the report: scripts/visualize.py."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.text import Text

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.evidence import make_evidence
from facenet_demo.features.progression import MEASURES
from facenet_demo.features.verdicts import Judgement
from facenet_demo.networks.checkpoints import TrainedNetwork, load_classifier
from facenet_demo.networks.untrained import untrained_twin
from facenet_demo.pictures import figures
from facenet_demo.report import (
    DataFacts,
    FileEntry,
    Interval,
    LayerRow,
    NetworkFacts,
    Picture,
    Progression,
    Report,
    Verdict,
    report_path,
    start_report,
    write_report,
)
from facenet_demo.system.commands import as_called
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import exit_code
from facenet_demo.system.files import new_file, write_json
from facenet_demo.system.imports import add_import_flag, import_modules
from facenet_demo.system.terminal import console, steps
from facenet_demo.system.texts import printable
from facenet_demo.training.cli import configured_data, quieten_libraries
from facenet_demo.training.evaluation import score
from facenet_demo.visualize import measurements
from facenet_demo.visualize.layers import check_units, layers_of, units_of
from facenet_demo.visualize.measurements import Measurements
from facenet_demo.visualize.pages.layers import PageMaker
from facenet_demo.visualize.pages.photos import explain, find_faces

DESCRIPTION = """
Show what a network learned, and measure whether edges, parts and people come in that order.

  python scripts/visualize.py runs/orl-20260131-142501
  python scripts/visualize.py runs/... --output report/ --images my_photo.jpg holiday/
  python scripts/visualize.py runs/... --control untrained     the same for an untrained network
  python scripts/visualize.py runs/... --config configs/lfw.yaml    on photos of another data set

The report is a folder: open its index.html in a browser. It needs no connection.
"""
_NUM_EXAMPLES = 3


def main(args: Sequence[str] | None = None) -> int:
    """Make the report of a command line; returns the exit code."""
    quieten_libraries()
    settings = _parser().parse_args(args)
    return exit_code(lambda: _run(settings), ". The report's folder says that it is unfinished.")


def _run(settings: argparse.Namespace) -> int:
    page = visualize(
        settings.run, settings.output, settings.images, settings.config, settings.layers,
        settings.control == "untrained", settings.num_views, settings.seed, settings.overwrite,
        settings.units, settings.modules,
    )  # fmt: skip
    console.print("Open", Text(str(page), "bold"), "in a browser.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=as_called(DESCRIPTION), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("run", type=Path, help="folder of a run, or a checkpoint file in one")
    add("--output", type=Path, help="folder of the report; without it, report/ in the run")
    add("--overwrite", action="store_true", help="replace the report that is there")
    add("--images", type=Path, nargs="+", default=[], metavar="PATH",
        help="photos and folders of photos to explain; faces of strangers too")  # fmt: skip
    add("--config", type=Path, help="config of the photos to measure on; without it, the run's")
    add("--layers", nargs="+", help="dotted names; without it, every convolution of a FaceCNN, "
        "every block of another network")  # fmt: skip
    add("--units", nargs="+", default=[], metavar="LAYER:UNIT",
        help="show the maps of these units for each photo, stages.2.1:17 stages.2.1:3, and not of "
        "those that respond most")  # fmt: skip
    add("--control", choices=["untrained"], help="make the report for a network without training")
    add("--num-views", type=int, default=400, metavar="N",
        help="shifted and turned views to dissect on (%(default)s); more take longer and narrow "
        "the intervals")  # fmt: skip
    add("--seed", type=int, default=0, help="of all that is drawn by lot (%(default)s)")
    add_import_flag(parser, "the Python module of a network or a data set of your own")
    return parser


def visualize(
    run: Path,
    output: Path | None = None,
    images: Sequence[Path] = (),
    config: Path | None = None,
    layers: Sequence[str] | None = None,
    untrained: bool = False,
    num_views: int = 400,
    seed: int = 0,
    overwrite: bool = False,
    units: Sequence[str] = (),
    modules: Sequence[str] = (),
) -> Path:
    """Make a report; returns its page.

    Args:
        run: a run folder, or a checkpoint file in its folder checkpoints/.
        output: the report's folder; `report` in the run folder if None.
        images: a user's photos and folders to explain.
        config: a training config that describes the photos; the run's own if None.
        layers: dotted names; every convolution if None.
        untrained: report on an untrained network of the same shape instead.
        num_views: jittered views to dissect on, of training and of test photos.
        seed: of all that is drawn.
        overwrite: replace a report that is there.
        units: "LAYER:UNIT", whose maps are shown for each photo.
        modules: dotted names of Python modules whose classes the checkpoint and the config may
            name.

    Raises:
        UserError: for input that cannot be used.
    """
    if num_views < 40:
        raise UserError(f"--num-views is {num_views}; below 40 no interval means anything.")
    if seed < 0:
        raise UserError(f"--seed must be 0 or more, not {seed}.")
    for path in images:
        if not path.exists():
            raise UserError(f"--images: there is no {path}.")
    folder = run if run.is_dir() else run.absolute().parent
    if folder.name == "checkpoints":
        folder = folder.parent
    import_modules(modules)
    trained = load_classifier(run)
    data = _data(folder, config, trained, modules)
    layers = layers_of(trained, layers)
    chosen = units_of(layers, units)
    output = output or folder / "report"
    title = f"{folder.resolve().name}{', untrained' if untrained else ''}"
    names = ("untrained", "another untrained") if untrained else ("trained", "untrained")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trained.network.to(device)
    evidence = make_evidence(data, num_views, seed, device)
    check_units(chosen, trained, evidence)
    start_report(output, title, overwrite)
    if untrained:
        network = untrained_twin(trained.network, trained.settings, evidence.train_windows, seed)
        trained = replace(trained, network=network, calibration=None)
    trained.network.requires_grad_(False)
    with steps(measurements.num_steps(layers) + 2, "Report") as step:
        found = measurements.take(
            trained.network, trained.settings, layers, evidence,
            names_people=data.people == trained.people, seed=seed, step=step,
        )  # fmt: skip
        step("pictures")
        maker = PageMaker(output, names[0], trained.network, found.trained, found.patches, data)
        twin = PageMaker(output, names[1], found.twin, found.control, found.control_patches, data)
        networks = (maker.pages(found), twin.pages())
        step("photos")
        faces, notes = find_faces(images, trained)
        for note in notes:
            console.print(printable(note))
        faces = [(name, window.to(device)) for name, window in faces or _examples(data)]
        photos = tuple(explain(output, faces, trained, layers, chosen))
        write_json(report_path(output, "progression.json"), _plain(found, names))
    report = Report(
        title,
        network=_network_facts(trained, data),
        data=DataFacts(
            data.source.title, len(data.split.rows["test"]), data.source.terms,
            data.source.citation,
        ),
        notes=tuple(notes + _notes(found, data, trained)),
        progression=_progression(output, found, names),
        networks=networks,
        photos=photos,
        files=(FileEntry("progression.json", "numbers", "every figure of the progression"),),
    )  # fmt: skip
    write_report(output, report)
    for judgement in found.judgements:
        verdict = ("supported", "green") if judgement.supported else ("not supported", "red")
        console.print(Text.assemble(f"  {judgement.claim:<20} ", verdict))
    return output / "index.html"


def _data(
    folder: Path, config: Path | None, trained: TrainedNetwork, modules: Sequence[str]
) -> FaceDataModule:
    own = folder / "config.yaml"
    config = config or own
    if config == own and not own.is_file():
        raise UserError(
            f"{folder} has no config.yaml, so it is not known which photos to measure on. Name "
            "a training config: --config configs/orl.yaml."
        )
    data = configured_data(config, modules)
    check = data.split.check if config == own else data.split.check_unseen
    check(folder, data.crops)
    if (data.window, data.crop_settings.face_scale) != (trained.window, trained.face_scale):
        data = replace(data.settings, window=trained.window, face_scale=trained.face_scale).build()
    return data


def _examples(data: FaceDataModule) -> list[tuple[str, torch.Tensor]]:
    """The first test photo of a few people, where a user has none."""
    rows, labels = data.split.rows["test"], data.split.labels
    _, first = np.unique(labels[rows], return_index=True)
    some = rows[first[:: max(1, len(first) // _NUM_EXAMPLES)][:_NUM_EXAMPLES]]
    windows = data.windows(some)
    return [
        (f"{data.people[labels[row]]} (test photo)", window)
        for row, window in zip(some, windows, strict=True)
    ]


def _network_facts(trained: TrainedNetwork, data: FaceDataModule) -> NetworkFacts:
    accuracy = None
    if data.people == trained.people:
        rows = data.split.rows["test"]
        named = score(trained.network, data, rows).argmax(dim=1).numpy()
        accuracy = float((named == data.split.labels[rows]).mean())
    settings = {
        name: value if isinstance(value, str | int | float | bool) else str(value)
        for name, value in asdict(trained.settings).items()  # type: ignore[call-overload]
    }
    return NetworkFacts(
        type(trained.settings).__name__,
        sum(p.numel() for p in trained.network.parameters()),
        trained.window,
        len(trained.people),
        accuracy,
        settings,
    )


def _notes(found: Measurements, data: FaceDataModule, trained: TrainedNetwork) -> list[str]:
    notes = []
    if found.causality is None:
        notes.append(
            "The network was not trained to name the people in these photos. Whether parts matter, "
            "and what each unit is worth, cannot be measured on them."
        )
    photos = np.bincount(found.trained.evidence.test_labels)
    if photos.min() < 5:
        notes.append(
            f"Some people have only {photos.min()} test photos. The largest mean of few is large "
            "by chance: compare selectivity with the untrained network's."
        )
    return notes


def _progression(folder: Path, found: Measurements, names: tuple[str, str]) -> Progression:
    layers = list(found.trained.layers)
    fields = found.trained.field_sizes
    networks = dict(zip(names, (found.trained.curves, found.control.curves), strict=True))
    alone = np.full(len(layers), np.nan)
    networks["units rotated"] = {"parts": np.column_stack([found.rotated, alone, alone])}
    figure = figures.progression(layers, fields, networks, found.trained.part_lines)
    with new_file(report_path(folder, "pictures/progression.png")) as temporary:
        figure.savefig(temporary, dpi=160)
    rows = tuple(
        LayerRow(
            layer, fields[i],
            {
                m: {
                    name: Interval(*(None if math.isnan(x) else float(x) for x in values[m][i]))  # type: ignore[arg-type]
                    for name, values in networks.items() if m in values
                }
                for m in MEASURES
            },
        )
        for i, layer in enumerate(layers)
    )  # fmt: skip
    verdicts = [Verdict(j.claim, j.supported, in_words(j)) for j in found.judgements]  # type: ignore[arg-type]
    if found.causality is None:
        verdicts.append(
            Verdict("parts matter", None, "The network cannot name the people in these photos.")
        )
    caption = (
        f"Edges, parts and people by layer: the network, {names[0]} (red), {names[1]} (grey), and "
        "for parts the units in a random rotation (violet). Bands are 95 % intervals."
    )
    return Progression(
        Picture("pictures/progression.png", caption, "figure"), tuple(verdicts), rows
    )


def in_words(judgement: Judgement) -> str:
    """Why a claim is supported or not, with its numbers."""
    holds, order = judgement.order
    texts = [f"{order[:1].upper()}{order[1:]}{'' if holds else ', against the claim'}."]
    for d in judgement.differences:
        verdict = "" if d.holds else ": not surely above zero"
        texts.append(
            f"{d.what[:1].upper()}{d.what[1:]}: {d.value:.3f} ({d.low:.3f} to {d.high:.3f})"
            f"{verdict}."
        )
    return " ".join(text for text in texts if len(text) > 1)


def _plain(found: Measurements, names: tuple[str, str]) -> dict[str, Any]:
    """Every figure of the progression as JSON has it."""
    layers = list(found.trained.layers)

    def by_layer(values: np.ndarray) -> dict[str, Any]:
        return dict(zip(layers, values.tolist(), strict=True))

    networks = {
        name: {
            measure: {layer: dict(zip(("value", "low", "high"), row, strict=True))
                      for layer, row in by_layer(curve).items()}
            for measure, curve in network.curves.items()
        }
        for name, network in zip(names, (found.trained, found.control), strict=True)
    }  # fmt: skip
    causality = found.causality
    return {
        "format": 1,
        "receptive_fields": dict(zip(layers, found.trained.field_sizes, strict=True)),
        "networks": networks,
        "parts": {part: by_layer(line) for part, line in found.trained.part_lines.items()},
        "rotated_parts": by_layer(found.rotated),
        "ablation": None if causality is None else {
            "layer": causality.layer,
            "accuracy": causality.accuracy,
            "parts": {
                part: {"units": list(causality.part_units[part]), "cost": cost.units,
                       "cost_of_matched_units": cost.matched, "cost_of_covering": cost.covered}
                for part, cost in causality.costs.items()
            },
        },
        "verdicts": {
            j.claim: {"supported": j.supported, "order": j.order[1],
                      "differences": [asdict(d) for d in j.differences]}
            for j in found.judgements
        },
    }  # fmt: skip
