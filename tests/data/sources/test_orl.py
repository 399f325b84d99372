from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from facenet_demo.data.sources import ORL
from facenet_demo.system.errors import UserError


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
