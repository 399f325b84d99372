from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from facenet_demo.system.errors import UserError
from facenet_demo.system.imports import add_import_flag, import_modules


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])


def test_modules_in_the_working_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "mine_here.py").write_text("from pathlib import Path\nPath('ran').touch()")
    import_modules(["mine_here"])
    assert (tmp_path / "ran").exists()


def test_what_lies_there_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("raise AssertionError")
    sys.modules.pop("colorsys", None)
    import_modules(["colorsys"])
    assert hasattr(sys.modules["colorsys"], "rgb_to_hls")


def test_without_modules_python_finds_what_it_found_before() -> None:
    before = [*sys.path]
    import_modules([])
    assert sys.path == before


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (None, r"broken_1 cannot be imported: No module named 'broken_1'\. It is the dotted name"),
        ("import gone_for_good", "No module named 'gone_for_good'"),
        ("\n\nx = 1 / 0", r"ZeroDivisionError: division by zero \(.*broken_1\.py, line 3\)"),
        ("class Bad(:", r"SyntaxError: .*broken_1\.py, line 1\)$"),
        ("import json\njson.loads('{')", r"JSONDecodeError: .*broken_1\.py, line 2\)"),
    ],
)
def test_what_is_wrong_with_a_module_is_said(tmp_path: Path, source: str | None, says: str) -> None:
    if source is not None:
        (tmp_path / "broken_1.py").write_text(source)
    with pytest.raises(UserError, match=says):
        import_modules(["broken_1"])


def test_the_flag_may_be_given_several_times() -> None:
    parser = argparse.ArgumentParser()
    add_import_flag(parser, "help")
    assert parser.parse_args([]).modules == []
    assert parser.parse_args(["--import", "a", "--import=b.c"]).modules == ["a", "b.c"]
