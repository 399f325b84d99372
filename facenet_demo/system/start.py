"""How a script begins and ends: Ctrl-C is a message, also while its packages are being imported.

    raise SystemExit(start("facenet_demo.training.train"))

Nothing heavy may be imported here.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

_CODE = 128 + signal.SIGINT


def start(module: str) -> int:
    """Import a module and run its `main`; returns the exit code."""
    # In the background it may be ignored.
    watched = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if watched:
        # Raised in the midst of an import, KeyboardInterrupt becomes whatever that package makes of
        # it. Nothing has begun that would have to be ended: the process just goes.
        signal.signal(signal.SIGINT, _leave)
    main = _main(module)
    if watched:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return main()
    except KeyboardInterrupt:  # before the command watched for it, or while it ended
        os.write(2, b"Interrupted.\n")
        return _CODE
    finally:
        with suppress(OSError, ValueError):  # nobody reads it any more
            sys.stdout.flush()
        # Whoever presses it once more has seen the message; threads that are left are not awaited.
        if watched:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _main(module: str) -> Callable[[], int]:
    try:
        return importlib.import_module(module).main
    except ModuleNotFoundError as error:
        from facenet_demo.system.exits import exit_code

        def missing(error: ModuleNotFoundError = error) -> int:
            raise error

        return lambda: exit_code(missing, "")


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"Interrupted before it began.\n")
    os._exit(_CODE)
