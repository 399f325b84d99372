"""The command line of naming: scripts/predict.py."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from facenet_demo.system.commands import as_called
from facenet_demo.system.exits import exit_code, positive
from facenet_demo.system.imports import add_import_flag
from facenet_demo.system.spelling import as_flags, hyphenated
from facenet_demo.system.texts import printable

DESCRIPTION = """
Find every face in photos and videos and name it, or say that it is a stranger's.

  python scripts/predict.py runs/orl-20260131-142501 photo.jpg holiday/
  python scripts/predict.py runs/... holiday/ --annotate named/     copies with boxes and names
  python scripts/predict.py runs/... holiday/ --json faces.jsonl    for a program; - is the terminal
  find . -name '*.jpg' -print0 | python scripts/predict.py runs/... -
  python scripts/predict.py runs/... party.mp4 --every 10           who is seen when

People that the network was never trained on, from a few photos of each:

  python scripts/predict.py runs/... holiday/ --gallery people/ --save-gallery people.safetensors
  python scripts/predict.py runs/... holiday/ --gallery people.safetensors
"""
_EPILOG = """
The exit code is 0 if all was read (and drawn), 1 if something could not be, 2 for wrong use.
docs/predictions.md describes the JSON.
"""


def main(args: Sequence[str] | None = None) -> int:
    """Name the faces in the files of a command line; returns the exit code."""
    settings = _parser().parse_args(args)
    # Not above: --help, and mistakes that argparse finds, need not wait for it.
    from facenet_demo.predict.naming_files import Progress, name_files

    progress = Progress()
    return exit_code(
        lambda: name_files(settings, progress),
        progress.told,
        lambda text: as_flags(printable(text), hyphenated(vars(settings)).get),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=as_called(DESCRIPTION),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", type=Path, help="a run folder, a checkpoint, or a file of scripts/export.py")
    add("files", nargs="+", type=Path, metavar="file",
        help="photos, videos, folders; - reads a list from standard input")  # fmt: skip
    add(
        "--json", type=Path, metavar="FILE", help="a line of JSON for each file; - for the terminal"
    )
    add("--csv", type=Path, metavar="FILE", help="a row for each face")
    add("--annotate", type=Path, metavar="DIR", help="copies with boxes and names")
    add("--top", type=positive, default=3, metavar="N", help="guesses for each face (3)")
    add("--threshold", type=float, metavar="X",
        help="a face is known above this certainty, with a gallery this similarity")  # fmt: skip
    add("--false-accept-rate", type=float, metavar="X",
        help="or: the chance at which a stranger may get a name, such as 0.01")  # fmt: skip
    add("--gallery", type=Path, metavar="PATH",
        help="name these people instead: a folder of folders, or a saved gallery")  # fmt: skip
    add("--save-gallery", type=Path, metavar="FILE", help="keep it, as FILE.safetensors")
    add("--strangers", type=Path, metavar="DIR",
        help="photos of people who are not in the gallery; they set its threshold")  # fmt: skip
    add("--every", type=positive, default=5, metavar="N",
        help="of videos every N-th frame is looked at (5)")  # fmt: skip
    add("--search-side", type=positive, default=640, metavar="PIXELS",
        help="longer side of a photo while it is searched; there, faces of 32 pixels and more are "
        "found (640)")  # fmt: skip
    add("--max-megapixels", type=positive, default=100, metavar="N",
        help="larger photos are refused, JPEGs if they are larger when decoded at a fitting size, "
        "or four times as large in the file (100)")  # fmt: skip
    add("--threads", type=positive, metavar="N", help="photos at once (one for each core)")
    add_import_flag(parser, "for a network of your own: the Python module that defines it")
    return parser
