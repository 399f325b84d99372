"""Modules of somebody's own, which they named themselves: --import MODULE.

add_import_flag(parser)                  # settings.modules
import_modules(settings.modules)
"""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from facenet_demo.system.errors import UserError


def add_import_flag(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Let a command take `--import MODULE`, as often as one likes, into `modules`."""
    parser.add_argument(
        "--import", action="append", default=[], metavar="MODULE", dest="modules", help=help_text
    )


def import_modules(names: Sequence[str]) -> None:
    """Import modules, which runs them; `.` is looked in, too.

    Args:
        names: dotted names that a person named, never a file.

    Raises:
        UserError: for a module that cannot be imported.
    """
    if names and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last: what lies here replaces nothing
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(
                f"{name} cannot be imported: {error}. It is the dotted name of a Python module, in "
                "this folder or where Python finds its packages."
            ) from error
        except Exception as error:  # whatever the module does
            raise UserError(
                f"{name} cannot be imported: {type(error).__name__}: {error}{_place(error)}"
            ) from error


def _place(error: Exception) -> str:
    """The line of the module at which it failed; a SyntaxError says so itself."""
    for frame in traceback.extract_tb(error.__traceback__)[1:]:
        if "importlib" not in frame.filename:
            return f" ({frame.filename}, line {frame.lineno})"
    return ""
