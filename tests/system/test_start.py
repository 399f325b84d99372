"""Scripts from their first moment to their last: Ctrl-C is a message and 130."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import facenet_demo

STOP = "import os, signal; os.kill(os.getpid(), signal.SIGINT)\n"


def started(folder: Path, module: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this text as a script does."""
    (folder / "slow.py").write_text(module)
    code = "from facenet_demo.system.start import start; raise SystemExit(start('slow'))"
    package = str(Path(facenet_demo.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), package])},
    )  # fmt: skip


@pytest.mark.parametrize(
    "module",
    [
        STOP,
        f"try:\n    {STOP}except BaseException:\n    raise ImportError('damaged') from None\n",
    ],
    ids=["plain", "in a package that catches everything"],
)
def test_ctrl_c_while_packages_are_imported(module: str, tmp_path: Path) -> None:
    done = started(tmp_path, f"{module}def main(): return 0\n")
    assert (done.returncode, done.stderr) == (130, "Interrupted before it began.\n")


def test_ctrl_c_while_a_command_imports_what_its_arguments_ask_for(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text(STOP)
    done = started(tmp_path, "def main():\n    import heavy\n    return 0\n")
    assert (done.returncode, done.stderr) == (130, "Interrupted before it began.\n")


def test_ctrl_c_once_a_command_has_begun_is_its_own(tmp_path: Path) -> None:
    work = f"def work():\n    {STOP}    return 0\n"
    module = f"from facenet_demo.system.exits import exit_code\n{work}"
    done = started(tmp_path, f"{module}def main():\n    return exit_code(work, ' at work.')\n")
    assert (done.returncode, done.stderr) == (130, "Interrupted at work.\n")


def test_ctrl_c_while_a_command_ends(tmp_path: Path) -> None:
    module = "from facenet_demo.system.exits import exit_code\n"
    module += f"def main():\n    exit_code(int, '')\n    {STOP}    return 0\n"
    done = started(tmp_path, module)
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


def test_ctrl_c_while_a_finished_command_waits_for_its_threads_ends_it(tmp_path: Path) -> None:
    module = """
import os, signal, threading
def main():
    threading.Thread(target=threading.Event().wait).start()
    threading._register_atexit(lambda: os.kill(os.getpid(), signal.SIGINT))
    print("finished")
    return 7
"""
    done = started(tmp_path, module)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
    assert done.stdout == "finished\n"


def test_where_ctrl_c_is_ignored_it_stays_so(tmp_path: Path) -> None:
    """As in jobs that a shell script puts into the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = started(tmp_path, f"{STOP}def main():\n    {STOP}    return 7\n")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stderr) == (7, "")


def test_a_command_keeps_its_code(tmp_path: Path) -> None:
    assert started(tmp_path, "def main():\n    return 7\n").returncode == 7


@pytest.mark.parametrize(
    "module",
    ["import optuna_of_another_name\n", "def main():\n    import optuna_of_another_name\n"],
    ids=["at the top", "after parsing"],
)
def test_a_missing_package_is_named(module: str, tmp_path: Path) -> None:
    done = started(tmp_path, module)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: the package optuna_of_another_name is missing")


def test_nothing_heavy_is_imported_before_ctrl_c_is_watched_for(tmp_path: Path) -> None:
    done = started(tmp_path, "import sys\ndef main(): print(sorted(sys.modules))\n")
    assert not {"torch", "rich", "numpy", "PIL"} & set(eval(done.stdout))


def test_pieces_that_are_under_way_are_not_awaited_after_ctrl_c(tmp_path: Path) -> None:
    module = f"""
import threading
from facenet_demo.system.exits import exit_code
from facenet_demo.system.threads import ordered_map
def work():
    begun = threading.Event()
    def piece(_):
        begun.set()
        threading.Event().wait()  # for ever
    def asked():
        yield 0
        begun.wait()
        {STOP}        yield 1
    return len(list(ordered_map(piece, asked(), 1)))
def main():
    return exit_code(work, " at work.")
"""
    done = started(tmp_path, module)
    assert (done.returncode, done.stderr) == (130, "Interrupted at work.\n")
