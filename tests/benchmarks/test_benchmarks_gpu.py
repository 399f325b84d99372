"""The benchmark of a GPU, tried out on the CPU."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from facenet_demo.benchmarks import gpu
from facenet_demo.benchmarks.command import main
from facenet_demo.benchmarks.gpu import Bench, Part, run, table
from facenet_demo.system.errors import UserError


def small(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    flags = ["--model.network.channels=[4,8]", "--data.batch_size=4", "--data.split.test=2"]
    own = ["folder.yaml", f"--data.source.root={people}", *flags]
    monkeypatch.setattr(Bench, "own_network", own)


def test_all_parts_run_and_one_that_fails_stops_no_other(
    people_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(folder: Path, overwrite: bool) -> Path:
        raise ZeroDivisionError("no report\ntoday")

    small(monkeypatch, people_folder)
    monkeypatch.setattr(gpu, "visualize", fails)
    output = tmp_path / "gpu.json"
    names = ["lfw", "lfw_gpu", "epoch", "captured", "predict", "report"]
    flags = [
        "--device=cpu", f"--parts={json.dumps(names)}", "--num-epochs=2", "--repeats=1",
        f"--runs={tmp_path / 'runs'}", f"--output={output}",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "gpu", *flags])
    assert main() == 0
    parts = {part["name"]: part for part in json.loads(output.read_text("utf-8"))["parts"]}
    assert [*parts] == names
    assert parts["lfw"]["error"] == "LFW is left out: set --lfw-root to its folder."
    assert "reduce-overhead has no effect on a CPU" in parts["captured"]["error"]
    assert parts["report"]["error"] == "ZeroDivisionError: no report today"
    assert parts["lfw_gpu"]["figures"]["equal weights"] is True
    epoch = parts["epoch"]["figures"]
    assert epoch["seconds of 300 epochs"] == pytest.approx(300 * epoch["seconds of an epoch"])
    assert parts["predict"]["figures"]["photos per second"] > 0
    assert "no report today" in capsys.readouterr().err


def test_an_epochs_time_counts_neither_the_first_nor_what_comes_before(
    people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch, people_folder)
    trained, seconds = Bench(tmp_path, accelerator="cpu", num_epochs=3).train()
    assert trained.metrics["epochs"] == 3
    assert len(seconds) == 2
    assert all(0 < one < float(trained.metrics["seconds"]) for one in seconds)


def test_tests_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tests/test_some.py"
    file.parent.mkdir()
    file.write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('number', [0, 1, 2, 3])\n"
        "def test_it(number):\n"
        "    if number == 3:\n"
        "        pytest.skip('not here')\n"
        "    assert number\n"
    )
    monkeypatch.setattr(gpu, "_TESTS", file)
    (part,) = run(Bench(tmp_path, accelerator="cpu"), ["tests"])
    assert part.error is None
    assert part.figures == {"passed": 2, "failed": 1, "skipped": 1}
    file.unlink()
    (part,) = run(Bench(tmp_path, accelerator="cpu"), ["tests"])
    assert "tests come with the repository alone" in str(part.error)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "gpu", f"--output={tmp_path / 'gpu.json'}"])
    assert main() == 2
    assert "There is no GPU here that torch can use" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_one_epoch_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`num_epochs` must be 2 or more, not 1"):
        Bench(tmp_path, accelerator="cpu", num_epochs=1)


def test_the_table_names_figures_and_failures() -> None:
    parts = [Part("epoch", {"seconds of an epoch": 0.51234, "equal weights": True}, 2.0),
             Part("report", {}, 1.0, "ValueError: no")]  # fmt: skip
    console = Console(width=120, file=io.StringIO())
    with console.capture() as capture:
        console.print(table(parts))
    for text in ("0.5123", "equal weights", "True", "failed", "ValueError: no", "seconds in all"):
        assert text in capture.get()


def test_without_lfw_its_larger_network_learns_orl(tmp_path: Path) -> None:
    config, *flags = Bench(tmp_path, accelerator="cpu").own_network
    assert config == "orl.yaml"
    assert flags == ["--model.network.channels=[64,64,128,256]", "--data.batch_size=64"]
    assert Bench(tmp_path, tmp_path, "cpu").own_network == ["lfw_gpu.yaml"]
