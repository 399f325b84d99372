from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from facenet_demo.storage import (
    cache_folder,
    new_file,
    new_folder,
    remove_leftovers,
    write_json,
)


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.txt"
    with new_file(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent, "a rename must not cross file systems"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with contextlib.suppress(RuntimeError), new_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_when_the_block_ends_or_not_at_all(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a") as temporary:
        (temporary / "x").touch()
        assert not (tmp_path / "a").exists()
    with contextlib.suppress(RuntimeError), new_folder(tmp_path / "b") as temporary:
        (temporary / "x").touch()
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x"]


def test_a_folder_that_is_there_already_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(OSError, match="not empty"), new_folder(path) as temporary:
        (temporary / "new").touch()
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")] == ["a", "a/old"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_what_is_new_is_as_readable_as_any_new_file(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_json(tmp_path / "a.json", {})
        with new_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o777 & ~mask


def test_json_is_read_back_as_it_was(tmp_path: Path) -> None:
    value = {"Zoë": [1, 2.5, None], "a": {"b": True}}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(TypeError):
        write_json(path, [2, object()])
    assert json.loads(path.read_text("utf-8")) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["key", "a.json", "[a]*"])
@pytest.mark.parametrize("make", [new_file, new_folder])
def test_what_a_killed_block_left_is_removed(
    make: Callable[[Path], AbstractContextManager[Path]], name: str, tmp_path: Path
) -> None:
    with contextlib.suppress(FileNotFoundError), make(tmp_path / name):
        assert len(list(tmp_path.iterdir())) == 1
        remove_leftovers(tmp_path / name)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", ["key.json", "key.more", "keys"])
def test_what_others_with_a_like_name_are_writing_stays(other: str, tmp_path: Path) -> None:
    with new_file(tmp_path / other) as file, new_folder(tmp_path / f"{other}2") as folder:
        remove_leftovers(tmp_path / "key")
        assert file.exists()
        assert folder.exists()


def test_leftovers_of_other_paths_stay(tmp_path: Path) -> None:
    for name in (".key.x1", ".other.x1", "key", "key.lock"):
        (tmp_path / name).mkdir()
    (tmp_path / ".key.x2").touch()
    remove_leftovers(tmp_path / "key")
    assert {p.name for p in tmp_path.iterdir()} == {".other.x1", "key", "key.lock"}


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACENET_DEMO_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("FACENET_DEMO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "facenet_demo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "facenet_demo"


@pytest.mark.parametrize(("named", "expected"), [("~/faces", "faces"), ("", ".cache/facenet_demo")])
def test_the_cache_may_be_named_from_home_and_an_empty_name_is_none(
    named: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACENET_DEMO_CACHE", named)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / expected
