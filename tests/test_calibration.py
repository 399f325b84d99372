from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from facenet_demo.calibration import Calibration, calibrate, evaluate

NONE = torch.empty(0, 5)


def drawn(num: int, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores that are `temperature` times too large for how often the labels come."""
    generator = torch.Generator().manual_seed(0)
    honest = 2 * torch.randn(num, 5, generator=generator)
    labels = torch.multinomial(honest.softmax(1), 1, generator=generator).flatten()
    return honest * temperature, labels


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_was_planted_is_found(temperature: float) -> None:
    logits, labels = drawn(20_000, temperature)
    found = calibrate(logits, labels, NONE)
    assert found.temperature == pytest.approx(temperature, rel=0.03)
    assert found.threshold is None
    scores = evaluate(found, logits, labels, NONE)
    assert scores["ece"] < 0.015
    assert scores.keys() == {"ece", "ece_uncalibrated"}
    if temperature != 1:
        assert scores["ece_uncalibrated"] > 5 * scores["ece"]


def test_the_calibration_error_is_the_gap_between_sure_and_right() -> None:
    # Always 80 % sure, right in 3 of 5.
    logits = torch.tensor([[0.8, 0.2]]).log().repeat(5, 1)
    labels = torch.tensor([0, 0, 0, 1, 1])
    scores = evaluate(Calibration(), logits, labels, torch.empty(0, 2))
    assert scores["ece"] == scores["ece_uncalibrated"] == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5])
@pytest.mark.parametrize("num_outsiders", [1, 7, 200])
def test_no_more_strangers_pass_than_stated(rate: float, num_outsiders: int) -> None:
    logits, labels = drawn(500, 1.0)
    outsiders = torch.randn(num_outsiders, 5, generator=torch.Generator().manual_seed(1))
    found = calibrate(logits, labels, outsiders, rate)
    assert int(found.knows(outsiders).sum()) == int(rate * num_outsiders)


def test_equal_strangers_all_stay_outside() -> None:
    logits, labels = drawn(100, 1.0)
    found = calibrate(logits, labels, torch.ones(50, 5), 0.1)
    assert not found.knows(torch.ones(3, 5)).any()


def test_scores_equal_a_count_by_hand() -> None:
    logits, labels = drawn(300, 2.0)
    outsiders = torch.randn(200, 5, generator=torch.Generator().manual_seed(1))
    found = calibrate(logits, labels, outsiders, 0.05)
    others = torch.randn(150, 5, generator=torch.Generator().manual_seed(2))
    scores = evaluate(found, logits, labels, others)

    def sure(x: torch.Tensor) -> np.ndarray:
        return (x / found.temperature).softmax(1).max(1).values.numpy()

    named = (logits.argmax(1) == labels).numpy()
    truth = np.repeat([1, 0], [300, 150])
    expected = {
        "outsider_auroc": roc_auc_score(truth, np.concatenate([sure(logits), sure(others)])),
        "outsiders_accepted": np.mean(sure(others) > found.threshold),
        "named_at_threshold": np.mean(named & (sure(logits) > found.threshold)),
    }
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, abs=1e-6)


def test_without_a_threshold_everybody_is_known() -> None:
    assert Calibration().knows(torch.randn(3, 5)).all()
