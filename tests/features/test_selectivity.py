from __future__ import annotations

import numpy as np
import pytest
import torch
from hand_set import ColourUnits

from facenet_demo.features.selectivity import Probe, person_means, pool, selectivity


def test_a_unit_that_is_on_for_one_person_has_selectivity_one() -> None:
    labels = np.repeat(np.arange(4), 5)
    on_for_two = (labels == 2).astype(float) * 3
    on_for_all = np.ones(20)
    twice_for_one = 1.0 + (labels == 0)
    found = selectivity(np.stack([on_for_two, on_for_all, twice_for_one], 1), labels, 4)
    assert found == pytest.approx([1, 0, 1 / 3])


def test_a_silent_unit_and_a_person_without_photos() -> None:
    labels = np.array([0, 0, 2])
    pooled = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 4.0]])
    assert selectivity(pooled, labels, 3) == pytest.approx([0, (4 - 1) / (4 + 1)])
    means = person_means(pooled, labels, 3)
    assert means[1, [0, 2]] == pytest.approx([1, 4])
    assert np.isnan(means[:, 1]).all()


def test_units_that_go_below_zero_are_counted_from_their_lowest() -> None:
    labels = np.array([0, 0, 1, 1])
    assert selectivity(np.array([[-2.0], [-2.0], [2.0], [2.0]]), labels, 2) == pytest.approx([1])


def test_maps_are_averaged_over_space() -> None:
    images = torch.zeros(3, 3, 32, 32)
    images[1, 0, :16] = 1  # half of it red
    pooled = pool(ColourUnits(), ["maps"], images.split(2))["maps"]
    assert pooled[:, :3] == pytest.approx(np.array([[0, 0, 0], [0.5, 0, 0], [0, 0, 0]]))


def test_the_probe_is_that_of_scikit_learn_and_finds_what_is_linear() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 12)) * 2
    labels = np.tile(np.arange(5), 30)
    pooled = (centres[labels] + rng.normal(size=(150, 12))).astype(np.float32)
    train, test = slice(0, 100), slice(100, 150)
    right = Probe(pooled[train], labels[train], 5).right(pooled[test], labels[test])
    mean, scale = pooled[train].mean(0), pooled[train].std(0)
    peer = linear_model.RidgeClassifierCV(alphas=np.logspace(-4, 3, 15) * 100)
    peer.fit((pooled[train] - mean) / scale, labels[train])
    named = peer.predict((pooled[test] - mean) / scale)
    assert right.mean() > 0.9
    assert np.mean(right == (named == labels[test])) > 0.95


def test_the_probe_learns_nothing_from_noise() -> None:
    rng = np.random.default_rng(0)
    pooled, labels = rng.normal(size=(400, 50)), rng.integers(0, 10, 400)
    right = Probe(pooled[:200], labels[:200], 10).right(pooled[200:], labels[200:])
    assert right.mean() < 0.2
