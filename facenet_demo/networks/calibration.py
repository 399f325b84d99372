"""How far a network's word can be trusted: probabilities that mean what they say, and strangers.

    calibration = calibrate(logits, labels, outsider_logits, false_accept_rate=0.01)
    probability = calibration.probability(logits)      # (N, P), rows sum to 1
    known = calibration.knows(logits)                  # (N,), False: a stranger
    evaluate(calibration, test_logits, test_labels, test_outsider_logits)

Temperature scaling (Guo et al. 2017, arXiv 1706.04599): one number that divides all scores, chosen
on validation photos; it changes how sure the network is, never whom it names. Where few photos are
all named rightly, ever lower temperatures would be better: a prior holds them, by which the network
is right about how sure it is, give or take a factor of e.

What tells known people from strangers is the largest probability before calibration (Hendrycks and
Gimpel 2017, arXiv 1610.02136): the low temperatures that label smoothing asks for make all the
surer faces alike. The threshold is set so that a new stranger, one like those in validation, passes
with at most a stated chance (conformal prediction: Angelopoulos and Bates 2021, arXiv 2107.07511).
What neither can tell: how the network does on photos unlike those it was validated on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from facenet_demo.system.errors import UserError

NUM_BINS = 15
_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Calibration:
    """What was learned on validation photos about the network's scores.

    Attributes:
        temperature: divides the scores before the softmax; above 1 the network was too sure.
        threshold: a face whose certainty is not above it is a stranger's; None if there were no
            strangers to set it on.
        false_accept_rate: the chance at which a stranger may pass the threshold, in [0, 1].
        outsider_certainty: that of their faces, falling, from which the threshold of another rate
            follows.
    """

    temperature: float = 1.0
    threshold: float | None = None
    false_accept_rate: float = 0.01
    outsider_certainty: tuple[float, ...] = ()

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Calibration:
        """From the plain values that a file carries (`dataclasses.asdict`).

        Raises:
            ValueError, TypeError: if they are not those of a calibration.
        """
        made = cls(**{**values, "outsider_certainty": tuple(values.get("outsider_certainty", ()))})
        numbers = [made.temperature, made.false_accept_rate, *made.outsider_certainty]
        numbers += [] if made.threshold is None else [made.threshold]
        if not all(isinstance(x, float | int) and math.isfinite(x) for x in numbers):
            raise ValueError("its calibration is not made of finite numbers")
        if made.temperature <= 0:
            raise ValueError(f"its temperature is {made.temperature}")
        return made

    def probability(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities `(N, P)` of scores `(N, P)`, in double precision."""
        return (logits.double() / self.temperature).softmax(dim=1)

    def knows(self, logits: torch.Tensor) -> torch.Tensor:
        """Whether each face is taken for a known person, `(N,)` bool; all are without threshold."""
        if self.threshold is None:
            return torch.ones(len(logits), dtype=torch.bool)
        return certainty(logits) > self.threshold

    def at(self, false_accept_rate: float) -> Calibration:
        """The same with the threshold that a new stranger passes with at most this chance.

        Fewer validation photos of strangers than 1 / rate - 1 are too few to promise that; none
        of them passes then.

        Args:
            false_accept_rate: in [0, 1).

        Raises:
            UserError: if it was made without strangers, or for a share outside [0, 1).
        """
        if not 0 <= false_accept_rate < 1:
            raise UserError(
                f"A false-accept rate is at least 0 and below 1, not {false_accept_rate}."
            )
        if not self.outsider_certainty:
            raise UserError(
                "No false-accept rate can be chosen: the training kept no scores of strangers. "
                "Set a threshold instead, or train anew with `data.split.outsiders`."
            )
        # The k-th largest of n is passed by another one like them with chance k / (n + 1).
        row = max(0, int(false_accept_rate * (len(self.outsider_certainty) + 1)) - 1)
        return replace(
            self, threshold=self.outsider_certainty[row], false_accept_rate=false_accept_rate
        )


def certainty(logits: torch.Tensor) -> torch.Tensor:
    """How sure scores `(N, P)` are of their first guess: `(N,)` in [0, 1], before calibration.

    The surest faces would all be 1 in single precision.
    """
    return logits.double().softmax(dim=1).amax(dim=1)


def calibrate(
    logits: torch.Tensor,
    labels: torch.Tensor,
    outsider_logits: torch.Tensor,
    false_accept_rate: float = 0.01,
) -> Calibration:
    """Choose temperature and threshold.

    Args:
        logits: scores `(N, P)` of validation photos of known people, N > 0.
        labels: who they show, `(N,)`.
        outsider_logits: scores `(M, P)` of photos of strangers; without any there is no threshold.
        false_accept_rate: the chance at which a stranger may pass, in [0, 1).
    """

    from scipy.optimize import minimize_scalar  # takes long to import, and naming does without

    def loss(log_temperature: float) -> float:
        temperature = torch.tensor(log_temperature).exp()
        photos = float(torch.nn.functional.cross_entropy(logits / temperature, labels))
        return photos + log_temperature**2 / 2 / len(labels)

    low, high = torch.tensor(_TEMPERATURES).log().tolist()
    best = minimize_scalar(loss, bounds=(low, high), method="bounded")
    calibration = Calibration(float(torch.tensor(best.x).exp()), None, false_accept_rate)
    if not len(outsider_logits):
        return calibration
    falling = certainty(outsider_logits).sort(descending=True).values
    kept = replace(calibration, outsider_certainty=tuple(falling.tolist()))
    return kept.at(false_accept_rate)


def evaluate(
    calibration: Calibration,
    logits: torch.Tensor,
    labels: torch.Tensor,
    outsider_logits: torch.Tensor,
) -> dict[str, float]:
    """How calibration and threshold do on photos they were not chosen on.

    Args:
        calibration: what is judged.
        logits: scores `(N, P)` of test photos of known people, N > 0.
        labels: who they show, `(N,)`.
        outsider_logits: scores `(M, P)` of photos of other strangers; may be empty.

    Returns:
        Each in [0, 1]: `ece`, the expected calibration error, and `ece_uncalibrated`. With a
        threshold also `outsider_auroc`, the chance that a known face gets a larger certainty than a
        stranger; `outsiders_accepted`, the share of strangers that pass the threshold;
        `named_at_threshold`, the share of known faces that pass it with the right name;
        `named_at_rate`, the same for the threshold that just the stated share of these strangers
        passes, which shows the network without the luck of the threshold.
    """
    from torchmetrics.functional.classification import binary_auroc, multiclass_calibration_error

    scores = {
        name: float(
            multiclass_calibration_error(probability, labels, logits.shape[1], n_bins=NUM_BINS)
        )
        for name, probability in (
            ("ece", calibration.probability(logits)),
            ("ece_uncalibrated", logits.softmax(dim=1)),
        )
    }
    if len(outsider_logits) and calibration.threshold is not None:
        certainties = certainty(torch.cat([logits, outsider_logits]))
        known = torch.arange(len(certainties)) < len(logits)
        right = logits.argmax(dim=1) == labels
        strangers = certainties[~known].sort(descending=True).values
        fair = strangers[int(calibration.false_accept_rate * len(strangers))]
        scores["outsider_auroc"] = float(binary_auroc(certainties, known.long()))
        scores["outsiders_accepted"] = float(calibration.knows(outsider_logits).float().mean())
        for name, passes in (
            ("named_at_threshold", calibration.knows(logits)),
            ("named_at_rate", certainties[known] > fair),
        ):
            scores[name] = float((right & passes).float().mean())
    return scores
