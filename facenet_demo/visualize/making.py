"""A run -> its report.

page = visualize(Path("runs/orl-20260131-142501"))       # .../report/index.html
"""

from __future__ import annotations

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
from facenet_demo.system.errors import UserError
from facenet_demo.system.terminal import console, steps
from facenet_demo.system.texts import printable
from facenet_demo.training import trust
from facenet_demo.visualize import measurements
from facenet_demo.visualize.facts import cautions, data_facts, network_facts
from facenet_demo.visualize.inputs import example_faces, find_faces, measured_on, run_folder
from facenet_demo.visualize.layers import check_units, layers_of, units_of
from facenet_demo.visualize.pages import Look, page_makers

_FEWEST_VIEWS = 40


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
    num_units: int = 64,
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
        num_units: units of each layer that are looked at closely, at most: of each a picture that
            excites it, and what the network loses without it.

    Raises:
        UserError: for input that cannot be used.
    """
    _check(num_views, seed, images, num_units)
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
    with steps(measurements.num_steps(layers, names_people) + len(makers), "Report") as step:
        measured = measurements.take(
            trained.network,
            trained.settings,
            layers,
            evidence,
            names_people,
            seed,
            step,
            num_units,
            chosen,
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


def _check(num_views: int, seed: int, images: Sequence[Path], num_units: int) -> None:
    if num_views < _FEWEST_VIEWS:
        raise UserError(
            f"`num_views` is {num_views}; below {_FEWEST_VIEWS} no interval means anything."
        )
    if num_units < 0:
        raise UserError(f"`num_units` must be 0 or more, not {num_units}.")
    if seed < 0:
        raise UserError(f"`seed` must be 0 or more, not {seed}.")
    for path in images:
        if not path.exists():
            raise UserError(f"`images`: there is no {path}.")


def _print_verdicts(judgements: Sequence[Judgement]) -> None:
    for judgement in judgements:
        verdict = ("supported", "green") if judgement.supported else ("not supported", "red")
        console.print(Text.assemble(f"  {judgement.claim:<20} ", verdict))
