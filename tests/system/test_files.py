from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import pwd
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from facenet_demo.system.errors import UserError
from facenet_demo.system.files import (
    cache_folder,
    make_folder,
    new_file,
    new_folder,
    own_folder,
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


def test_a_private_file_is_for_its_user_alone_unless_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with new_file(path, private=True) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with new_file(path, private=True):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_folder_of_ones_own_has_no_links_and_is_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_text("mine")
    path = tmp_path / "a"
    own_folder(path)
    (path / "kept").touch()
    path.chmod(0o777)
    own_folder(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert [p.name for p in path.iterdir()] == ["kept"]
    (path / "link").symlink_to(tmp_path / "mine")
    own_folder(path)
    assert list(path.iterdir()) == []
    assert (tmp_path / "mine").read_text() == "mine"
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(UserError, match="link is not a folder of your own"):
        own_folder(tmp_path / "link")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(UserError, match="a is not a folder of your own"):
        own_folder(path)


def test_json_is_read_back_as_it_was(tmp_path: Path) -> None:
    value = {"Zoë": [1, 2.5, None], "a": {"b": True}}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value


def test_json_knows_no_nan(tmp_path: Path) -> None:
    value = {"loss": math.nan, "rows": [(1.5, -math.inf), {"best": math.inf}], "name": "NaN"}
    write_json(tmp_path / "a.json", value)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=refuse)
    assert found == {"loss": None, "rows": [[1.5, None], {"best": None}], "name": "NaN"}


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
    for name in (".key.00000001", ".other.00000001", "key", "key.lock"):
        (tmp_path / name).mkdir()
    (tmp_path / ".key.00000002").touch()
    remove_leftovers(tmp_path / "key")
    assert {p.name for p in tmp_path.iterdir()} == {".other.00000001", "key", "key.lock"}


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


def killed_while_writing(path: Path) -> None:
    """Another process writes `path` and dies before it is done."""
    code = (
        "import os, sys, pathlib\n"
        "from facenet_demo.system.files import new_file\n"
        "with new_file(pathlib.Path(os.fsdecode(bytes.fromhex(sys.argv[1])))) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, os.fsencode(path).hex()], check=False)
    assert done.returncode == 9


@pytest.mark.parametrize("name", ["people.safetensors", "x" * 240 + ".txt", "\udcff" * 230])
def test_what_a_kill_left_of_a_file_goes_when_it_is_next_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    killed_while_writing(path)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    assert left.read_text() == "half"
    write_json(path, 1)
    assert [os.fsencode(p) for p in tmp_path.iterdir()] == [os.fsencode(path)]


def test_two_may_write_the_same_file_and_neither_loses_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with new_file(path) as first:
        first.write_text("first")
        with new_file(path) as second:
            assert second != first
            second.write_text("second")
        assert path.read_text() == "second"
        assert first.read_text() == "first"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_writer_leaves_the_other_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with new_file(path) as first:
        with contextlib.suppress(RuntimeError), new_file(path):
            raise RuntimeError
        assert first.exists()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "dead link"])
def test_what_somebody_laid_where_a_file_is_written_is_neither_followed_nor_waited_for(
    kind: str, tmp_path: Path
) -> None:
    path, other = tmp_path / "a.txt", tmp_path / "other"
    other.write_text("theirs")
    laid = tmp_path / ".a.txt.unfinished.txt"
    {
        "link": lambda: laid.symlink_to(other),
        "dead link": lambda: laid.symlink_to(tmp_path / "none"),
        "pipe": lambda: os.mkfifo(laid),
        "folder": laid.mkdir,
    }[kind]()
    with new_file(path) as temporary:
        temporary.write_text("mine")
    assert path.read_text() == "mine"
    assert not path.is_symlink()
    assert other.read_text() == "theirs"
    assert not (tmp_path / "none").exists()


def test_where_files_cannot_be_held_nothing_is_taken_for_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*args: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    path = tmp_path / "a.txt"
    with new_file(path) as first, new_file(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_may_lie_deeper_than_functions_are_called(deep_folder: Path) -> None:
    for folder in list(deep_folder.parents)[:1098]:
        (folder / "d").rmdir()
    path = deep_folder / "a.txt"
    write_json(path, 1)
    assert path.read_text() == "1\n"
    with pytest.raises(FileExistsError):
        make_folder(path)


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, new_file(tmp_path / "a"):
        Path("/dev/full").write_text("more than there is room for")
    assert caught.value.filename == str(tmp_path / "a")
    with pytest.raises(FileNotFoundError) as missing, new_file(tmp_path / "a"):
        (tmp_path / "another").read_text()
    assert missing.value.filename == str(tmp_path / "another")
    assert list(tmp_path.iterdir()) == []


def no_user(uid: int) -> None:
    raise KeyError(uid)


def test_a_user_without_a_home_has_a_cache_that_is_theirs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FACENET_DEMO_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_user)  # as of a number that has no name, in a container
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = cache_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o077 == 0
    assert cache_folder() == folder
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"somebody else's.*FACENET_DEMO_CACHE"):
        cache_folder()
    monkeypatch.setenv("FACENET_DEMO_CACHE", str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"
