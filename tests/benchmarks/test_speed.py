from __future__ import annotations

from pathlib import Path

import pytest

from facenet_demo.benchmarks import speed


def test_trainer_and_loop_end_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "_EPOCHS", 2)
    comparison, same = speed.trainer_against_loop(1, tmp_path)
    assert same
    assert len(comparison.ratios) == 1
    monkeypatch.setattr(speed, "step_seed", lambda *step: 1)
    assert not speed.trainer_against_loop(1, tmp_path)[1], "it would see a difference"


# Python 3.12 warns of every fork in a process with threads; what is forked here only reads.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_both_loaders_go_through_the_same_photos(
    people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "_MIN_PHOTOS", 2)
    monkeypatch.setattr(
        speed, "compare", lambda name, side, peer, other, repeats: (side(), other())
    )
    assert speed.loader_against_image_folder(1, people_folder) == (18, 18)
