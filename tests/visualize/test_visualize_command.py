from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from facenet_demo.training.cli import configured_data, follow
from facenet_demo.training.train import TrainedRun
from facenet_demo.visualize.command import main
from facenet_demo.visualize.making import visualize
from facenet_demo.visualize.pages import Photos


@pytest.fixture(scope="module")
def run(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A small network trained briefly on drawn people."""
    return follow(
        [
            "--config=configs/folder.yaml",
            f"--data.source.root={people_folder}",
            f"--run.folder={tmp_path_factory.mktemp('runs')}",
            "--run.draw_every=0",
            "--trainer.max_epochs=10",
            "--trainer.enable_progress_bar=false",
            "--model.network.channels=[4,5,6]",
            "--model.network.convolutions=1",
        ]
    )


@pytest.fixture(scope="module")
def report(run: TrainedRun, people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "report"
    photos = tmp_path_factory.mktemp("photos")
    (photos / "broken.jpg").write_text("no photo")
    Image.fromarray(np.full((80, 80, 3), 90, np.uint8)).save(photos / "nobody.png")
    visualize(run.folder, folder, [photos, people_folder / "p1" / "0.png"], num_views=40,
              units=["stages.1.0:4", "stages.1.0:0"])  # fmt: skip
    return folder


def read(folder: Path) -> dict:
    """What the page finds: facts of the report, and the values of its pages by their names."""
    text = (folder / "data.js").read_text("utf-8")
    shown = json.loads(text.removeprefix("window.REPORT = ").removesuffix(";\n"))
    for page in shown.pop("pages"):
        shown |= page["values"]
    return shown


def test_every_unit_of_both_networks_has_a_page(run: TrainedRun, report: Path) -> None:
    page = read(report)
    assert page["finished"]
    assert [network["name"] for network in page["networks"]] == ["trained", "untrained"]
    for network in page["networks"]:
        assert [layer["name"] for layer in network["layers"]] == list(run.task.network.blocks)
        assert [len(layer["units"]) for layer in network["layers"]] == [4, 5, 6]
    trained = page["networks"][0]["layers"][1]["units"][2]
    assert [picture["kind"] for picture in trained["pictures"]] == [
        "patches", "parts", "synthesis",
    ]  # fmt: skip
    assert trained["scores"]["ablation"] is not None
    assert [verdict["claim"] for verdict in page["progression"]["verdicts"]] == [
        "edges first", "parts in the middle", "people last", "parts matter",
    ]  # fmt: skip


def test_photos_are_explained_and_what_is_none_is_said(report: Path) -> None:
    page = read(report)
    assert [photo["title"] for photo in page["photos"]] == ["0.png"]
    assert page["photos"][0]["answers"][0][0] in ("p0", "p1", "p2")
    maps = [p["caption"] for p in page["photos"][0]["pictures"] if p["kind"] == "maps"]
    assert maps[1] == "stages.1.0: the units that were asked for, from the upper left: 4, 0."
    assert maps[0].startswith("stages.0: the units that respond most")
    notes = " ".join(page["notes"])
    assert "broken.jpg could not be read: not an image." in notes
    assert "nobody.png: no face was found." in notes


def test_the_manifest_lists_what_is_there(report: Path) -> None:
    listed = {
        entry["file"] for entry in json.loads((report / "manifest.json").read_text())["files"]
    }
    there = {str(p.relative_to(report)) for p in report.rglob("*") if p.is_file()}
    assert listed == there
    figures = json.loads((report / "progression.json").read_text())
    assert set(figures["verdicts"]) == {
        "edges first", "parts in the middle", "people last", "parts matter",
    }  # fmt: skip


def test_the_same_checkpoint_and_seed_give_the_same_numbers(
    run: TrainedRun, report: Path, tmp_path: Path
) -> None:
    visualize(run.folder / "checkpoints/best.ckpt", tmp_path / "again", num_views=40)
    first, second = (
        json.loads((folder / "progression.json").read_text())
        for folder in (report, tmp_path / "again")
    )
    assert first == second


def test_an_untrained_network_is_supported_in_nothing(run: TrainedRun, tmp_path: Path) -> None:
    folder = tmp_path / "untrained"
    visualize(run.folder, folder, untrained=True, num_views=40)
    page = read(folder)
    assert [v["supported"] for v in page["progression"]["verdicts"]] == [False] * 4
    names = ["untrained", "another untrained"]
    assert [network["name"] for network in page["networks"]] == names
    progression = page["progression"]
    assert list(progression["rows"][0]["scores"]["edges"]) == names
    assert "untrained (red), another untrained (grey)" in progression["figure"]["caption"]
    assert list(json.loads((folder / "progression.json").read_text())["networks"]) == names


def test_other_photos_leave_parts_of_it_unmeasured(
    run: TrainedRun, tmp_path: Path, people_folder: Path
) -> None:
    others = tmp_path / "others"
    others.mkdir()
    for person in ("p0", "p1"):
        (others / f"other_{person}").symlink_to(people_folder / person)
    config = tmp_path / "others.yaml"
    config.write_text(
        f"data: {{source: {{class_path: Folder, init_args: {{root: {others}}}}}, "
        "split: {val: 0, test: 0.5}}"
    )
    visualize(run.folder, tmp_path / "report", config=config, num_views=40)
    page = read(tmp_path / "report")
    assert page["progression"]["verdicts"][3]["supported"] is None
    assert page["networks"][0]["layers"][0]["units"][0]["scores"]["ablation"] is None
    assert "not trained to name" in page["notes"][0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "no checkpoint nowhere"),
        (["{run}", "--layers", "stages.9", "stages.0"], "Did you mean: stages."),
        (["{run}", "--layers", "stages.0"], "two layers"),
        (["{run}", "--config", "nowhere.yaml"], "There is no file nowhere.yaml"),
        (["{run}", "--config", "pyproject.toml"], "pyproject.toml is no YAML"),
        (["{run}", "--units", "stages.1.0"], "no LAYER:UNIT"),
        (["{run}", "--units", "stages.1.0:5"], "units are 0 to 4"),
        (["{run}", "--num-views", "3"], "--num-views is 3"),
        (["{run}", "--num-units", "-1"], "--num-units must be 0 or more"),
        (["{run}", "--seed", "-1"], "--seed must be 0 or more"),
        (["{run}", "--images", "nowhere.jpg"], "there is no nowhere.jpg"),
        (["{run}", "--output", "{report}"], "--overwrite"),
        (["{broken}"], "not a checkpoint"),
    ],
)
def test_wrong_input_is_told_in_a_sentence(
    run: TrainedRun,
    report: Path,
    tmp_path: Path,
    args: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = tmp_path / "broken.ckpt"
    broken.write_text("no checkpoint")
    filled = [
        arg.replace("{run}", str(run.folder)).replace("{report}", str(report))
        .replace("{broken}", str(broken)) for arg in args
    ]  # fmt: skip
    assert main(filled) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_what_taught_the_network_does_not_judge_it(
    run: TrainedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    file = tmp_path / "run" / "splits.json"
    split = json.loads(file.read_text())
    split["train"][0], split["test"][0] = split["test"][0], split["train"][0]
    file.write_text(json.dumps(split))
    assert main([str(tmp_path / "run"), "--num-views", "40"]) == 2
    assert "The photos have changed since this run began" in capsys.readouterr().err
    assert not (tmp_path / "run" / "report").exists()


def test_photos_that_taught_do_not_judge_under_another_config_either(
    run: TrainedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "other.yaml"
    settings = yaml.safe_load((run.folder / "config.yaml").read_text())
    settings["data"]["split"]["seed"] = 7
    config.write_text(yaml.safe_dump(settings))
    seen = {
        file for stage in ("train", "val") for file in run.data.split.record(run.data.crops)[stage]
    }
    data = configured_data(config)
    tested = [data.crops.files[row] for row in data.split.rows["test"]]
    again = sum(file in seen for file in tested)
    assert again > 0
    assert main([str(run.folder), "--config", str(config), "--output", str(tmp_path / "r")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{again} of the {len(tested)} test photos taught this network" in said
    assert not (tmp_path / "r").exists()


def test_layers_come_from_the_first_to_the_last(run: TrainedRun, tmp_path: Path) -> None:
    layers = ["stages.2.0", "stages.0", "stages.2.0"]
    visualize(run.folder, tmp_path / "report", layers=layers, num_views=40)
    page = read(tmp_path / "report")
    assert [layer["name"] for layer in page["networks"][0]["layers"]] == ["stages.0", "stages.2.0"]


def test_interrupted_it_says_that_it_is_unfinished(
    run: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Photos, "make", interrupt)
    folder = tmp_path / "report"
    made = [str(run.folder), "--output", str(folder), "--num-views", "40"]
    assert main(made) == 130
    assert list(folder.rglob("*stages.2*"))
    page = read(folder)
    assert not page["finished"]
    assert len(page["networks"]) == 2, "what was made by then can be read"
    assert main([*made, "--overwrite", "--layers", "stages.0", "stages.1.0"]) == 130
    assert not list(folder.rglob("*stages.2*")), "the other layers of the first are gone"
