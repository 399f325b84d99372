from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from facenet_demo.benchmarks import cost
from facenet_demo.benchmarks.command import main


def call(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *args])
    return main()


def test_what_was_measured_is_written_beside_the_machine_it_ran_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new/predict.json"
    args = ["predict", "runs/none", "--parts=[mutations]", "--num-mutations=3"]
    assert call(monkeypatch, *args, f"--output={output}") == 0
    found = json.loads(output.read_text("utf-8"))
    assert found.keys() == {"environment", "mutations"}
    assert found["mutations"]["num"] == 3
    assert found["environment"]["python"] == sys.version.split()[0]
    assert "3 damaged photos: " in capsys.readouterr().err


def test_startup_is_written_command_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cost, "_python", lambda *args: None)
    output = tmp_path / "startup.json"
    assert call(monkeypatch, "startup", "--repeats=2", f"--output={output}") == 0
    found = json.loads(output.read_text("utf-8"))
    assert [*found] == ["environment", "train", "visualize", "predict"]
    assert len(found["predict"]["seconds"]) == 2
    assert "predict.py --help: median" in capsys.readouterr().err


def test_what_cannot_be_measured_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, output = tmp_path / "run", tmp_path / "predict.json"
    args = ["predict", str(run), "--parts=[accuracy]", f"--output={output}"]
    assert call(monkeypatch, *args) == 2
    assert "no finished run" in " ".join(capsys.readouterr().err.split())
    assert not output.exists()


def test_an_underscore_of_before_holds_and_says_the_flag_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "predict.json"
    args = ["predict", "runs/none", "--parts=[mutations]", "--num_mutations", "2"]
    assert call(monkeypatch, *args, f"--output={output}") == 0
    assert json.loads(output.read_text("utf-8"))["mutations"]["num"] == 2
    assert "--num_mutations is called --num-mutations now" in capsys.readouterr().err


def test_flags_are_spelled_with_hyphens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("outsiders", "predict"):
        with pytest.raises(SystemExit):
            call(monkeypatch, name, "--help")
        shown = set(re.findall(r"--\w[\w-]*", capsys.readouterr().out)) - {"--print_config"}
        assert "--lfw-root" in shown
        assert not any("_" in flag for flag in shown)


def test_help_names_every_benchmark(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        call(monkeypatch, "--help")
    assert done.value.code == 0
    said = capsys.readouterr().out
    for name in ("accuracy", "startup", "drawing", "crashes", "speed", "loading", "memory",
                 "outsiders", "features", "predict", "search", "gpu"):  # fmt: skip
        assert f"\n    {name} " in said
