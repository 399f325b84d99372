"""What flags and files together come to, and whether a file says the same when it is read again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_training import config_of

from facenet_demo.networks import FaceCNN, FaceNetwork, NetworkSettings, Torchvision
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, configured_data, parse
from facenet_demo.training.optimization import SGD, AdamW
from facenet_demo.training.parser import as_yaml
from facenet_demo.training.settings import flat


@dataclass(frozen=True)
class Deep(NetworkSettings):
    """A network of somebody else's.

    Args:
        depth: Must be given.
        dropout: As FaceCNN has one.
    """

    depth: int
    dropout: float = 0.75

    def build(self, num_classes: int) -> FaceNetwork:
        raise NotImplementedError


BASE = {
    "model": {
        "network": {"class_path": "FaceCNN", "init_args": {"channels": [4, 8], "dropout": 0.1}},
        "optimizer": {"class_path": "SGD", "init_args": {"lr": 0.02, "momentum": 0.5}},
    },
    "data": {"source": {"class_path": "LFW", "init_args": {"root": "/lfw"}}},
}  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> str:
    return config(tmp_path / "base.yaml", BASE)


def config(path: Path, content: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(content))
    return f"--config={path}"


def settings(*args: str, of: str) -> tuple[str, dict[str, Any]]:
    """The class that a setting comes to, and what it is set to."""
    first, second = of.split(".")
    found = config_of(args)[first][second].as_dict()
    return found["class_path"].rpartition(".")[2], found["init_args"]


# Classes


@pytest.mark.parametrize(
    "flags",
    [["--model.optimizer=AdamW"], ["--model.optimizer", "AdamW"],
     ["--model.optimizer.class_path=AdamW"],
     ["--model.optimizer=facenet_demo.training.optimization.AdamW"],
     ['--model.optimizer={"class_path": "AdamW"}'],
     ["--model.optimizer=SGD", "--model.optimizer=AdamW"]],
    ids=lambda flags: " ".join(flags),
)  # fmt: skip
def test_a_class_that_is_named_anew_takes_its_own_defaults(flags: list[str], base: str) -> None:
    assert settings(base, *flags, of="model.optimizer") == ("AdamW", vars(AdamW()))
    assert settings(*flags, of="model.optimizer") == ("AdamW", vars(AdamW())), "orl.yaml has none"
    name, rest = settings(base, *flags, of="model.network")
    assert (name, rest["channels"], rest["dropout"]) == ("FaceCNN", (4, 8), 0.1), "left alone"


def test_networks_and_data_sets_take_their_own_defaults(base: str) -> None:
    found = settings(base, "--model.network=Torchvision", of="model.network")
    assert found == ("Torchvision", vars(Torchvision()))
    assert settings(base, "--data.source=Folder", of="data.source") == (
        "Folder", {"root": None, "split_folders": None}
    )  # fmt: skip
    back = ["--model.network=Torchvision", "--model.network=FaceCNN"]
    assert settings(base, *back, of="model.network") == ("FaceCNN", vars(FaceCNN()))


@pytest.mark.parametrize("written", ["nested", "dotted"])
def test_a_later_config_with_another_class_takes_its_defaults(
    written: str, base: str, tmp_path: Path
) -> None:
    adam = {"class_path": "AdamW", "init_args": {"weight_decay": 0.25}}
    content = {"model": {"optimizer": adam}} if written == "nested" else {"model.optimizer": adam}
    second = config(tmp_path / "second.yaml", content)
    expected = {**vars(AdamW()), "weight_decay": 0.25}
    assert settings(base, second, of="model.optimizer") == ("AdamW", expected)
    expected = {**vars(SGD()), "lr": 0.02, "momentum": 0.5}
    assert settings(second, base, of="model.optimizer") == ("SGD", expected)


@pytest.mark.parametrize("name", ["SGD", "facenet_demo.training.optimization.SGD"])
def test_the_same_class_named_again_keeps_what_the_config_says(name: str, base: str) -> None:
    expected = {**vars(SGD()), "lr": 0.02, "momentum": 0.5}
    for flag in (f"--model.optimizer={name}", f"--model.optimizer.class_path={name}"):
        assert settings(base, flag, of="model.optimizer") == ("SGD", expected)


@pytest.mark.parametrize("lr", ["--model.optimizer.lr=0.5", "--model.optimizer.init_args.lr=0.5"])
def test_what_flags_say_of_a_class_counts_before_and_after_its_name(lr: str, base: str) -> None:
    name = "--model.optimizer=AdamW"
    expected = "AdamW", {**vars(AdamW()), "lr": 0.5}
    assert settings(base, name, lr, of="model.optimizer") == expected
    assert settings(base, lr, name, of="model.optimizer") == expected
    whole = '--model.optimizer={"class_path": "AdamW", "init_args": {"lr": 0.5}}'
    assert settings(base, whole, of="model.optimizer") == expected


def test_what_no_setting_of_the_class_is_is_an_error(base: str) -> None:
    for flags in (["--model.network.channels=[4]", "--model.network=Torchvision"],
                  ["--model.network=Torchvision", "--model.network.channels=[4]"]):  # fmt: skip
        with pytest.raises(UserError, match="channels"):
            parse([base, *flags])
    with pytest.raises(UserError, match="Adamm"):
        parse([base, "--model.optimizer=Adamm"])


def test_a_class_from_elsewhere_with_settings_that_must_be_given(base: str) -> None:
    flags = ["--model.network=test_settings.Deep", "--model.network.depth=3"]
    assert settings(base, *flags, of="model.network") == ("Deep", {"depth": 3, "dropout": 0.75})
    with pytest.raises(UserError, match="depth"):
        parse([base, flags[0]])


# Files


@pytest.mark.parametrize(
    "name", ["1e5", "1E-3", "1.5e5", "12", "1_0", "-.5", ".e", "true", "~", "on", "2026-01-31"]
)
def test_a_name_is_read_back_as_it_was(name: str, tmp_path: Path) -> None:
    saved = tmp_path / "saved.yaml"
    saved.write_text(as_yaml(config_of([f"--run.name={name}"])))
    assert config_of([f"--config={saved}"])["run"]["name"] == name


def test_a_small_rate_is_read_back_as_a_number(tmp_path: Path) -> None:
    saved = tmp_path / "saved.yaml"
    saved.write_text(as_yaml(config_of(["--model.optimizer.lr=1e-5"])))
    assert settings(f"--config={saved}", of="model.optimizer")[1]["lr"] == 1e-5


def test_places_hold_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    monkeypatch.chdir(here)
    callbacks = [
        {"class_path": "ModelCheckpoint", "init_args": {"dirpath": "mine", "filename": "a"}}
    ]
    mine = config(here / "mine.yaml", {"trainer": {"callbacks": callbacks}})
    args = [f"--config={CONFIGS / 'folder.yaml'}", mine, "--data.source.root=people"]
    (here / "saved.yaml").write_text(as_yaml(config_of(args)))
    monkeypatch.chdir(elsewhere)
    saved = here / "saved.yaml"
    found = flat(yaml.safe_load(saved.read_text()))
    assert found["data.source.root"] == str(here / "people")
    (callback,) = found["trainer.callbacks"]
    assert callback["init_args"]["dirpath"] == str(here / "mine")
    assert callback["init_args"]["filename"] == "a"
    assert found["run.folder"] == "runs", "new runs go where one works"
    assert configured_data(saved).source.root == here / "people"
    monkeypatch.chdir(tmp_path)  # a file may write only below the folder one works in
    assert config_of([f"--config={saved}"])["data"]["source"]["init_args"]["root"] == (
        here / "people"
    )


def test_a_tilde_in_a_config_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    source = {"class_path": "Folder", "init_args": {"root": "~/people"}}
    own = config(tmp_path / "own.yaml", {"data": {"source": source}})
    found = config_of([own, "--run.folder=~/my runs"])
    assert found["data"]["source"]["init_args"]["root"] == tmp_path / "people"
    assert found["run"]["folder"] == tmp_path / "my runs"
    assert configured_data(tmp_path / "own.yaml").source.root == tmp_path / "people"
