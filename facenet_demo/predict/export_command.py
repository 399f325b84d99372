"""The command line of the export: scripts/export.py."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from facenet_demo.system.commands import as_called
from facenet_demo.system.exits import exit_code
from facenet_demo.system.imports import add_import_flag
from facenet_demo.system.terminal import console

DESCRIPTION = """
Write a trained network as an ONNX file, and check that it answers as the network does.

  python scripts/export.py runs/orl-20260131-142501                  writes model.onnx there
  python scripts/export.py runs/.../checkpoints/last.ckpt last.onnx
  python scripts/predict.py model.onnx photo.jpg                     uses it

Needs the extra: pip install "facenet_demo[onnx]"
"""


def main(args: Sequence[str] | None = None) -> int:
    """Export the network of a command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=as_called(DESCRIPTION), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="a run folder or a checkpoint")
    parser.add_argument("file", type=Path, nargs="?", help="the file to write, *.onnx")
    add_import_flag(parser, "for a network of your own: the Python module that defines it")
    settings = parser.parse_args(args)
    # Not above: --help, and mistakes that argparse finds, need not wait for it.
    from facenet_demo.predict.export import export_run

    def run() -> int:
        console.print(export_run(settings.model, settings.file, settings.modules))
        return 0

    return exit_code(run, "; nothing was written.")
