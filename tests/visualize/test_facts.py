from __future__ import annotations

import numpy as np
import pytest
import torch

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.networks import FaceCNN
from facenet_demo.networks.checkpoints import TrainedNetwork
from facenet_demo.visualize.facts import cautions, data_facts, network_facts


def trained(people: list[str]) -> TrainedNetwork:
    torch.manual_seed(0)
    settings = FaceCNN(channels=(4, 5), convolutions=1)
    return TrainedNetwork(settings.build(len(people)).eval(), settings, people, 64, 1.0)


def test_the_accuracy_is_that_of_training(orl: FaceDataModule) -> None:
    """Of four views, as a user's photo is named."""
    named = trained(orl.people)
    rows = orl.split.rows["test"]
    right = torch.from_numpy(orl.split.labels[rows])
    accuracy, of_one_view = (
        float((logits.argmax(1) == right).float().mean())
        for logits in (
            named.network.recognize(orl.windows(rows))[1], named.network(orl.windows(rows)),
        )
    )  # fmt: skip
    assert accuracy != of_one_view
    assert network_facts(named, orl).test_accuracy == pytest.approx(accuracy)


def test_a_network_of_other_people_has_no_accuracy_here(orl: FaceDataModule) -> None:
    facts = network_facts(trained(["Ada", "Grace"]), orl)
    assert facts.test_accuracy is None
    assert facts.num_people == 2
    # 7x7x3x4 and 3x3x4x5 weights, 2 for each of the 9 units, and 2 of 5 x 2 x 2 features and a bias
    assert facts.num_weights == 588 + 180 + 18 + 42
    assert facts.settings["channels"] == "(4, 5)"
    assert facts.settings["dropout"] == 0.4


def test_the_photos_are_credited(orl: FaceDataModule) -> None:
    facts = data_facts(orl)
    assert (facts.title, facts.num_photos) == ("The ORL Database of Faces", 200)
    assert "AT&T Laboratories Cambridge" in facts.credit


@pytest.mark.parametrize(
    ("names_people", "photos", "said"),
    [
        (True, [5, 5], []),
        (True, [5, 4], ["only 4 test photos"]),
        (False, [5, 5], ["was not trained to name"]),
        (False, [1, 9], ["was not trained to name", "only 1 test photos"]),
    ],
)
def test_what_photos_cannot_tell_is_said(
    names_people: bool, photos: list[int], said: list[str]
) -> None:
    texts = cautions(names_people, np.repeat(np.arange(len(photos)), photos))
    assert len(texts) == len(said)
    assert all(part in text for part, text in zip(said, texts, strict=True))
