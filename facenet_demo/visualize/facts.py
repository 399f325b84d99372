"""What a report says of the network and the photos before anything that was measured."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.networks.checkpoints import TrainedNetwork
from facenet_demo.report import DataFacts, NetworkFacts
from facenet_demo.training.evaluation import score

_FEW_PHOTOS = 5  # of a person


def network_facts(trained: TrainedNetwork, data: FaceDataModule) -> NetworkFacts:
    """What the network is, and how often it names the people in `data` rightly if it knows them."""
    accuracy = None
    if data.people == trained.people:
        rows = data.split.rows["test"]
        answers = score(trained.network, data, rows).argmax(dim=1).numpy()
        accuracy = float((answers == data.split.labels[rows]).mean())
    settings = {
        name: value if isinstance(value, str | int | float | bool) else str(value)
        for name, value in asdict(trained.settings).items()  # type: ignore[call-overload]
    }
    return NetworkFacts(
        type(trained.settings).__name__,
        sum(p.numel() for p in trained.network.parameters()),
        trained.window,
        len(trained.people),
        accuracy,
        settings,
    )


def data_facts(data: FaceDataModule) -> DataFacts:
    """What the photos are, and whom to credit."""
    source = data.source
    return DataFacts(source.title, len(data.split.rows["test"]), source.terms, source.citation)


def cautions(names_people: bool, test_labels: np.ndarray) -> list[str]:
    """What these photos cannot tell.

    Args:
        names_people: whether the network was trained to name the people in them.
        test_labels: who is in each test photo.
    """
    texts = []
    if not names_people:
        texts.append(
            "The network was not trained to name the people in these photos. Whether parts matter, "
            "and what each unit is worth, cannot be measured on them."
        )
    fewest = np.bincount(test_labels).min()
    if fewest < _FEW_PHOTOS:
        texts.append(
            f"Some people have only {fewest} test photos. The largest mean of few is large by "
            "chance: compare selectivity with the untrained network's."
        )
    return texts
