from __future__ import annotations

from pathlib import Path

import pytest

from facenet_demo.benchmarks import loading

# Python 3.12 warns of every fork in a process with threads; what is forked here only reads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def _few_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_MIN_PHOTOS", 2)
    monkeypatch.setattr(loading, "_BATCH_SIZE", 9)


def test_both_loaders_go_through_the_same_photos(
    people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        loading, "compare", lambda name, side, peer, other, repeats: (side(), other())
    )
    assert loading.loader_against_image_folder(1, people_folder) == (18, 18)


def test_the_network_waits_for_a_part_of_the_time(people_folder: Path) -> None:
    found = loading.training_against_image_folder(1, people_folder)
    assert 0 < found.waiting < 1
    assert 0 < found.peer_waiting < 1


def test_one_thread_and_all_make_the_same_crops_anew(
    people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    prepare = loading.prepare_crops
    monkeypatch.setattr(
        loading,
        "prepare_crops",
        lambda *args: asked.append((len(prepare(*args)), args[-1])),
    )
    assert len(loading.threads_against_one(1, people_folder).ratios) == 1
    assert asked == [(18, None), (18, 1)]
