from __future__ import annotations

import json
from pathlib import Path

import pytest

from facenet_demo.benchmarks import crashes
from facenet_demo.system.errors import UserError


def test_a_few_kills_lose_nothing_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "crashes.json"
    found = crashes.run(num_kills=4, num_in_saves=2, runs=tmp_path, output=output)
    assert (found.num_kills, found.num_in_saves) == (4, 2)
    assert len(found.runs) >= 1
    assert (found.num_unreadable, found.num_different) == (0, 0)

    monkeypatch.setattr(crashes, "_train", lambda *args: pytest.fail("all kills are done"))
    assert crashes.run(4, 2, tmp_path, output) == found


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    output = tmp_path / "other.json"
    output.write_text(json.dumps({"rows": []}))
    with pytest.raises(UserError, match="no result of this benchmark"):
        crashes.run(1, 0, tmp_path, output)
