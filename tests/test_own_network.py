"""A network of one's own, from outside of the package, through every command."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from own_network import write_module
from small_training import CONFIGS

import facenet_demo
from facenet_demo.predict import Predictor
from facenet_demo.training import train as training

# In one process, which imports torch once: first each command as it is, then told of the module.
AFTERWARDS = """
import sys
from facenet_demo.predict import command, export
from facenet_demo.visualize import command as visualize

run, photos = sys.argv[1:]
told = "--import=mynet"
print([
    command.main([run, photos]), export.main([run]), visualize.main([run]),
    command.main([run, photos, told, "--json=faces.jsonl"]),
    export.main([run, told]),
    visualize.main([run, told, "--num-views=40", "--output=report"]),
])
"""
PLACE = Path(facenet_demo.__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, people_folder: Path) -> Path:
    """Where mynet.py lies, in which a run was trained and every command run."""
    folder = tmp_path_factory.mktemp("own")
    write_module(folder, "mynet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.path", [*sys.path, str(folder)])
        args = [f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people_folder}",
                "--model.network=mynet.Tiny", "--model.network.channels=6",
                "--trainer.max_epochs=2", "--trainer.enable_progress_bar=false"]  # fmt: skip
        assert training.main(args) == 0
    return folder


@pytest.fixture(scope="module")
def afterwards(folder: Path, people_folder: Path) -> subprocess.CompletedProcess:
    (run,) = (folder / "runs").glob("*/")
    return subprocess.run(
        [sys.executable, "-c", AFTERWARDS, str(run), str(people_folder)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(PLACE)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip


def test_every_command_says_what_to_do_or_does_it(
    afterwards: subprocess.CompletedProcess,
) -> None:
    assert afterwards.stdout.splitlines()[-1] == "[2, 2, 2, 0, 0, 0]"
    said = " ".join(afterwards.stderr.split())
    assert said.count("unknown network 'Tiny'; known are FaceCNN, Torchvision. Import the module "
                      "that defines it, mynet, first. On the command line, if you trust it: "
                      "--import mynet") == 3  # fmt: skip


@pytest.mark.usefixtures("afterwards")
def test_from_python_the_imported_module_is_enough(folder: Path, people_folder: Path) -> None:
    """And the commands say the same, of the checkpoint and of the ONNX file."""
    (run,) = (folder / "runs").glob("*/")
    predictor = Predictor(run)
    own = importlib.import_module("mynet")
    assert isinstance(predictor.model.network, own.TinyNetwork)
    assert predictor.model.network.first.weight.shape == (6, 3, 5, 5)
    lines = [json.loads(line) for line in (folder / "faces.jsonl").read_text().splitlines()]
    assert len(lines) == 18
    exported = Predictor(run / "model.onnx")
    for line in lines:
        (ours,), (theirs,) = (each(line["file"]).faces for each in (predictor, exported))
        (told,) = line["faces"]
        assert told["guesses"][0]["name"] == ours.guesses[0].name == theirs.guesses[0].name
        assert told["guesses"][0]["probability"] == pytest.approx(ours.guesses[0].probability, 1e-3)
    windows = torch.rand(2, 3, predictor.model.window, predictor.model.window)
    assert torch.allclose(
        exported.model(windows).logits, predictor.model(windows).logits, atol=1e-4
    )


@pytest.mark.usefixtures("afterwards")
def test_the_report_shows_its_layers(folder: Path) -> None:
    text = (folder / "report/data.js").read_text("utf-8")
    page = json.loads(text.removeprefix("window.REPORT = ").removesuffix(";\n"))
    assert page["finished"]
    for network in page["networks"]:
        found = [(layer["name"], len(layer["units"])) for layer in network["layers"]]
        assert found == [("first", 6), ("second", 6)]


def test_help_shows_it_as_it_shows_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", [*sys.path])
    for flags, shown in (
        (["--help"], "mynet.Tiny"),
        (["--model.network.help", "Tiny"], "--model.network.channels CHANNELS Number of units"),
    ):
        with pytest.raises(SystemExit):
            training.main(["--import", "mynet", *flags])
        assert shown in " ".join(capsys.readouterr().out.split())


def test_one_that_is_not_what_it_says_is_refused_before_the_training(
    tmp_path: Path,
    people_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    write_module(tmp_path, "odd", "Odd")
    (tmp_path / "odd.py").write_text((tmp_path / "odd.py").read_text().replace('"second"', '"2nd"'))
    args = ["--import=odd", "--model.network=Odd", f"--data.source.root={people_folder}"]
    assert training.main([f"--config={CONFIGS / 'folder.yaml'}", *args]) == 2
    assert "OddNetwork.layers has '2nd', no module of it." in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*"))
