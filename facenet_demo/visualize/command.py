"""The command line of the report: scripts/visualize.py."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.text import Text

from facenet_demo.data.evidence import make_evidence
from facenet_demo.features.verdicts import Judgement
from facenet_demo.networks.checkpoints import load_classifier
from facenet_demo.networks.untrained import untrained_twin
from facenet_demo.report import SCORES, Measure, Report, start_report, write_report
from facenet_demo.system.commands import as_called
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import exit_code
from facenet_demo.system.imports import add_import_flag
from facenet_demo.system.spelling import as_flags, hyphenated
from facenet_demo.system.terminal import console, steps
from facenet_demo.system.texts import printable
from facenet_demo.training import trust
from facenet_demo.training.cli import quieten_libraries
from facenet_demo.training.flags import flag
from facenet_demo.visualize import measurements
from facenet_demo.visualize.facts import cautions, data_facts, network_facts
from facenet_demo.visualize.inputs import example_faces, find_faces, measured_on, run_folder
from facenet_demo.visualize.layers import check_units, layers_of, units_of
from facenet_demo.visualize.pages import Look, page_makers

DESCRIPTION = """
Show what a network learned, and measure whether edges, parts and people come in that order.

  python scripts/visualize.py runs/orl-20260131-142501
  python scripts/visualize.py runs/... --output report/ --images my_photo.jpg holiday/
  python scripts/visualize.py runs/... --control untrained     the same for an untrained network
  python scripts/visualize.py runs/... --config configs/lfw.yaml    on photos of another data set

The report is a folder: open its index.html in a browser. It needs no connection.
"""
_FEWEST_VIEWS = 40


def main(args: Sequence[str] | None = None) -> int:
    """Make the report of a command line; returns the exit code."""
    quieten_libraries()
    settings = _parser().parse_args(args)
    return exit_code(
        lambda: _run(settings),
        ". The report's folder says that it is unfinished.",
        lambda text: as_flags(as_flags(text, hyphenated(vars(settings)).get), flag),
    )


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
    add_import_flag(
        parser,
        "the Python module of a network, a data set, a measure or a page of your own: measures and "
        "pages are then in the report, and the checkpoint and the config may name what is in it",
    )
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
        modules: dotted names of Python modules to import: their measures and pages are in the
            report, and the checkpoint and the config may name classes of them.

    Raises:
        UserError: for input that cannot be used.
    """
    _check(num_views, seed, images)
    trust.allow(modules)
    makers = page_makers()
    trained = load_classifier(run)
    folder = run_folder(run)
    data = measured_on(folder, config, trained)
    layers = layers_of(trained, layers)
    chosen = units_of(layers, units)
    faces, notes = find_faces(images, trained)
    for note in notes:
        console.print(printable(note))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trained.network.to(device)
    evidence = make_evidence(data, num_views, seed, device)
    check_units(chosen, trained, evidence)
    output = output or folder / "report"
    title = f"{folder.resolve().name}{', untrained' if untrained else ''}"
    start_report(output, title, overwrite)
    if untrained:
        network = untrained_twin(trained.network, trained.settings, evidence.train_windows, seed)
        trained = replace(trained, network=network, calibration=None)
    trained.network.requires_grad_(False)
    names_people = data.people == trained.people
    with steps(measurements.num_steps(layers) + len(makers), "Report") as step:
        measured = measurements.take(
            trained.network, trained.settings, layers, evidence, names_people, seed, step
        )
        look = Look(
            output, trained, layers, data, evidence, measured,
            names=("untrained", "another untrained") if untrained else ("trained", "untrained"),
            faces=[(name, window.to(device)) for name, window in faces or example_faces(data)],
            units=chosen,
        )  # fmt: skip
        report = Report(
            title,
            finished=False,
            network=network_facts(trained, data),
            data=data_facts(data),
            notes=(*notes, *cautions(names_people, evidence.test_labels)),
            scores=SCORES,
            measures={
                one.name: Measure(one.label, f"{one.explanation} ({one.source}.)", one.style)
                for one in measured.trained.measures
            },
        )
        for maker in makers:
            step(maker.title)
            write_report(output, report)  # what there is by now can be read
            report = replace(report, pages=(*report.pages, maker.page(maker.make(look))))
    write_report(output, replace(report, finished=True))
    _print_verdicts(measured.judgements)
    return output / "index.html"


def _check(num_views: int, seed: int, images: Sequence[Path]) -> None:
    if num_views < _FEWEST_VIEWS:
        raise UserError(
            f"`num_views` is {num_views}; below {_FEWEST_VIEWS} no interval means anything."
        )
    if seed < 0:
        raise UserError(f"`seed` must be 0 or more, not {seed}.")
    for path in images:
        if not path.exists():
            raise UserError(f"`images`: there is no {path}.")


def _print_verdicts(judgements: Sequence[Judgement]) -> None:
    for judgement in judgements:
        verdict = ("supported", "green") if judgement.supported else ("not supported", "red")
        console.print(Text.assemble(f"  {judgement.claim:<20} ", verdict))
