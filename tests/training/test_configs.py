"""Configs by name, from a folder that has none of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from facenet_demo.data.sources import LFW, ORL
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import configured_data, parse
from facenet_demo.training.configs import CONFIGS, SPACES, find_config


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that one is in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["lfw", "lfw.yaml", "configs/lfw", "configs/lfw.yaml"])
def test_a_config_is_found_by_name(name: str, folder: Path) -> None:
    assert find_config(name) == find_config(Path(name)) == CONFIGS / "lfw.yaml"
    (folder / "lfw").mkdir()  # where somebody keeps the photos
    assert find_config(name) == CONFIGS / "lfw.yaml"


@pytest.mark.parametrize("name", ["orl", "orl.yaml", "search/orl", "configs/search/orl.yaml"])
def test_a_space_is_found_by_name(name: str) -> None:
    assert find_config(name, SPACES) == CONFIGS / "search/orl.yaml"


@pytest.mark.parametrize("name", ["lfw", "lfw.yaml", "configs/lfw.yaml"])
def test_a_file_that_is_there_comes_first(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("")
    assert find_config(name) == Path(name)
    assert find_config(folder / name) == folder / name


@pytest.mark.parametrize(
    "name", ["nowhere", "", ".", "..", "*", "data/lfw.yaml", "/nowhere/lfw.yaml", "search/orl"]
)
def test_what_is_not_there_is_told_with_what_is(name: str) -> None:
    with pytest.raises(UserError) as error:
        find_config(name)
    assert str(error.value) == (
        f"There is no file {name}, and none of that name comes with the program, which has: "
        "folder, lfw, lfw7, lfw_gpu, orl, orl_landmarks, utkface."
    )


def test_a_training_takes_configs_by_name() -> None:
    data = parse(["--config=lfw", "--config", "orl_landmarks.yaml"]).recipe.data
    assert data.target == "landmarks"
    assert data.split.background == 400, "of the first"
    assert isinstance(configured_data("orl").source, ORL)
    assert isinstance(configured_data(Path("configs/lfw.yaml")).source, LFW)


def test_a_file_of_a_shipped_name_is_trusted_no_more_than_others(folder: Path) -> None:
    (folder / "orl").write_text("data: {source: {class_path: subprocess.Popen}}")
    with pytest.raises(UserError, match=r"A file names subprocess\.Popen"):
        parse(["--config=orl"])
