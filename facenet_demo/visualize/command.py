"""The command line of the report: scripts/visualize.py."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from facenet_demo.system.commands import as_called
from facenet_demo.system.exits import exit_code
from facenet_demo.system.imports import add_import_flag
from facenet_demo.system.spelling import as_flags, hyphenated
from facenet_demo.system.terminal import console

DESCRIPTION = """
Show what a network learned, and measure whether edges, parts and people come in that order.

  python scripts/visualize.py runs/orl-20260131-142501
  python scripts/visualize.py runs/... --output report/ --images my_photo.jpg holiday/
  python scripts/visualize.py runs/... --control untrained     the same for an untrained network
  python scripts/visualize.py runs/... --config configs/lfw.yaml    on photos of another data set

The report is a folder: open its index.html in a browser. It needs no connection.
"""


def main(args: Sequence[str] | None = None) -> int:
    """Make the report of a command line; returns the exit code."""
    settings = _parser().parse_args(args)
    # Not above: --help, and mistakes that argparse finds, need not wait for them.
    from facenet_demo.training.flags import flag
    from facenet_demo.training.quiet import quieten_libraries
    from facenet_demo.visualize.making import visualize

    def run() -> int:
        page = visualize(
            settings.run,
            settings.output,
            images=settings.images,
            config=settings.config,
            layers=settings.layers,
            untrained=settings.control == "untrained",
            num_views=settings.num_views,
            seed=settings.seed,
            overwrite=settings.overwrite,
            units=settings.units,
            modules=settings.modules,
            num_units=settings.num_units,
        )
        console.print("Open", Text(str(page), "bold"), "in a browser.")
        return 0

    quieten_libraries()
    return exit_code(
        run,
        ". The report's folder says that it is unfinished.",
        lambda text: as_flags(as_flags(text, hyphenated(vars(settings)).get), flag),
    )


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
    add("--num-units", type=int, default=64, metavar="N",
        help="units of each layer to look at closely (%(default)s): what excites them, what the "
        "network loses without them; those that match parts or people best")  # fmt: skip
    add("--seed", type=int, default=0, help="of all that is drawn by lot (%(default)s)")
    add_import_flag(
        parser,
        "the Python module of a network, a data set, a measure or a page of your own: measures and "
        "pages are then in the report, and the checkpoint and the config may name what is in it",
    )
    return parser
