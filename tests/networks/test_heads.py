from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.networks import FaceCNN
from facenet_demo.networks.heads import Cosine


def test_scores_are_cosines_and_the_right_one_is_lowered_in_training() -> None:
    torch.manual_seed(0)
    head = Cosine(scale=10.0, margin=0.3).build(6, 4)
    features, labels = torch.randn(5, 6), torch.tensor([0, 1, 2, 3, -1])
    expected = 10 * F.cosine_similarity(features[:, None], head.weight, dim=2)
    torch.testing.assert_close(head(features), expected)
    for row, label in enumerate(labels[:4]):
        expected[row, label] -= 3.0
    torch.testing.assert_close(head(features, labels), expected)  # nobody's row is left alone


def test_a_head_takes_the_linear_ones_place_and_is_told_the_labels() -> None:
    network = FaceCNN((4, 8)).build(3).eval()
    assert isinstance(network.classifier, nn.Linear)
    images = torch.rand(2, 3, 16, 16)
    embedding = network.embed(images)
    torch.testing.assert_close(network.head(embedding, torch.tensor([0, 1])), network(images))
    network.replace_head(Cosine(scale=2.0, margin=0.5))
    told = network.head(embedding, torch.tensor([1, 2]))
    assert (network(images) - told).detach() == pytest.approx(
        torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), abs=1e-6
    )


@pytest.mark.parametrize("settings", [{"scale": 0.0}, {"margin": -0.1}, {"margin": 2.0}])
def test_what_makes_no_sense_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Cosine(**settings)
