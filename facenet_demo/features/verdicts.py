"""The claim on trial: edges first, parts in the middle, people last.

    verdicts = judge(measure(network, layers, evidence), measure(untrained, layers, evidence))
    [verdict.supported for verdict in verdicts]

A claim is supported only where every difference that it asserts has a 95 % interval above zero, and
the layers come in the order that it asserts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facenet_demo.features.measures.parts import peak_layer
from facenet_demo.features.progression import Progression


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


def judge(trained: Progression, control: Progression) -> list[Judgement]:
    """Judge the claims about layers whose measures were taken.

    That parts matter is judged by `causality`.

    Args:
        trained: the network on trial.
        control: an untrained network, measured on the same evidence with the same seed.
    """
    return [
        claim(trained, control)
        for claim, measures in CLAIMS.items()
        if all(name in trained.values for name in measures)
    ]


def edges_first(trained: Progression, control: Progression) -> Judgement:
    edges, untrained = _values(trained, "edges"), _values(control, "edges")
    return Judgement(
        "edges first",
        (
            _difference("the first layer's edge fit less the untrained one's",
                        edges[:, 0] - untrained[:, 0]),
            _difference("fall of the edge fit per layer", -_slope(edges)),
        ),
    )  # fmt: skip


def parts_in_the_middle(trained: Progression, control: Progression) -> Judgement:
    parts, untrained = _values(trained, "parts"), _values(control, "parts")
    names = trained.layers
    peak, last = peak_layer(trained.survey), len(names) - 1
    inner = 0 < peak < last
    return Judgement(
        "parts in the middle",
        (
            _difference(f"part overlap in {names[peak]} less the untrained one's best",
                        parts[:, peak] - untrained.max(axis=1)),
            _difference(f"less that in {names[0]}", parts[:, peak] - parts[:, 0]),
            _difference(f"less that in {names[last]}", parts[:, peak] - parts[:, last]),
        ) if inner else (),
        (inner, f"parts peak in {names[peak]}, layer {peak + 1} of {last + 1}"),
    )  # fmt: skip


def people_last(trained: Progression, control: Progression) -> Judgement:
    names = trained.layers
    differences = []
    tops = []
    for name, label in (("people", "selectivity"), ("probe", "probe accuracy")):
        people, untrained = _values(trained, name), _values(control, name)
        differences += [
            _difference(f"rise of {label} per layer beyond the untrained one's",
                        _slope(people) - _slope(untrained)),
            _difference(f"{label} in {names[-1]} less the untrained one's",
                        people[:, -1] - untrained[:, -1]),
        ]  # fmt: skip
        tops.append(int(people[0].argmax()))
    late = min(tops) >= len(names) - max(1, round(len(names) / 3))
    where = " and ".join(dict.fromkeys(names[top] for top in tops))
    return Judgement("people last", tuple(differences), (late, f"people peak in {where}"))


# Each claim about layers and the measures that it is judged by.
CLAIMS: dict[Callable[[Progression, Progression], Judgement], tuple[str, ...]] = {
    edges_first: ("edges",),
    parts_in_the_middle: ("parts",),
    people_last: ("people", "probe"),
}


def _values(network: Progression, measure: str) -> np.ndarray:
    """`(1 + R, L)`: the estimate and its replicates."""
    return np.vstack([network.estimates[measure], network.replicates[measure]])


def _difference(what: str, values: np.ndarray) -> Difference:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Difference(what, float(values[0]), float(low), float(high))


def _slope(values: np.ndarray) -> np.ndarray:
    """Least-squares slope over layers of each row of `(R, L)`."""
    depth = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
    return values @ depth / max(float(depth @ depth), 1e-12)
