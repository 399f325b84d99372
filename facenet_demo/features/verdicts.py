"""The claim on trial: edges first, parts in the middle, people last.

    verdicts = judge(measure(network, layers, evidence), measure(untrained, layers, evidence))
    [verdict.supported for verdict in verdicts]

A claim is supported only where every difference that it asserts has a 95 % interval above zero, and
the layers come in the order that it asserts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facenet_demo.features.progression import NetworkMeasures, peak_layer


@dataclass(frozen=True)
class Difference:
    """A difference that a claim asserts to be above zero.

    Attributes:
        what: in plain words.
        value: estimate.
        low, high: its 95 % interval.
    """

    what: str
    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return self.low > 0


@dataclass(frozen=True)
class Judgement:
    """A claim, and what it asserts.

    Attributes:
        claim: "edges first", ...
        differences: all must hold.
        order: whether the layers come in the order that it asserts, and that in words.
    """

    claim: str
    differences: tuple[Difference, ...]
    order: tuple[bool, str] = (True, "")

    @property
    def supported(self) -> bool:
        return self.order[0] and all(d.holds for d in self.differences)


def judge(trained: NetworkMeasures, control: NetworkMeasures) -> list[Judgement]:
    """Judge the three claims about layers; that parts matter is judged by `causality`.

    Args:
        trained: the network on trial.
        control: an untrained network, measured on the same evidence with the same seed.
    """
    names = list(trained.layers)
    last = len(names) - 1

    def value(network: NetworkMeasures, name: str) -> np.ndarray:
        """`(1 + R, L)`: the estimate and its replicates."""
        return np.vstack([network.estimates[name], network.replicates[name]])

    edges, untrained_edges = value(trained, "edges"), value(control, "edges")
    judgements = [
        Judgement(
            "edges first",
            (
                _difference("the first layer's edge fit less the untrained one's",
                            edges[:, 0] - untrained_edges[:, 0]),
                _difference("fall of the edge fit per layer", -_slope(edges)),
            ),
        )
    ]  # fmt: skip
    peak = peak_layer(trained)
    parts, untrained_parts = value(trained, "parts"), value(control, "parts")
    inner = 0 < peak < last
    judgements.append(
        Judgement(
            "parts in the middle",
            (
                _difference(f"part overlap in {names[peak]} less the untrained one's best",
                            parts[:, peak] - untrained_parts.max(axis=1)),
                _difference(f"less that in {names[0]}", parts[:, peak] - parts[:, 0]),
                _difference(f"less that in {names[last]}", parts[:, peak] - parts[:, last]),
            ) if inner else (),
            (inner, f"parts peak in {names[peak]}, layer {peak + 1} of {last + 1}"),
        )
    )  # fmt: skip
    differences = []
    tops = []
    for name, label in (("people", "selectivity"), ("probe", "probe accuracy")):
        people, untrained = value(trained, name), value(control, name)
        differences += [
            _difference(f"rise of {label} per layer beyond the untrained one's",
                        _slope(people) - _slope(untrained)),
            _difference(f"{label} in {names[last]} less the untrained one's",
                        people[:, last] - untrained[:, last]),
        ]  # fmt: skip
        tops.append(int(people[0].argmax()))
    late = min(tops) >= len(names) - max(1, round(len(names) / 3))
    where = " and ".join(dict.fromkeys(names[top] for top in tops))
    judgements.append(
        Judgement("people last", tuple(differences), (late, f"people peak in {where}"))
    )
    return judgements


def _difference(what: str, values: np.ndarray) -> Difference:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Difference(what, float(values[0]), float(low), float(high))


def _slope(values: np.ndarray) -> np.ndarray:
    """Least-squares slope over layers of each row of `(R, L)`."""
    depth = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
    return values @ depth / max(float(depth @ depth), 1e-12)
