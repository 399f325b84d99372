"""Files of a run, a search or a report that hold something else: a sentence that names them."""

from __future__ import annotations

import errno
import json
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawing import draw_people
from small_search import make, small

from facenet_demo.data.crops import prepare_crops
from facenet_demo.data.sources import Folder
from facenet_demo.data.splits import SplitSettings, make_split
from facenet_demo.data.stored import Crops, CropSettings
from facenet_demo.faces.align import crop_size
from facenet_demo.networks.calibration import Calibration
from facenet_demo.networks.checkpoints import add_calibration
from facenet_demo.pictures import figures
from facenet_demo.predict.gallery import Gallery, of_model
from facenet_demo.predict.models import Model, Scores
from facenet_demo.report import start_report
from facenet_demo.search.command import _finish
from facenet_demo.search.space import read_space
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import new_file
from facenet_demo.training.cli import CONFIGS, configured_data
from facenet_demo.training.cli import main as train
from facenet_demo.training.history import History

YAML = {
    "latin": 'run: {name: "José"}'.encode("latin-1"),
    "utf-16": 'run: {name: "José"}'.encode("utf-16"),
    "bytes": bytes(range(256)),
    "nested": b"run: " + b"[" * 3000 + b"]" * 3000,
    "control": b"run: \x07",
    "list": b"- a",
}


@pytest.mark.parametrize("name", YAML)
def test_a_config_that_is_none(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_bytes(YAML[name])
    for args in ([f"--config={config}"], ["--resume", str(tmp_path)]):
        assert train(args) == 2
        said = capsys.readouterr().err
        assert said.startswith("Error:")
        assert "config" in said
    with pytest.raises(UserError, match=r"config\.yaml is (no|nested|not UTF-8)"):
        configured_data(config)
    with pytest.raises(UserError, match=r"config\.yaml"):
        read_space(config)


def test_what_a_config_says_moves_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text('run: {patience: "\\e[2Jmany"}')
    assert train([f"--config={tmp_path / 'a.yaml'}"]) == 2
    assert "\\x1b[2Jmany" in capsys.readouterr().err


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Crops:
    people = draw_people(tmp_path_factory.mktemp("people"), num_people=2, num_photos=4)
    return prepare_crops(list(Folder(people).samples()), CropSettings(crop_size(32), 32), cache)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"train": 1, "val": [], "test": []}', b"null", b"\xff\xfe",
     b'{"train": [[1]], "val": [], "test": []}', b"[" * 5000],
)  # fmt: skip
def test_a_record_of_photos_that_is_none(content: bytes, crops: Crops, tmp_path: Path) -> None:
    split = make_split(crops, SplitSettings())
    (tmp_path / "splits.json").write_bytes(content)
    for check in (split.check, split.check_unseen):
        with pytest.raises(UserError, match=r"splits\.json does not say which photos taught"):
            check(tmp_path, crops)
    (tmp_path / "splits.json").unlink()
    (tmp_path / "splits.json").mkdir()
    with pytest.raises(UserError, match=r"splits\.json cannot be read: Is a directory"):
        split.check(tmp_path, crops)


@pytest.mark.parametrize(
    "manifest", [json.dumps({"files": [{"file": "a\0b"}]}), "[" * 5000, "[]", '{"files": [{}]}']
)
def test_a_manifest_that_is_none(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    (tmp_path / "mine").touch()
    with pytest.raises(UserError, match=r"manifest\.json is not a report's manifest"):
        start_report(tmp_path, "title", overwrite=True)
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 5000])
def test_a_result_of_a_search_that_is_none(
    content: str, people_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "space.yaml").write_text("data.batch_size: {choice: [4, 8]}")
    search = make(people_folder, tmp_path / "space.yaml", tmp_path / "search", num_trials=1)
    study = search.open()
    trial = study.ask()
    trial.suggest_categorical("data.batch_size", [4, 8])
    study.tell(trial, 1.0)
    (search.folder / "result.json").write_text(content)
    with pytest.raises(UserError, match=r"result\.json is not the result of a search"):
        _finish(search, study)


class _Wide(Model):
    people, window, face_scale, calibration, digest = ["Ada"], 8, 1.0, Calibration(), "same"

    def __call__(self, windows: torch.Tensor) -> Scores:
        return Scores(torch.zeros(len(windows), 1), torch.zeros(len(windows), 7))


def test_a_gallery_of_another_width() -> None:
    rows = torch.eye(3)
    gallery = Gallery(("a", "b", "c"), rows, torch.arange(3), torch.zeros(0), "same")
    with pytest.raises(UserError, match="have 3 numbers, those of this network 7"):
        of_model(gallery, _Wide())
    wide = replace(gallery, embeddings=torch.eye(7)[:3])
    assert of_model(wide, _Wide()) is wide


# No room


@pytest.fixture
def no_large_files() -> Iterator[None]:
    """The system writes no file beyond 1,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("no_large_files")
def test_a_figure_without_room_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too large") as caught, new_file(tmp_path / "a.png") as file:
        figures.confusion_matrix(np.eye(9, dtype=int), list("abcdefghi")).savefig(file)
    assert caught.value.filename == str(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_without_room_names_its_file_and_stays(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "best.ckpt"
    torch.save({"facenet_demo": {}, "weights": torch.zeros(1000)}, path)
    before = path.read_bytes()
    request.getfixturevalue("no_large_files")
    with pytest.raises(UserError, match=r"best\.ckpt could not be written: .*The one before it is"):
        add_calibration(path, Calibration())
    assert path.read_bytes() == before


def test_a_full_disk_in_training_names_the_run(
    people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What writes for TensorBoard says nothing of its file."""

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(History, "on_train_epoch_end", full)
    config = CONFIGS / "folder.yaml"
    args = [arg for arg in small(people_folder) if not arg.startswith("--config")]
    assert train([f"--config={config}", *args, f"--run.folder={tmp_path}",
                  "--trainer.enable_progress_bar=false"]) == 2  # fmt: skip
    said = capsys.readouterr().err.replace("\n", "")
    (run,) = tmp_path.iterdir()
    assert f"Error: {run}: No space left on device" in said
