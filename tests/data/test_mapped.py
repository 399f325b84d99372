from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from facenet_demo.data.mapped import Texts, write_texts

NAMES = ["Ada", "", "Zoë 😀", "a\nb\0c", os.fsdecode(b"\xff\xfe.png"), "\ud83d", ""]


@pytest.mark.parametrize("names", [NAMES, NAMES[:1], ["", ""], []], ids=str)
def test_any_strings_come_back_as_they_were(names: list[str], tmp_path: Path) -> None:
    write_texts(tmp_path / "names", iter(names))
    texts = Texts(tmp_path / "names")
    assert len(texts) == len(names)
    assert list(texts) == names
    assert [texts[i - len(names)] for i in range(len(names))] == names
    assert [texts[np.int64(i)] for i in range(len(names))] == names


def test_it_is_a_sequence(tmp_path: Path) -> None:
    write_texts(tmp_path / "names", NAMES)
    texts = Texts(tmp_path / "names")
    assert texts[1:5:2] == NAMES[1:5:2]
    assert texts[::-1] == NAMES[::-1]
    assert texts.index("Zoë 😀") == 2
    assert "Grace" not in texts
    for beyond in (len(NAMES), -len(NAMES) - 1):
        with pytest.raises(IndexError):
            texts[beyond]


def test_the_file_is_plain_utf8(tmp_path: Path) -> None:
    write_texts(tmp_path / "names", ["Ada", "Zoë"])
    assert (tmp_path / "names.utf8").read_text("utf-8") == "AdaZoë"


def test_strings_are_read_when_asked_for(tmp_path: Path) -> None:
    write_texts(tmp_path / "names", ["Ada", "Zoë"])
    texts = Texts(tmp_path / "names")
    with (tmp_path / "names.utf8").open("r+b") as file:
        file.write(b"Ida")
    assert list(texts) == ["Ida", "Zoë"]
