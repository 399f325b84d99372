from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from facenet_demo.benchmarks.finished import read_finished
from facenet_demo.system.errors import UserError


class Row(NamedTuple):
    config: str
    seed: int


def test_rows_are_made_of_what_is_there(tmp_path: Path) -> None:
    output = tmp_path / "a.json"
    assert read_finished(output, "rows", Row) == []
    output.write_text('{"rows": [{"config": "orl", "seed": 1}, {"config": "lfw", "seed": 2}]}')
    assert read_finished(output, "rows", Row) == [Row("orl", 1), Row("lfw", 2)]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [{"config": "orl"}]}', '{"rows": 1}'])
def test_another_file_is_not_taken_for_results(text: str, tmp_path: Path) -> None:
    output = tmp_path / "notes.json"
    output.write_text(text)
    with pytest.raises(UserError, match=r"notes\.json is no result of this benchmark"):
        read_finished(output, "rows", Row)
    assert output.read_text() == text
