"""Ctrl-C while a command imports its packages: nothing has begun, so the process just goes.

    watched = watch()        # by `start`, before the first of them
    begin()                  # by `exits.exit_code`, after the last: KeyboardInterrupt again

Nothing heavy may be imported here, as in `start`.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

EXIT_CODE = 128 + signal.SIGINT  # what shells say of it
UNAWAITED = "unawaited"  # how threads are called whose work may be lost after Ctrl-C


def watch() -> bool:
    """From here on Ctrl-C ends the process; False if this one ignores it, or answers it itself.

    Raised in the midst of an import, KeyboardInterrupt becomes whatever that package makes of it.
    """
    # In the background it may be ignored.
    watched = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if watched:
        signal.signal(signal.SIGINT, _leave)
    return watched


def begin() -> None:
    """From here on it is a KeyboardInterrupt, where `watch` had changed that."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"Interrupted before it began.\n")
    os._exit(EXIT_CODE)
