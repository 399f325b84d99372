from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest

from facenet_demo.records import UserError
from facenet_demo.runs import environment, new_run_folder


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: new_run_folder(tmp_path, "a"), range(8)))
    assert len(folders) == 8
    assert all(folder.is_dir() and folder.name.startswith("a-2") for folder in folders)


def test_the_processes_of_one_run_share_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_run_folder(tmp_path, "a")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert new_run_folder(tmp_path, "a") == first


def test_a_place_that_cannot_be_written_is_an_error_that_names_the_flag(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--run\.folder"):
        new_run_folder(tmp_path / "file", "a")


def test_environment_names_what_is_installed() -> None:
    found = environment()
    assert found["packages"]["lightning"] == metadata.version("lightning")
    assert found["python"] == ".".join(str(v) for v in sys.version_info[:3])


def test_environment_names_the_commit_it_ran_from() -> None:
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert environment()["git_commit"].removesuffix("-dirty") == commit


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    assert environment()["git_commit"] is None
