from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted, exit_code, positive


def stopped(error: BaseException) -> int:
    raise error


def test_a_command_that_ends_by_itself_keeps_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: 1, "") == 1
    assert capsys.readouterr().err == ""


def test_an_error_is_a_message_without_markup_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: stopped(UserError("no photos in a[red]b")), "", str.upper) == 2
    assert capsys.readouterr().err == "Error: NO PHOTOS IN A[RED]B\n"


def test_ctrl_c_is_told_and_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: stopped(KeyboardInterrupt()), " before it began.") == 130
    assert capsys.readouterr().err == "Interrupted before it began.\n"


def test_a_signal_that_work_was_saved_after_keeps_its_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(lambda: stopped(Interrupted(signal.SIGTERM)), ".") == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "Interrupted.\n"


def test_what_the_system_refuses_is_told_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: len(Path("/none/[b]x").read_text()), "") == 2
    assert capsys.readouterr().err == "Error: /none/[b]x: No such file or directory\n"


def test_a_missing_package_is_named_with_what_brings_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ModuleNotFoundError("No module named 'optuna'", name="optuna")
    assert exit_code(lambda: stopped(error), "") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("Error: the package optuna is missing")
    assert 'pip install "facenet_demo[heif,notebooks,onnx,postgresql,tune]"' in said


def test_whoever_reads_the_output_may_stop_early() -> None:
    code = """
import sys
from pathlib import Path
from facenet_demo.system.exits import exit_code
sys.exit(exit_code(lambda: [print("x" * 99, flush=True) for _ in range(100_000)] and 0, ""))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.communicate()[1] == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_a_positive_number_is_a_whole_one_from_1(text: str) -> None:
    assert positive("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number from 1"):
        positive(text)
