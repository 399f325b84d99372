"""Runs made before the package was moved into rooms still load, predict, resume and report.

What they must answer, `old_run/expected.json`, was said by the code that made them. Not to the bit:
another processor or PyTorch adds in another order.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from drawing import draw_face, draw_people

from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.predict.command import main as predict
from facenet_demo.training.cli import main as train
from facenet_demo.visualize.command import main as visualize

KEPT = Path(__file__).parent / "old_run"
EXPECTED = json.loads((KEPT / "expected.json").read_text("utf-8"))
PEOPLE = {"naming": (3, 6), "places": (6, 3)}  # people, photos of each


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-4, abs=1e-4)


def copied(name: str, folder: Path) -> Path:
    """The run and the photos that it learned from, as its user has them on another disk."""
    draw_people(folder / name, *PEOPLE[name])
    run = shutil.copytree(KEPT / name, folder / "runs" / name)
    for file in ("config.yaml", "splits.json"):
        text = (run / file).read_text("utf-8")
        assert "/tmp/old_run" in text
        (run / file).write_text(text.replace("/tmp/old_run", str(folder)), "utf-8")
    return run


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("file", ["best", "last"])
def test_its_network_answers_as_it_did(name: str, file: str) -> None:
    trained = load_checkpoint(KEPT / name / f"checkpoints/{file}.ckpt")
    window = torch.from_numpy(draw_face(1, 4, 32)).permute(2, 0, 1)[None] / 255  # (1, 3, 32, 32)
    with torch.no_grad():
        outputs = trained.network(window)[0]
    assert outputs.tolist() == near(EXPECTED[name]["outputs"])
    assert (trained.window, trained.face_scale) == (32, 1.0)
    assert (trained.target_statistics is None) == (name == "naming")


def test_it_names_a_photo_as_it_did(tmp_path: Path) -> None:
    run = copied("naming", tmp_path)
    photo, answers = tmp_path / "naming/p1/4.png", tmp_path / "answers.jsonl"
    assert predict([str(run), str(photo), "--json", str(answers)]) == 0
    (face,) = json.loads(answers.read_text("utf-8"))["faces"]
    expected = EXPECTED["naming"]["face"]
    assert face["name"] == expected["name"]
    assert face["probability"] == near(expected["probability"])


@pytest.mark.parametrize("name", PEOPLE)
def test_it_goes_on_to_the_weights_it_would_have_reached(name: str, tmp_path: Path) -> None:
    run = copied(name, tmp_path)
    assert train([f"--resume={run}", "--trainer.max_epochs=3"]) == 0
    weights = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    reached = {
        key: [weights[key].double().sum().item(), weights[key].double().norm().item()]
        for key in EXPECTED[name]["resumed"]
    }
    for key, expected in EXPECTED[name]["resumed"].items():
        assert reached[key] == near(expected), key
    assert json.loads((run / "metrics.json").read_text("utf-8"))["epochs"] == 3


def test_its_report_measures_what_it_did(tmp_path: Path) -> None:
    run = copied("naming", tmp_path)
    assert visualize([str(run), "--num-views", "40"]) == 0
    measured = json.loads((run / "report/progression.json").read_text("utf-8"))
    for measure, layers in EXPECTED["naming"]["progression"].items():
        for layer, interval in layers.items():
            found = measured["networks"]["trained"][measure][layer]
            # Since then a fit ends in a better place, and of the views' cells others are counted.
            since = {"edges": 0.01, "parts": 0.05}.get(measure, 1e-4)
            assert found == pytest.approx(interval, rel=1e-4, abs=since)
