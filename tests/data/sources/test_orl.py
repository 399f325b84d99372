from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from facenet_demo.data.sources import LFW, ORL, FaceSource, Folder
from facenet_demo.system.errors import UserError


@pytest.mark.parametrize("source", [ORL, LFW, Folder])
def test_a_source_says_its_terms_and_whom_to_credit(source: type[FaceSource]) -> None:
    assert all(len(text) > 4 for text in (source.title, source.terms, source.citation))


# ORL


def test_orl_is_40_people_with_10_photos_each() -> None:
    samples = ORL().samples()
    assert Counter(s.person for s in samples) == {f"s{i}": 10 for i in range(1, 41)}
    assert len({s.path for s in samples}) == 400
    assert "target.jpg" not in {s.path.name for s in samples}
    assert all(s.path.parent.name == s.person for s in samples)


@pytest.fixture
def orl_copy(tmp_path: Path) -> Path:
    shutil.copytree(ORL().samples()[0].path.parents[1], tmp_path / "orl")
    return tmp_path / "orl"


def test_orl_is_taken_from_a_folder_too(orl_copy: Path) -> None:
    assert ORL(orl_copy).samples()[0].path == orl_copy / "s1" / "1.pgm"


def test_one_changed_byte_is_noticed(orl_copy: Path) -> None:
    photo = orl_copy / "s17" / "4.pgm"
    content = bytearray(photo.read_bytes())
    content[500] ^= 1
    photo.write_bytes(content)
    with pytest.raises(UserError, match="checksum"):
        ORL(orl_copy).samples()


def test_a_missing_photo_is_named(orl_copy: Path) -> None:
    (orl_copy / "s17" / "4.pgm").unlink()
    with pytest.raises(UserError, match=r"not complete.*s17.4\.pgm"):
        ORL(orl_copy).samples()


# LFW


def test_lfw_has_62_people_with_20_photos_or_more(lfw_folder: Path) -> None:
    counts = Counter(s.person for s in LFW(lfw_folder).samples())
    many = {person: n for person, n in counts.items() if n >= 20}
    assert len(many) == 62
    assert sum(many.values()) == 3023
    assert many["George_W_Bush"] == 530


# Folder


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


def test_without_a_folder_the_flag_is_named() -> None:
    with pytest.raises(UserError, match=r"--data\.source\.root"):
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
