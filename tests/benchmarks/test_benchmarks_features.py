"""`benchmark.py features`, on a network that learned from a few drawn faces."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from small_training import quick

from facenet_demo.benchmarks import feature_costs, features
from facenet_demo.benchmarks.command import main
from facenet_demo.training.cli import follow


@pytest.fixture(scope="module")
def trained(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a training on 3 people, of whose photos 2 each are for testing."""
    runs = tmp_path_factory.mktemp("runs")
    follow(quick(people_folder, runs, "--data.batch_size=4", "--data.split.test=2"))
    (folder,) = runs.iterdir()
    return folder


def test_what_is_asked_for_is_measured_and_written(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(feature_costs, "NUM_VIEWS", 15)
    monkeypatch.setattr(features, "memory", lambda: {1_000: 1.0, 10_000: 1.5})
    output = tmp_path / "features.json"
    flags = ["--num-untrained=1", "--repeats=2", f"--output={output}"]
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "features", f'["{trained}"]', *flags])
    assert main() == 0
    found = json.loads(output.read_text("utf-8"))
    assert [*found] == ["environment", "trials", "costs", "memory"]
    assert [trial["network"] for trial in found["trials"]] == [str(trained), "untrained, seed 0"]
    assert len(found["trials"][0]["judgements"]) == 4
    assert found["memory"] == {"1000": 1.0, "10000": 1.5}
    costs = found["costs"]
    assert [*costs] == [
        "dissection", "netdissect", "netdissect_matched", "top_patches", "gabors", "unit_costs",
    ]  # fmt: skip
    for cost in costs.values():
        assert len(cost["comparison"]["seconds"]) == len(cost["comparison"]["peer_seconds"]) == 2
    assert costs["dissection"]["comparison"]["name"] == "dissection of 15 views"
    assert costs["netdissect_matched"]["figures"]["difference of IoU, median"] < 0.01
    assert abs(costs["gabors"]["figures"]["R2 above scipy's, median"]) < 0.02
    assert costs["unit_costs"]["figures"] == {"same answers": True}
    assert "top patches of 15 views: median" in " ".join(capsys.readouterr().err.split())


def test_costs_are_written_one_by_one(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured before an interruption is kept."""

    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_costs, "NUM_VIEWS", 6)
    monkeypatch.setattr(feature_costs, "patches", stopped)
    output = tmp_path / "features.json"
    flags = ['--parts=["costs"]', "--repeats=1", f"--output={output}"]
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "features", f'["{trained}"]', *flags])
    assert main() == 130
    found = json.loads(output.read_text("utf-8"))
    assert found.keys() == {"environment", "costs"}
    assert [*found["costs"]] == ["dissection", "netdissect", "netdissect_matched"]


def test_memory_is_that_of_processes_of_their_own() -> None:
    (found,) = features.memory([64]).values()
    assert 50 < found < 5_000  # MiB, of Python with torch
