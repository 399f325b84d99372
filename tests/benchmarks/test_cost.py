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


@pytest.mark.parametrize("warm_up", [False, True])
def test_sides_alternate(warm_up: bool) -> None:
    called: list[str] = []
    comparison = cost.compare(
        "a", lambda: called.append("a"), "b", lambda: called.append("b"), 3, warm_up=warm_up
    )
    assert called == ["a", "b"] * (3 + warm_up)
    assert len(comparison.seconds) == len(comparison.peer_seconds) == 3, "what warms up is not told"


def test_each_help_is_compared_with_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(cost, "_python", lambda *args: called.append(" ".join(args)))
    found = cost.startup(repeats=1)
    scripts = cost._ROOT / "scripts"
    assert called == [
        *[f"{scripts}/train.py --help", "-c import lightning.pytorch"] * 2,
        *[f"{scripts}/visualize.py --help", "-c pass"] * 2,
        *[f"{scripts}/predict.py --help", "-c pass"] * 2,
    ]
    assert [f"{one.name}: {one.peer}" for one in found.values()] == [
        "train.py --help: import lightning.pytorch",
        "visualize.py --help: python -c pass",
        "predict.py --help: python -c pass",
    ]
