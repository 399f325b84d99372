"""Folders as users have them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from drawing import draw_people

from facenet_demo.data.datamodule import DataSettings
from facenet_demo.data.sources import Folder
from facenet_demo.data.splits import SplitSettings
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import write_json


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_folder_per_person_sorted(tmp_path: Path) -> None:
    wanted = [("Ada", "Ada/1.jpg"), ("Ada", "Ada/2.png"), ("Zoë", "Zoë/holiday/3.jpg")]
    for _, name in reversed(wanted):
        touch(tmp_path / name)
    touch(tmp_path / "readme.txt")
    touch(tmp_path / "Ada" / ".hidden.jpg")
    touch(tmp_path / ".git" / "x.jpg")
    (tmp_path / "Empty").mkdir()
    found = [(s.person, str(s.path.relative_to(tmp_path))) for s in Folder(tmp_path).samples()]
    assert found == wanted


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    touch(tmp_path / "Ada" / "1.jpg")
    (tmp_path / "Ada" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert [s.path.name for s in Folder(tmp_path).samples()] == ["1.jpg"]


def test_without_a_folder_the_setting_is_named() -> None:
    with pytest.raises(UserError, match=r"`data\.source\.root`"):
        list(Folder().samples())


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        list(Folder(tmp_path / "nobody").samples())
    with pytest.raises(UserError, match="is a file"):
        list(Folder(touch(tmp_path / "file")).samples())


def test_loose_photos_are_counted_and_the_layout_explained(tmp_path: Path) -> None:
    for i in range(3):
        touch(tmp_path / f"{i}.jpg")
    with pytest.raises(UserError, match=r"3 files lie directly in it.*Ada"):
        list(Folder(tmp_path).samples())


@pytest.mark.parametrize("locked", ["", "Ada", "Ada/holiday"])
def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, locked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the refusal is played."""
    touch(tmp_path / "Ada" / "holiday" / "1.jpg")

    def locked_out(look: Callable) -> Callable:
        def refuse(path: str | Path) -> object:
            if Path(os.fspath(path)) == tmp_path / locked:
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return look(path)

        return refuse

    for look in ("scandir", "listdir"):
        monkeypatch.setattr(os, look, locked_out(getattr(os, look)))
    with pytest.raises(UserError, match="Permission denied"):
        list(Folder(tmp_path).samples())


def test_people_without_photos_are_nobody(tmp_path: Path) -> None:
    (tmp_path / "Ada").mkdir()
    (tmp_path / "Grace" / "holiday").mkdir(parents=True)
    with pytest.raises(UserError, match=r"No folders with photos.*\(0 files lie directly in it\)"):
        list(Folder(tmp_path).samples())


def test_a_link_to_the_folder_itself_is_not_another_person(tmp_path: Path) -> None:
    draw_people(tmp_path, num_people=1, num_photos=1)
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert [(s.person, s.path.name) for s in Folder(tmp_path).samples()] == [("p0", "0.png")]


def test_files_come_sorted_before_those_of_the_folders_beside_them(tmp_path: Path) -> None:
    ada = tmp_path / "Ada"
    for name in (
        "b/2.png",
        "b/1.png",
        "b/c/0.png",
        "a/3.png",
        "z.png",
        "d.png",
        ".a/4.png",
        ".5.png",
    ):
        (ada / name).parent.mkdir(parents=True, exist_ok=True)
        (ada / name).touch()
    (ada / "dead.png").symlink_to(tmp_path / "nowhere")
    (ada / "elsewhere").symlink_to(ada / "b", target_is_directory=True)
    (ada / "round").symlink_to(ada, target_is_directory=True)
    names = [sample.path.relative_to(ada).as_posix() for sample in Folder(tmp_path).samples()]
    assert names == ["d.png", "dead.png", "z.png", "a/3.png", "b/1.png", "b/2.png", "b/c/0.png"]


def test_folder_names_that_are_no_valid_text_are_people_too(tmp_path: Path) -> None:
    """Linux allows any bytes as a name; what is written about the people must be text."""
    root = draw_people(tmp_path / "people", num_people=2, num_photos=3)
    try:
        for person, name in (("p0", b"Zo\xeb"), ("p1", b"Zo\xe8")):
            (root / person).rename(root / os.fsdecode(name))
    except (OSError, UnicodeError):
        pytest.skip("this file system refuses the name")
    data = DataSettings(Folder(root), window=32, split=SplitSettings(val=1, test=1)).build()
    assert len(set(data.people)) == 2
    assert all(person.startswith("Zo") for person in data.people)
    write_json(tmp_path / "splits.json", data.split.record(data.crops))
