"""How a command ends: what stops it becomes a message and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable

from rich.text import Text

from facenet_demo.system.errors import UserError
from facenet_demo.system.interrupts import begin
from facenet_demo.system.registry import NotImportedError
from facenet_demo.system.terminal import console


class Interrupted(BaseException):
    """A signal ended the work; what was finished is saved.

    Attributes:
        exit_code: what a process ends with after that signal, by habit.
    """

    def __init__(self, signal_number: int) -> None:
        self.exit_code = 128 + signal_number


def exit_code(
    command: Callable[[], int],
    interrupted: str | Callable[[], str],
    readable: Callable[[str], str] = str,
) -> int:
    """Run a command; returns its exit code, 2 for wrong use and full disks, 130 after Ctrl-C.

    Args:
        command: what is run, when all that it needs is imported; returns its own exit code.
        interrupted: what "Interrupted" is followed by, or what says so when it comes to that.
        readable: what is done to the text of an error before it is shown.
    """
    begin()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As Python does for standard error: what the terminal cannot show is an escape, no end.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return command()
    except NotImportedError as error:
        module = error.module or "MODULE"
        _complain(readable(f"{error} On the command line, if you trust it: --import {module}"))
        return 2
    except UserError as error:
        _complain(readable(str(error)))
        return 2
    except ModuleNotFoundError as error:
        missing = f"the package {error.name} is missing" if error.name else str(error)
        _complain(
            f"{missing}; the extras bring what is not always needed, all of them: "
            'pip install "facenet_demo[heif,notebooks,onnx,postgresql,tune]"'
        )
        return 2
    except (KeyboardInterrupt, Interrupted) as stop:
        told = interrupted if isinstance(interrupted, str) else interrupted()
        console.print(Text.assemble(("Interrupted", "bold"), told))
        return stop.exit_code if isinstance(stop, Interrupted) else 128 + signal.SIGINT
    except BrokenPipeError:  # who reads the output has seen enough, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # what shells say of SIGPIPE, which Windows does not have
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        _complain(readable(f"{where}{error.strerror or error}"))
        return 2


def _complain(message: str) -> None:
    console.print(Text.assemble(("Error:", "bold red"), " ", message))


def write_for_programs() -> None:
    """From here on standard output is UTF-8, whatever the terminal's encoding.

    Half a character in a name, which UTF-8 has not, becomes `\\ud83d`, which JSON reads back.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text}")
    return int(text)
