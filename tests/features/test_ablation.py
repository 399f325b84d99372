from __future__ import annotations

import numpy as np
import pytest
import torch
from hand_set import ColourUnits

from facenet_demo.features.ablation import matched_units, right_answers, right_without
from facenet_demo.features.causality import unit_costs


def people() -> tuple[torch.Tensor, np.ndarray]:
    """Three people, of one colour each."""
    labels = np.array([0, 1, 2, 0, 1, 2, 2])
    images = torch.full((7, 3, 32, 32), 0.2)
    images[np.arange(7), labels] = 0.9
    return images, labels


def test_ablating_the_only_unit_a_person_needs_destroys_that_person() -> None:
    images, labels = people()
    network = ColourUnits()
    assert right_answers(network, images, labels).all()
    nothing = np.array([0.0, 0.0, 0.0, 0.0])
    without = right_without(network, images, labels, "maps", [[0], [1], [2]], nothing - 1)
    assert (without == (labels != np.arange(3)[:, None])).all()
    both = right_without(network, images, labels, "maps", [[0, 2]], nothing - 1)
    assert both.tolist() == [(labels == 1).tolist()]
    corner = right_without(network, images, labels, "maps", [[3]], nothing)
    assert corner.all(), "nobody needs it"
    costs = unit_costs(network, images, labels, "maps", nothing - 1, range(4), np.ones(7, bool))
    assert (costs == (labels == np.arange(4)[:, None])).all()


def test_the_network_is_left_as_it_was_on_error_too() -> None:
    images, labels = people()
    network = ColourUnits().train()
    with pytest.raises(IndexError):
        right_without(network, images, labels, "maps", [[9]], np.zeros(10))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert not any("forward" in module.__dict__ for module in network.modules())
    assert right_answers(network, images, labels).all()


def test_matched_units_have_like_means_and_are_others() -> None:
    means = np.array([1.0, 1.1, 5.0, 5.1, 5.2, 9.0, 9.1, 1.2])
    rng = np.random.default_rng(0)
    for _ in range(20):
        matched = matched_units(means, [0, 2], rng, num_near=2)
        assert not {0, 2} & set(matched)
        assert len(set(matched)) == 2
        assert {round(m) for m in means[matched]} == {1, 5}
    with pytest.raises(ValueError, match="too few"):
        matched_units(means, range(5), rng)
