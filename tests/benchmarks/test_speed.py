from __future__ import annotations

from pathlib import Path

import pytest

from facenet_demo.benchmarks import speed


def test_trainer_and_loop_end_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(speed._EPOCHS, "orl.yaml", 2)
    found = speed.trainer_against_loop("orl.yaml", 1, tmp_path)
    assert found.same_weights
    assert len(found.comparison.ratios) == 1
    assert sum(found.shares.values()) == pytest.approx(1)
    assert {"augmentation", "forward", "backward", "optimizer"} < set(found.shares)
    monkeypatch.setattr(speed, "step_seed", lambda *step: 1)
    assert not speed.trainer_against_loop("orl.yaml", 1, tmp_path).same_weights, (
        "it would see a difference"
    )
