"""What CONTRIBUTING.md shows is done: its files, as they stand there, through every command."""

from __future__ import annotations

import ast
import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from browser import browser, find_browser
from contributing import examples, write_network
from drawing import draw_face
from PIL import Image

import facenet_demo
from facenet_demo.data.datamodule import DataSettings
from facenet_demo.data.facts import Facts
from facenet_demo.data.records import PADDED, STRANGER, Batch, Sample
from facenet_demo.data.splits import SplitSettings
from facenet_demo.features.trace import evaluating
from facenet_demo.predict import Predictor

PACKAGE = Path(facenet_demo.__file__).parent
FILES = {name: text for files in examples().values() for name, text in files.items()}
MODULES = [name.removesuffix(".py") for name in FILES if name.endswith(".py")]
TOLD = [f"--import={module}" for module in MODULES]
# Where one of each kind lies, and the class that it is derived from.
SOCKETS = {
    "data/sources": "FaceSource",
    "features/measures": "Measure",
    "networks": "NetworkSettings",
    "training/objectives": "Objective",
    "visualize/pages": "PageMaker",
}
NUM_PEOPLE, NUM_PHOTOS = 3, 6
# Several commands in one process, which imports torch once.
TRAIN = """
import sys
from contextlib import suppress
from facenet_demo.training.cli import main

for asked in (["--help"], ["--model.network.help", "Tiny"], ["--model.objective.help", "Focal"]):
    with suppress(SystemExit):
        main([*sys.argv[1:], *asked])
settings = [
    "--config=folder", "--trainer.max_epochs=2", "--trainer.enable_progress_bar=false",
    "--data.source", "Yale", "--data.source.root", "yalefaces/", "--data.split.test=2",
    "--model.network", "Tiny", "--model.network.channels=6",
    "--model.objective", "Focal", "--model.objective.gamma", "1",
]
print([main([*sys.argv[1:], *settings]), main(["--import=odd", *settings, "--model.network=Odd"])])
"""
# Each as it is, then told of the modules.
AFTERWARDS = """
import sys
from facenet_demo.predict import command, export_command
from facenet_demo.visualize import command as visualize

run, photos, *told = sys.argv[1:]
print([
    command.main([run, photos]), export_command.main([run]), visualize.main([run]),
    command.main([run, photos, *told, "--json=faces.jsonl"]),
    export_command.main([run, *told]),
    visualize.main([run, *told, "--num-views=40", "--output=report"]),
])
"""


def execute(code: str, folder: Path, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, *args], cwd=folder, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's folder: the files that CONTRIBUTING.md shows, and photos named as Yale's are."""
    folder = tmp_path_factory.mktemp("mine")
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    write_network(folder, "odd", "Odd")
    (folder / "odd.py").write_text((folder / "odd.py").read_text().replace('"second")', '"2nd")'))
    photos = folder / "yalefaces"
    photos.mkdir()
    (photos / "Readme.txt").write_text("15 people")
    for person in range(NUM_PEOPLE):
        for photo in range(NUM_PHOTOS):
            picture = Image.fromarray(draw_face(person, photo))
            picture.save(photos / f"subject0{person}.{photo}", "PNG")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> subprocess.CompletedProcess:
    return execute(TRAIN, folder, *TOLD)


@pytest.fixture(scope="module")
def run(trained: subprocess.CompletedProcess, folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


@pytest.fixture(scope="module")
def afterwards(run: Path, folder: Path) -> subprocess.CompletedProcess:
    return execute(AFTERWARDS, folder, str(run), "yalefaces", *TOLD)


@pytest.fixture
def own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The modules whose classes are found below their kind; afterwards they are gone."""
    monkeypatch.syspath_prepend(folder)
    names = ["yale", "tiny", "focal"]
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)
    gc.collect()


def report(folder: Path) -> dict[str, Any]:
    text = (folder / "report/data.js").read_text("utf-8")
    return json.loads(text.removeprefix("window.REPORT = ").removesuffix(";\n"))


def judging(folder: Path, yale: ModuleType) -> torch.Tensor:
    """The windows of the test photos."""
    data = DataSettings(yale.Yale(folder / "yalefaces"), split=SplitSettings(0.15, 2)).build()
    return data.windows(data.split.rows["test"])


def bases(node: ast.ClassDef) -> set[str]:
    """What a class is derived from, `Measure` for `Measure[PhotoValues]`."""
    return {ast.unparse(base).partition("[")[0] for base in node.bases}


# One file


def test_every_section_shows_whole_files() -> None:
    shown = {noun: [Path(name).suffix for name in files] for noun, files in examples().items()}
    script = {"a page of the report": [".py", ".js"]}
    assert shown == {noun: script.get(noun, [".py"]) for noun in shown}
    assert len(shown) == len(SOCKETS)
    for text in (text for name, text in FILES.items() if name.endswith(".py")):
        assert ast.get_docstring(ast.parse(text))


def test_each_trains_and_help_shows_them(trained: subprocess.CompletedProcess, run: Path) -> None:
    said = " ".join(trained.stdout.split())
    assert trained.stdout.splitlines()[-1] == "[0, 2]"
    for name in ("tiny.Tiny", "yale.Yale", "focal.Focal"):
        assert name in said
    assert "--model.network.channels CHANNELS Number of units in each." in said
    assert "--model.objective.gamma GAMMA How much less; 0 is cross-entropy." in said
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["network"] == {"class_path": "tiny.Tiny", "init_args": {"channels": 6}}
    assert config["model"]["objective"]["init_args"] == {"gamma": 1.0}


def test_one_that_is_not_what_it_says_is_refused_before_the_training(
    trained: subprocess.CompletedProcess, folder: Path
) -> None:
    assert "OddNetwork.layers has '2nd', no module of it." in trained.stderr
    assert len(list((folder / "runs").iterdir())) == 1


def test_every_command_says_what_to_do_or_does_it(afterwards: subprocess.CompletedProcess) -> None:
    assert afterwards.stdout.splitlines()[-1] == "[2, 2, 2, 0, 0, 0]"
    said = " ".join(afterwards.stderr.split())
    assert said.count("unknown network 'Tiny'; known are FaceCNN, Torchvision. Import the module "
                      "that defines it, tiny, first. On the command line, if you trust it: "
                      "--import tiny") == 3  # fmt: skip


def test_the_data_set_names_the_photos_in_its_folder(
    folder: Path, own: dict[str, ModuleType]
) -> None:
    samples = list(own["yale"].Yale(folder / "yalefaces").samples())
    assert samples[0] == Sample(folder / "yalefaces/subject00.0", "subject00")
    assert [sample.person for sample in samples] == [
        f"subject0{person}" for person in range(NUM_PEOPLE) for _ in range(NUM_PHOTOS)
    ]


def test_the_objective_is_cross_entropy_where_gamma_is_0(own: dict[str, ModuleType]) -> None:
    facts = Facts(["a", "b", "c"], 16, 1.0, ([0.5] * 3, [0.25] * 3))
    chances = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.6, 0.3, 0.1]])
    labels = torch.tensor([0, 2, STRANGER, PADDED])
    batch = Batch(torch.empty(4, 3, 16, 16), labels, torch.arange(4))
    wanted = {0: [0.5**0, 0.9**0], 1: [0.5, 0.9], 2: [0.25, 0.81]}
    for gamma, less in wanted.items():
        goal = own["focal"].Focal(gamma).build(facts)
        losses = goal.losses(chances.log(), batch)
        of_entropy = [less[0] * np.log(2), less[1] * np.log(10), 0, 0]
        torch.testing.assert_close(losses, torch.tensor(of_entropy).float(), rtol=0, atol=1e-6)
        metrics = goal.new_metrics("test")
        goal.update(metrics, chances.log(), losses, batch)
        assert float(metrics["accuracy"].compute()) == 0.5
        assert float(metrics["loss"].compute()) == pytest.approx(sum(of_entropy) / 2)


def test_what_was_trained_is_judged_by_its_own_loss(
    run: Path, folder: Path, own: dict[str, ModuleType]
) -> None:
    """The checkpoint alone, on the test photos, has the loss that the training wrote down."""
    network = facenet_demo.load(run).network
    assert isinstance(network, own["tiny"].TinyNetwork)
    assert network.first.weight.shape == (6, 3, 5, 5)
    source = own["yale"].Yale(folder / "yalefaces")
    data = DataSettings(source, split=SplitSettings(val=0.15, test=2)).build()
    rows = data.split.rows["test"]
    assert len(rows) == 2 * NUM_PEOPLE
    with torch.no_grad():
        outputs = network.recognize(data.windows(rows))[1]
    right = outputs.softmax(1)[np.arange(len(rows)), data.split.labels[rows]]
    by_hand = float(-((1 - right) * right.log()).mean())  # gamma is 1
    assert json.loads((run / "metrics.json").read_text())["test/loss"] == pytest.approx(by_hand)


@pytest.mark.usefixtures("afterwards", "own")
def test_python_commands_and_onnx_answer_alike(run: Path, folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "faces.jsonl").read_text().splitlines()]
    lines = [line for line in lines if not line["file"].endswith("Readme.txt")]
    assert len(lines) == NUM_PEOPLE * NUM_PHOTOS
    from_checkpoint, exported = Predictor(run), Predictor(run / "model.onnx")
    for line in lines:
        file = folder / line["file"]
        (ours,), (theirs,) = (each(file).faces for each in (from_checkpoint, exported))
        (told,) = line["faces"]
        assert told["guesses"][0]["name"] == ours.guesses[0].name == theirs.guesses[0].name
        assert told["guesses"][0]["probability"] == pytest.approx(ours.guesses[0].probability, 1e-3)
    windows = torch.rand(2, 3, from_checkpoint.model.window, from_checkpoint.model.window)
    assert torch.allclose(
        exported.model(windows).logits, from_checkpoint.model(windows).logits, atol=1e-4
    )


@pytest.mark.usefixtures("afterwards")
def test_the_report_shows_the_layers_and_the_page(folder: Path, own: dict[str, ModuleType]) -> None:
    shown = report(folder)
    assert shown["finished"]
    assert shown["data"]["title"] == own["yale"].Yale.title
    values = {page["name"]: page["values"] for page in shown["pages"]}
    for network in values["layers"]["networks"]:
        found = [(layer["name"], len(layer["units"])) for layer in network["layers"]]
        assert found == [("first", 6), ("second", 6)]
    means = judging(folder, own["yale"]).mean((1, 2, 3)).tolist()
    assert values["brightness"]["means"] == pytest.approx(means, rel=1e-4)


@pytest.mark.usefixtures("afterwards")
def test_the_measure_is_a_curve_beside_the_others(
    run: Path, folder: Path, own: dict[str, ModuleType]
) -> None:
    network, layers = facenet_demo.load(run).network, ["first", "second"]
    with evaluating(network), facenet_demo.Trace(network, layers) as trace:
        network(judging(folder, own["yale"]))
    shown = report(folder)
    numbers = json.loads((folder / "report/progression.json").read_text())["networks"]["trained"]
    assert list(numbers) == list(shown["measures"]) == [
        "edges", "parts", "people", "probe", "sparsity",
    ]  # fmt: skip
    assert shown["measures"]["sparsity"]["label"] == "Sparsity"
    rows = shown["pages"][0]["values"]["progression"]["rows"]
    for layer, row in zip(layers, rows, strict=True):
        silent = float((trace[layer] <= 0).float().mean())
        assert numbers["sparsity"][layer]["value"] == pytest.approx(silent)
        assert row["scores"]["sparsity"]["trained"][0] == pytest.approx(silent, abs=1e-4)


@pytest.mark.usefixtures("afterwards")
def test_the_page_is_drawn(folder: Path) -> None:
    program = find_browser()
    if program is None:
        pytest.skip("needs Chromium: on Debian, apt-get install chromium")
    (own,) = (page for page in report(folder)["pages"] if page["name"] == "brightness")
    means = own["values"]["means"]
    with browser(program) as page:
        page.open((folder / "report/index.html").as_uri())
        page.click("nav#nav a:nth-child(5)")
        assert page.run("location.hash") == "#/brightness"
        assert page.run("document.querySelector('h1').textContent") == "Brightness"
        assert f"{len(means)} test photos" in page.run(
            "document.querySelector('.lead').textContent"
        )
        rows = page.run("[...document.querySelectorAll('tr')].map((row) => row.textContent)")
        percents = [f"{100 * mean:.1f}\u00a0%" for mean in means]
        assert rows == [f"photo {i}{percent}" for i, percent in enumerate(percents, 1)]
        assert page.problems == []


# And one line


@pytest.mark.parametrize(("place", "kind"), SOCKETS.items())
def test_each_of_ours_is_one_file_and_one_line(place: str, kind: str) -> None:
    package = f"facenet_demo.{place.replace('/', '.')}"
    init = ast.parse((PACKAGE / place / "__init__.py").read_text("utf-8"))
    lines = [(node.module, [alias.name for alias in node.names])
             for node in init.body if isinstance(node, ast.ImportFrom)]  # fmt: skip
    found = 0
    for path in (PACKAGE / place).glob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and kind in bases(node):
                found += 1
                (names,) = (names for module, names in lines if module == f"{package}.{path.stem}")
                assert node.name in names
    assert found >= 2
