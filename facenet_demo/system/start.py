"""How a script begins and ends: Ctrl-C is a message, also while its packages are being imported.

    raise SystemExit(start("facenet_demo.training.train"))

Nothing heavy may be imported here.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from contextlib import suppress

from facenet_demo.system import interrupts


def start(module: str) -> int:
    """Import a module and run its `main`; returns the exit code.

    Until `main` calls `exits.exit_code`, it may go on importing: Ctrl-C ends the process at once.
    """
    watched = interrupts.watch()
    try:
        return _run(module)
    except KeyboardInterrupt:  # while the command ended
        os.write(2, b"Interrupted.\n")
        return interrupts.EXIT_CODE
    finally:
        with suppress(OSError, ValueError):  # nobody reads it any more
            sys.stdout.flush()
        # Whoever presses it once more has seen the message; threads that are left are not awaited.
        if watched:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run(module: str) -> int:
    try:
        return importlib.import_module(module).main()
    except ModuleNotFoundError as error:
        from facenet_demo.system.exits import exit_code

        def missing(error: ModuleNotFoundError = error) -> int:
            raise error

        return exit_code(missing, "")
