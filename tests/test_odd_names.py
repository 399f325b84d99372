"""Names of people, photos and folders can hold anything: whole commands on them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from drawing import draw_people
from small_search import small

from facenet_demo.search.command import main as tune
from facenet_demo.training.cli import CONFIGS
from facenet_demo.training.cli import main as train
from facenet_demo.visualize.command import main as visualize

HOSTILE = "\x1b[2J\x1b]0;owned\x07[red]x[link=y]\n\x9b1m"
PEOPLE = (r"$\frac{$", "Joey Bada$$", f"李明{HOSTILE}")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drawn people with odd names, and a photo that is none."""
    folder = draw_people(tmp_path_factory.mktemp("people"), num_people=3, num_photos=6)
    for number, name in enumerate(PEOPLE):
        (folder / f"p{number}").rename(folder / name)
        (folder / name / f"broken {HOSTILE}.jpg").write_text("no photo")
    return folder


def is_plain(said: str) -> bool:
    """Whether nothing in it moves a cursor; colours are rich's own."""
    return not set(re.sub(r"\x1b\[[\d;]*m", "", said)) & set("\x1b\x07\x9b\r")


def test_a_run_with_odd_names_trains_and_is_looked_into(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        f"--run.folder={tmp_path}", "--run.name=[b]t", "--trainer.max_epochs=2",
        "--model.network.channels=[2,3]", "--model.network.convolutions=1", "--data.window=32",
        "--trainer.enable_progress_bar=false",
    ]  # fmt: skip
    assert train(args) == 0
    said = capsys.readouterr()
    assert is_plain(said.out + said.err)
    assert "Left out" in said.err
    assert "broken \\x1b[2J" in said.err
    (run,) = tmp_path.iterdir()
    assert "[b]t-" in said.err
    assert "test/accuracy" in json.loads((run / "metrics.json").read_text("utf-8"))
    (labels,) = run.rglob("metadata.tsv")
    (points,) = run.rglob("tensors.tsv")
    assert len(labels.read_text("utf-8").splitlines()) == len(points.read_text().splitlines())

    photos = tmp_path / f"photos {HOSTILE}"
    photos.mkdir()
    (photos / f"broken {HOSTILE}.jpg").write_text("no photo")
    args = [str(run), "--output", str(tmp_path / f"report{HOSTILE}"), "--images", str(photos),
            "--num-views", "40"]  # fmt: skip
    assert visualize(args) == 0
    said = capsys.readouterr()
    assert is_plain(said.out + said.err)
    assert "could not be read" in said.err


def test_a_search_in_a_folder_named_like_markup_comes_to_its_end(
    people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("model.network.dropout: {choice: [0, 0.2]}")
    folder = tmp_path / "t[/b]"  # two folders, of which each alone is no markup
    args = [*small(people_folder, 1), f"--space={space}", "--sampler=grid", "--trials=2",
            f"--folder={folder}"]  # fmt: skip
    assert tune(args) == 0
    assert (folder / "index.html").is_file()
    assert f"{folder}/index.html" in capsys.readouterr().err.replace("\n", "")
