from __future__ import annotations

import pytest

from facenet_demo.commands import exit_code
from facenet_demo.records import UserError


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
