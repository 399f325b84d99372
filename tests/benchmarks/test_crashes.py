from __future__ import annotations

from pathlib import Path

from facenet_demo.benchmarks import crashes


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    found = crashes.run(num_kills=4, num_in_saves=2, runs=tmp_path)
    assert (found.num_kills, found.num_in_saves) == (4, 2)
    assert found.num_unreadable == 0
    assert found.num_runs >= 1
    assert found.num_different == 0
