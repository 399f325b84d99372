from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.tensorboard import SummaryWriter

import facenet_demo
from facenet_demo.system.errors import UserError
from facenet_demo.training import run_folder
from facenet_demo.training.run_folder import environment, new_run_folder, outlive_events


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: new_run_folder(tmp_path, "a"), range(8)))
    assert len(folders) == 8
    assert all(folder.is_dir() and folder.name.startswith("a-2") for folder in folders)


def test_only_the_first_process_of_several_makes_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert new_run_folder(tmp_path, "a").parent == tmp_path
    assert not list(tmp_path.iterdir())


def test_a_process_of_a_run_on_another_machine_is_not_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_RANK", "1")
    new_run_folder(tmp_path, "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("later", [0, 1, 3 * 24 * 3600])
def test_new_event_files_come_after_those_of_a_clock_that_was_ahead(
    later: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000
    monkeypatch.setattr(time, "time", lambda: float(now))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waits"))
    stamps = [now - 50, now - 1, now - 1, now + later, now + later, now + later]
    events = [f"events.out.tfevents.{s:010d}.host.{i}.0" for i, s in enumerate(stamps)]
    for folder in (tmp_path, tmp_path / "train"):
        folder.mkdir(exist_ok=True)
        for number, name in enumerate(events):
            (folder / name).write_text(str(number))
    (tmp_path / "events.out.tfevents.not-of-tensorboard").touch()
    for _ in range(2):
        outlive_events(tmp_path)
        for folder in (tmp_path, tmp_path / "train"):
            SummaryWriter(folder, purge_step=1).close()
            *before, new = sorted(folder.glob("events.out.tfevents.1*"))
            assert [path.read_text() for path in before[:6]] == list("012345"), "in their order"
            assert f".{os.getpid()}." in new.name
            assert events[0] in [path.name for path in before], "no reason to date it back"


def test_a_place_that_cannot_be_written_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"`run\.folder`"):
        new_run_folder(tmp_path / "file", "a")


def test_a_place_that_lightning_takes_for_urls_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`run\.folder`"):
        new_run_folder(tmp_path / "a::b", "a")
    assert not list(tmp_path.iterdir())


def test_environment_names_what_is_installed() -> None:
    found = environment()
    assert found["facenet_demo"] == facenet_demo.__version__
    assert found["packages"]["lightning"] == metadata.version("lightning")
    assert found["python"] == ".".join(str(v) for v in sys.version_info[:3])


def test_environment_names_the_commit_it_ran_from() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert environment()["git_commit"].removesuffix("-dirty") == commit


def test_the_commit_of_a_project_that_has_it_installed_is_not_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=a"], check=True)
    installed = tmp_path / ".venv/site-packages/facenet_demo/training/run_folder.py"
    installed.parent.mkdir(parents=True)
    monkeypatch.setattr(run_folder, "__file__", str(installed))
    assert environment()["git_commit"] is None


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    assert environment()["git_commit"] is None
