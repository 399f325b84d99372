"""After training: calibrate the network that was kept, and judge it on photos it was not chosen on.

judged = judge(network, data, false_accept_rate=0.01)
judged.calibration                   # for the checkpoint
judged.metrics                       # test/ece, test/outsider_auroc, ...
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from facenet_demo.calibration import Calibration, calibrate, evaluate
from facenet_demo.datamodule import FaceDataModule
from facenet_demo.features.trace import evaluating
from facenet_demo.neighbours import Neighbours, certainty
from facenet_demo.networks import FaceNetwork

_BATCH = 256


@dataclass(frozen=True)
class Judged:
    """What came of it.

    Attributes:
        calibration: learned on the validation photos.
        neighbours: the training photos, if strangers taught the network.
        metrics: `temperature`, and what `calibration.evaluate` found on the test photos, by the
            names of metrics.json.
        probability: `(N,)` largest of each test photo, calibrated, in [0, 1].
        right: `(N,)` bool, whether it went with the right name.
        certainty: `(N,)` see `neighbours.certainty`.
        outsider_certainty: `(M,)` the same for strangers.
    """

    calibration: Calibration
    neighbours: Neighbours | None
    metrics: dict[str, float]
    probability: np.ndarray
    right: np.ndarray
    certainty: np.ndarray
    outsider_certainty: np.ndarray


def judge(network: FaceNetwork, data: FaceDataModule, false_accept_rate: float) -> Judged | None:
    """Calibrate on the validation photos and judge on the test photos; None without either."""
    split = data.split
    if not len(split.rows["val"]) or not len(split.rows["test"]):
        return None
    neighbours = find_neighbours(network, data)
    logits, labels, sure, outsiders_sure = {}, {}, {}, {}
    for stage in ("val", "test"):
        logits[stage], embeddings = score(network, data, split.rows[stage])
        labels[stage] = torch.from_numpy(split.labels[split.rows[stage]])
        sure[stage] = certainty(logits[stage], embeddings, neighbours)
        outsiders_sure[stage] = certainty(
            *score(network, data, split.outsider_rows[stage]), neighbours
        )
    calibration = calibrate(logits["val"], labels["val"], outsiders_sure["val"], false_accept_rate)
    found = evaluate(
        calibration, logits["test"], labels["test"], sure["test"], outsiders_sure["test"]
    )
    return Judged(
        calibration=calibration,
        neighbours=neighbours,
        metrics={
            "temperature": calibration.temperature,
            **{f"test/{name}": value for name, value in found.items()},
        },
        probability=calibration.probability(logits["test"]).amax(dim=1).numpy(),
        right=(logits["test"].argmax(dim=1) == labels["test"]).numpy(),
        certainty=sure["test"].numpy(),
        outsider_certainty=outsiders_sure["test"].numpy(),
    )


def find_neighbours(network: FaceNetwork, data: FaceDataModule) -> Neighbours | None:
    """The photos that taught the network, as it sees them; None if no strangers are among them."""
    rows, strangers = data.split.rows["train"], data.split.outsider_rows["train"]
    if not len(strangers):
        return None
    labels = torch.from_numpy(data.split.labels[rows])
    known, others = (score(network, data, part)[1] for part in (rows, strangers))
    return Neighbours.of(known, labels, others)


def score(
    network: FaceNetwork, data: FaceDataModule, rows: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network says of the centre windows of some rows of the crops.

    Returns:
        Scores `(len(rows), P)` and embeddings `(len(rows), D)`, on the CPU.
    """
    device = network.mean.device
    parts = []
    with evaluating(network):
        for part in np.array_split(rows, max(1, -(-len(rows) // _BATCH))):
            embedding, logits = network.recognize(data.windows(part).to(device))
            parts.append((logits.float().cpu(), embedding.float().cpu()))
    logits, embeddings = (torch.cat(values) for values in zip(*parts, strict=True))
    return logits, embeddings
