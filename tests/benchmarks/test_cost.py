from __future__ import annotations

import pytest

from facenet_demo.benchmarks import cost


def test_ratios_are_taken_side_by_side() -> None:
    comparison = cost.Comparison("a", "b", [2.0, 9.0, 4.0], [1.0, 3.0, 4.0])
    assert comparison.ratios.tolist() == [2, 3, 1]
    assert "a: median 4.00 s; b: 3.00 s; ratio 2.000 (1.000 to 3.000, 3 repeats)" in str(comparison)


def test_times_below_a_second_are_told_in_milliseconds() -> None:
    comparison = cost.Comparison("a", "b", [0.0123, 0.0123], [1.5, 1.5])
    assert str(comparison).startswith("a: median 12.3 ms; b: 1.50 s; ratio 0.008")


def test_sides_alternate(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(cost, "_python", lambda *args: called.append(args[-1:]))
    comparison = cost.startup(repeats=2)
    assert called == [("--help",), ("import lightning.pytorch",)] * 2
    assert len(comparison.seconds) == len(comparison.peer_seconds) == 2
