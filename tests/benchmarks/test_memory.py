from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from facenet_demo.benchmarks import memory
from facenet_demo.data import datamodule
from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.duplicates import exact_copies, near_duplicates


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its own memory")
def test_training_is_measured_in_a_process_of_its_own() -> None:
    found = memory.run([450], repeats=2, channels=(2, 2))
    assert [len(sizes) for sizes in found.megabytes] == [2]
    assert min(map(min, found.megabytes)) > 50, "Python and torch alone"


def test_growth_is_that_of_the_medians() -> None:
    growth = memory.Growth([3, 100], [[500, 520, 503], [511, 540, 508]])
    assert str(growth) == ("3 photos: 503 MB (500 to 520), +0\n100 photos: 511 MB (508 to 540), +8")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its own memory")
def test_the_peak_is_that_of_memory_given_back_too() -> None:
    with memory._Peak() as before:
        pass
    with memory._Peak() as peak:
        block = np.ones(100 * 2**17)  # 100 MB
        peak._done.wait(4 * memory._EVERY)
        del block
    assert peak.megabytes - before.megabytes == pytest.approx(100, abs=20)


def test_repeated_photos_are_found_in_the_cache_and_unlike_each_other(
    orl: FaceDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory._fill(tmp_path, orl.crops, 1000)
    monkeypatch.setenv("FACENET_DEMO_CACHE", str(tmp_path))
    monkeypatch.setattr(datamodule, "prepare_crops", None)  # all are there already
    crops = memory._data(tmp_path).crops
    numbers = np.array([int(Path(file).stem) for file in crops.files])
    assert sorted(numbers) == list(range(1000))
    assert list(crops.people) == [orl.crops.people[number % 400] for number in numbers]
    assert np.array_equal(crops.landmarks, orl.crops.landmarks[numbers % 400])
    pixels = np.sort(crops.images.reshape(1000, -1), axis=1)
    assert np.array_equal(pixels, np.sort(orl.crops.images.reshape(400, -1))[numbers % 400])
    assert exact_copies(crops) == {}
    first, second = numbers[near_duplicates(crops)].T
    assert len(first), "neighbours of one sitting still are"
    assert (first // 400 == second // 400).all()
