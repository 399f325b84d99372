from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from facenet_demo.networks.calibration import Calibration, calibrate, certainty, evaluate
from facenet_demo.system.errors import UserError

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


@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0, 100.0])
def test_few_photos_that_are_all_right_do_not_make_certain(scale: float) -> None:
    """The likelihood has no largest value there; with the prior, a grid finds the same one."""
    logits, labels = scale * torch.eye(5).repeat(2, 1), torch.arange(5).repeat(2)
    found = calibrate(logits, labels, NONE)

    def posterior(log_temperature: float) -> float:
        wrong = 4 * np.exp(-scale / np.exp(log_temperature))
        return -10 * np.log1p(wrong) - log_temperature**2 / 2

    best = max(np.linspace(np.log(0.05), np.log(20), 20_001), key=posterior)
    assert np.log(found.temperature) == pytest.approx(best, abs=0.01)


def test_strangers_are_told_apart_among_the_surest() -> None:
    """Gaps whose probabilities are all 1 in single precision."""
    logits = torch.tensor([[20.0, 0, 0], [25.0, 0, 0], [30.0, 0, 0]])
    calibration = Calibration(threshold=float(certainty(logits)[1]))
    assert calibration.knows(logits).tolist() == [False, False, True]


def test_another_rate_is_that_of_the_same_strangers() -> None:
    logits, labels = drawn(500, 1.0)
    outsiders = torch.randn(200, 5, generator=torch.Generator().manual_seed(1))
    first, second = (calibrate(logits, labels, outsiders, rate) for rate in (0.01, 0.2))
    assert first.at(0.2) == second
    assert Calibration.from_values(asdict(first)) == first
    with pytest.raises(UserError, match="no scores of strangers"):
        calibrate(logits, labels, NONE).at(0.1)
    with pytest.raises(UserError, match="below 1"):
        first.at(1.0)


@pytest.mark.parametrize(
    "change",
    [{"temperature": 0.0}, {"temperature": float("nan")}, {"threshold": "high"},
     {"outsider_certainty": [None]}, {"another": 1}],
)  # fmt: skip
def test_values_that_are_no_calibration_are_refused(change: dict) -> None:
    with pytest.raises((ValueError, TypeError)):
        Calibration.from_values({**asdict(Calibration()), **change})


def test_the_calibration_error_is_the_gap_between_sure_and_right() -> None:
    # Always 80 % sure, right in 3 of 5.
    logits = torch.tensor([[0.8, 0.2]]).log().repeat(5, 1)
    labels = torch.tensor([0, 0, 0, 1, 1])
    scores = evaluate(Calibration(), logits, labels, torch.empty(0, 2))
    assert scores["ece"] == scores["ece_uncalibrated"] == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5])
@pytest.mark.parametrize("num_outsiders", [1, 7, 200])
def test_no_more_validation_strangers_pass_than_stated(rate: float, num_outsiders: int) -> None:
    logits, labels = drawn(500, 1.0)
    outsiders = torch.randn(num_outsiders, 5, generator=torch.Generator().manual_seed(1))
    found = calibrate(logits, labels, outsiders, rate)
    assert int(found.knows(outsiders).sum()) == max(0, int(rate * (num_outsiders + 1)) - 1)


@pytest.mark.parametrize(("rate", "num_outsiders"), [(0.01, 200), (0.1, 200), (0.5, 200), (0.1, 9)])
def test_new_strangers_pass_at_the_stated_rate(rate: float, num_outsiders: int) -> None:
    """Of certainties drawn evenly from 0 to 1, the share above a threshold is 1 - threshold."""
    rng = np.random.default_rng(0)
    draws = -np.sort(-rng.random((4000, num_outsiders)))
    passed = []
    for certainties in draws:
        found = Calibration(outsider_certainty=tuple(certainties)).at(rate)
        assert found.threshold is not None
        passed.append(1 - found.threshold)
    uncertain = 3 * np.std(passed) / np.sqrt(len(passed))
    assert rate - 1 / (num_outsiders + 1) - uncertain < np.mean(passed) <= rate + uncertain


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
        return x.softmax(1).max(1).values.numpy()

    named = (logits.argmax(1) == labels).numpy()
    truth = np.repeat([1, 0], [300, 150])
    expected = {
        "outsider_auroc": roc_auc_score(truth, np.concatenate([sure(logits), sure(others)])),
        "outsiders_accepted": np.mean(sure(others) > found.threshold),
        "named_at_threshold": np.mean(named & (sure(logits) > found.threshold)),
        "named_at_rate": np.mean(named & (sure(logits) > np.sort(sure(others))[-8])),
    }
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, abs=1e-6)


def test_without_a_threshold_everybody_is_known() -> None:
    assert Calibration().knows(torch.randn(3, 5)).all()
