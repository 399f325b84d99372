from __future__ import annotations

import sys

import numpy as np
import pytest

from facenet_demo.benchmarks import memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its own memory")
def test_training_is_measured_in_a_process_of_its_own() -> None:
    found = memory.run([64, 450], channels=(2, 2))
    assert found.num_photos == [64, 450]
    assert min(found.megabytes) > 50, "Python and torch alone"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its own memory")
def test_the_peak_is_that_of_memory_given_back_too() -> None:
    with memory._Peak() as before:
        pass
    with memory._Peak() as peak:
        block = np.ones(100 * 2**17)  # 100 MB
        peak._done.wait(4 * memory._EVERY)
        del block
    assert peak.megabytes - before.megabytes == pytest.approx(100, abs=20)
