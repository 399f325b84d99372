from __future__ import annotations

import gc
import importlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from contributing import write_network

from facenet_demo.networks import FaceCNN, NetworkSettings, Torchvision
from facenet_demo.networks.checkpoints import KEY, describe, load_checkpoint, load_classifier
from facenet_demo.system.errors import UserError
from facenet_demo.system.registry import NotImportedError

PEOPLE = ["Ada", "Grace", "Zoë"]
SETTINGS = FaceCNN(channels=(4, 8), activation="gelu", normalization="group", grid=2)


def content(settings: NetworkSettings = SETTINGS) -> dict:
    torch.manual_seed(0)
    network = settings.build(len(PEOPLE))
    network.set_normalization(torch.tensor([0.2, 0.3, 0.4]), torch.tensor([0.1, 0.2, 0.3]))
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    return {KEY: describe(settings, PEOPLE, 48, 0.75), "state_dict": weights}


@pytest.mark.parametrize("settings", [SETTINGS, Torchvision("resnet18", dropout=0.1)])
def test_the_file_alone_rebuilds_the_network(tmp_path: Path, settings: NetworkSettings) -> None:
    saved = content(settings)
    torch.save(saved, tmp_path / "a.ckpt")
    trained = load_checkpoint(tmp_path / "a.ckpt")
    assert (trained.people, trained.settings) == (PEOPLE, settings)
    assert (trained.window, trained.face_scale) == (48, 0.75)
    assert not trained.network.training
    original = settings.build(3).eval()
    original.load_state_dict({k[len("network.") :]: v for k, v in saved["state_dict"].items()})
    images = torch.rand(2, 3, 48, 48)
    assert torch.equal(trained.network(images), original(images))


class Evil:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.folder),))


def test_a_file_that_would_run_code_is_not_opened(tmp_path: Path) -> None:
    torch.save({**content(), "more": Evil(tmp_path / "pwned")}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="was not opened"):
        load_checkpoint(tmp_path / "a.ckpt")
    assert not (tmp_path / "pwned").exists()


def test_a_missing_file_says_where_checkpoints_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint .*a\.ckpt"):
        load_checkpoint(tmp_path / "a.ckpt")


def saved_bytes() -> bytes:
    buffer = io.BytesIO()
    torch.save(content(), buffer)
    return buffer.getvalue()


def as_zip_of_text() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "damaged",
    [b"", b"not a checkpoint", saved_bytes()[:-2000], saved_bytes()[:100], as_zip_of_text()],
    ids=["empty", "text", "truncated", "head only", "another zip"],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "a.ckpt").write_bytes(damaged)
    with pytest.raises(UserError, match=r"a\.ckpt"):
        load_checkpoint(tmp_path / "a.ckpt")


def test_a_run_folder_means_its_best_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    torch.save(content(), tmp_path / "checkpoints/best.ckpt")
    assert load_checkpoint(tmp_path).people == load_checkpoint(str(tmp_path)).people == PEOPLE


def test_a_folder_that_is_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint .*best\.ckpt"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop(KEY), "not a checkpoint of facenet_demo"),
        (lambda c: c.pop("state_dict"), "not a checkpoint of facenet_demo"),
        (lambda c: c[KEY].update(format=99), "format 99"),
        (lambda c: c[KEY]["network"].update(name="os"), "unknown network 'os'"),
        (lambda c: c[KEY].update(people=["only one"]), "does not fit together"),
        (lambda c: c[KEY].pop("window"), "does not fit together"),
        (lambda c: c[KEY]["network"]["settings"].update(depth=3), "depth"),
        (lambda c: c["state_dict"].popitem(), "does not fit together"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, change: object, says: str) -> None:
    changed = content()
    change(changed)
    torch.save(changed, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=says):
        load_checkpoint(tmp_path / "a.ckpt")


# A network of one's own


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which modules are imported; afterwards their classes are gone."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    _forget("wee", "wee_too")


def _forget(*modules: str) -> None:
    for module in modules:
        sys.modules.pop(module, None)
    gc.collect()


def test_a_network_of_ones_own_is_taken_once_it_is_imported(own: Path) -> None:
    write_network(own, "wee", "Wee")
    wee = importlib.import_module("wee").Wee(channels=5)
    torch.save(content(wee), own / "a.ckpt")
    assert load_checkpoint(own / "a.ckpt").settings == wee
    del wee
    _forget("wee")
    with pytest.raises(NotImportedError, match=rf"{own}/a\.ckpt: unknown network 'Wee'") as caught:
        load_checkpoint(own / "a.ckpt")
    assert caught.value.module == "wee"
    assert "wee" not in sys.modules, "nothing is imported for a file"
    again = importlib.import_module("wee").Wee
    assert load_checkpoint(own / "a.ckpt").settings == again(channels=5)


def test_of_two_of_one_name_the_one_it_was_trained_with_is_taken(own: Path) -> None:
    for module in ("wee", "wee_too"):
        write_network(own, module, "Wee")
        torch.save(content(importlib.import_module(module).Wee()), own / f"{module}.ckpt")
    for module in ("wee", "wee_too"):
        assert type(load_checkpoint(own / f"{module}.ckpt").settings).__module__ == module
    before = torch.load(own / "wee.ckpt", weights_only=True)
    del before[KEY]["network"]["module"]  # as older versions wrote it
    torch.save(before, own / "before.ckpt")
    with pytest.raises(UserError, match=r"several networks are called Wee: wee\.Wee, wee_too"):
        load_checkpoint(own / "before.ckpt")
    _forget("wee_too")
    assert type(load_checkpoint(own / "before.ckpt").settings).__module__ == "wee"


def test_what_its_class_makes_of_foreign_settings_is_a_sentence(own: Path) -> None:
    write_network(own, "wee", "Wee")
    saved = content(importlib.import_module("wee").Wee())
    for settings in ({"channels": 0}, {"channels": -1}, {"channels": "many"}, {"channels": 2**40},
                     {"channels": None}, {"channels": [8]}, {"more": 1}, []):  # fmt: skip
        saved[KEY]["network"]["settings"] = settings
        torch.save(saved, own / "a.ckpt")
        with pytest.raises(UserError, match=r"a\.ckpt does not fit together"):
            load_checkpoint(own / "a.ckpt")


def test_a_checkpoint_of_something_else_is_an_error(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of facenet_demo"):
        load_checkpoint(tmp_path / "a.ckpt")


def test_a_network_that_learned_numbers_names_nobody(tmp_path: Path) -> None:
    settings = FaceCNN(channels=(4, 4))
    network = settings.build(2)
    content = {
        KEY: {
            **describe(settings, ["left eye x", "left eye y"], 32),
            "target_statistics": ([0], [1]),
        },
        "state_dict": {f"network.{name}": value for name, value in network.state_dict().items()},
    }
    torch.save(content, tmp_path / "numbers.ckpt")
    assert load_checkpoint(tmp_path / "numbers.ckpt").target_statistics is not None
    with pytest.raises(UserError, match="trained on numbers"):
        load_classifier(tmp_path / "numbers.ckpt")
