"""An ONNX file's first answer in a process of its own, with an end to its time and its memory.

    try_out(content, most_window=4096)   # returns if all is well

A few bytes can describe a loop without end or a constant of any size, inside onnxruntime, where
Ctrl-C does not reach: what a file from somewhere does, it does first where it can be stopped.

This module is also what that process runs. It imports neither torch nor this project, so that the
answer of a good file comes within half a second.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing.spawn
import os
import signal
import subprocess
import sys
from contextlib import suppress

SECONDS = 60
# Beside four times the file: what the libraries take, and a network's maps of one face.
MEMORY = 4 << 30
_KEY = "facenet_demo"


class TrialError(Exception):
    """The file is not one that can be used; the message says why."""


def try_out(content: bytes, most_window: int) -> None:
    """Load a network and let it answer once, somewhere else.

    Args:
        content: the file's.
        most_window: it is not run for a larger window, which is then for the caller to refuse.

    Raises:
        TrialError: if it fails, or takes too long or too much memory.
    """
    python = os.fsdecode(multiprocessing.spawn.get_executable())
    paths = os.pathsep.join(path for path in sys.path if path)  # the modules that we would import
    try:
        # Not by multiprocessing: it would import the user's script once more. -P: nor anything that
        # lies beside this file or in the current folder.
        done = subprocess.run(
            [python, "-P", __file__, str(most_window)],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            env={**os.environ, "PYTHONPATH": paths},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TrialError(f"it gave no answer within {SECONDS} seconds") from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise TrialError(f"onnxruntime cannot run it ({name})")
    if done.returncode > 0:
        reason = done.stdout.decode(errors="replace").strip()
        raise TrialError(reason or "it asks for too much memory, or is damaged")


def _main() -> int:
    content = sys.stdin.buffer.read()
    _limit(len(content))
    try:
        _answer(content, int(sys.argv[1]))
    except MemoryError:
        print("it asks for more memory than it may have")
        return 1
    except Exception as error:  # onnxruntime's errors have no common class
        print(next(iter(str(error).splitlines()), type(error).__name__))
        return 1
    return 0


def _limit(size: int) -> None:
    """Whatever happens to the process that waits for this one, it comes to an end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: with its parent
    with suppress(ImportError, OSError, ValueError):  # Windows has none of it
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY + 4 * size,) * 2)


def _answer(content: bytes, most_window: int) -> None:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    try:
        window = json.loads(session.get_modelmeta().custom_metadata_map[_KEY])["window"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return  # no network of ours, which the caller sees
    if isinstance(window, int) and 1 <= window <= most_window:
        windows = np.zeros((1, 3, window, window), np.float32)
        session.run(["logits", "embedding"], {"windows": windows})


if __name__ == "__main__":
    raise SystemExit(_main())
