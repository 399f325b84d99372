from __future__ import annotations

import numpy as np
import pytest
from drawing import draw_face

from facenet_demo.benchmarks.peers import PEERS, haar_svm

METHODS = {**PEERS, "Haar": haar_svm}


@pytest.fixture(scope="module")
def photos() -> tuple[np.ndarray, np.ndarray]:
    windows = np.stack([draw_face(p, i, size=64) for p in range(3) for i in range(12)]) / 255
    return windows, np.repeat(np.arange(3), 12)


@pytest.mark.parametrize("peer", METHODS)
def test_a_peer_tells_drawn_people_apart(peer: str, photos: tuple[np.ndarray, np.ndarray]) -> None:
    windows, labels = photos
    assert METHODS[peer](windows[::2], labels[::2], windows[1::2], labels[1::2]) > 0.9


@pytest.mark.parametrize("peer", METHODS)
def test_a_peer_scores_the_answers_it_is_given(
    peer: str, photos: tuple[np.ndarray, np.ndarray]
) -> None:
    windows, labels = photos
    wrong = (labels[1::2] + 1) % 3
    assert METHODS[peer](windows[::2], labels[::2], windows[1::2], wrong) < 0.1
