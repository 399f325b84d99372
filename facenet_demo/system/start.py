"""How a script begins and ends: Ctrl-C is a message, also while its packages are being imported.

    raise SystemExit(start("facenet_demo.training.train"))

Nothing heavy may be imported here.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from contextlib import suppress

from facenet_demo.system import interrupts


def start(module: str) -> int:
    """Import a module and run its `main`; returns the exit code.

    Until `main` calls `exits.exit_code`, it may go on importing: Ctrl-C ends the process at once.
    """
    watched = interrupts.watch()
    code = 0
    try:
        code = _run(module)
        return code
    except KeyboardInterrupt:  # while the command ended
        os.write(2, b"Interrupted.\n")
        code = interrupts.EXIT_CODE
        return code
    finally:
        with suppress(OSError, ValueError):  # nobody reads it any more
            sys.stdout.flush()
        if code == interrupts.EXIT_CODE and any(
            thread.name.startswith(interrupts.UNAWAITED) for thread in threading.enumerate()
        ):
            os._exit(code)  # Python would wait for what they have under way
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
