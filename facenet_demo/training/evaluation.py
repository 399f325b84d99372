"""After training: calibrate the network that was kept, and test it on photos it was not chosen by.

result = calibrate_and_test(network, data, false_accept_rate=0.01)
result.calibration                   # for the checkpoint
result.metrics                       # test/ece, test/outsider_auroc, ...
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.features.trace import evaluating
from facenet_demo.networks import FaceNetwork
from facenet_demo.networks.calibration import Calibration, calibrate, certainty, evaluate

_WINDOWS_AT_ONCE = 256


@dataclass(frozen=True)
class CalibrationResult:
    """What came of it.

    Attributes:
        calibration: learned on the validation photos.
        metrics: `temperature`, and what `calibration.evaluate` found on the test photos, by the
            names of metrics.json.
        probability: `(N,)` largest of each test photo, calibrated, in [0, 1].
        right: `(N,)` bool, whether it went with the right name.
        certainty: `(N,)` see `calibration.certainty`.
        outsider_certainty: `(M,)` the same for strangers.
    """

    calibration: Calibration
    metrics: dict[str, float]
    probability: np.ndarray
    right: np.ndarray
    certainty: np.ndarray
    outsider_certainty: np.ndarray


def calibrate_and_test(
    network: FaceNetwork, data: FaceDataModule, false_accept_rate: float
) -> CalibrationResult | None:
    """Calibrate on the validation photos, evaluate on the test photos; None without either."""
    split = data.split
    if not len(split.rows["val"]) or not len(split.rows["test"]):
        return None
    logits, labels, outsiders = {}, {}, {}
    for stage in ("val", "test"):
        logits[stage] = score(network, data, split.rows[stage])
        labels[stage] = torch.from_numpy(split.labels[split.rows[stage]])
        outsiders[stage] = score(network, data, split.outsider_rows[stage])
    calibration = calibrate(logits["val"], labels["val"], outsiders["val"], false_accept_rate)
    found = evaluate(calibration, logits["test"], labels["test"], outsiders["test"])
    return CalibrationResult(
        calibration=calibration,
        metrics={
            "temperature": calibration.temperature,
            **{f"test/{name}": value for name, value in found.items()},
        },
        probability=calibration.probability(logits["test"]).amax(dim=1).numpy(),
        right=(logits["test"].argmax(dim=1) == labels["test"]).numpy(),
        certainty=certainty(logits["test"]).numpy(),
        outsider_certainty=certainty(outsiders["test"]).numpy(),
    )


def score(network: FaceNetwork, data: FaceDataModule, rows: np.ndarray) -> torch.Tensor:
    """Scores `(len(rows), P)`, on the CPU, of the centre windows of some rows of the crops."""
    device = network.mean.device
    with evaluating(network):
        parts = [
            network.recognize(data.windows(part).to(device))[1].float().cpu()
            for part in np.array_split(rows, max(1, -(-len(rows) // _WINDOWS_AT_ONCE)))
        ]
    return torch.cat(parts)
