"""What the page calls each score, how it explains it and how it writes its values.

Each key is also the name of an anchor in `docs/measures.md`, which says more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """How a measure is shown.

    Attributes:
        label: a word or two.
        explanation: one or two plain sentences.
        style: "percent" for shares that are read as such, else "number".
    """

    label: str
    explanation: str
    style: Literal["number", "percent"] = "number"


# Of a unit, or of a layer as a whole.
SCORES: dict[str, Measure] = {
    "iou": Measure(
        "part overlap",
        "How well the places where the unit is most active overlap the part that it matches best "
        "(intersection over union), less the overlap with the same part in other photos. 0: no "
        "better than knowing where that part usually is; 1: exactly the part.",
    ),
    "auc": Measure(
        "part separation",
        "How well the unit's activity alone tells pixels of its best part from all others, without "
        "a threshold. 0.5: not at all; 1: perfectly.",
    ),
    "orientation": Measure(
        "orientation",
        "How much the unit prefers stripes of one direction to stripes of others. 0: all the same; "
        "1: one direction only.",
    ),
    "gabor_r2": Measure(
        "edge fit",
        "How well an ideal edge or bar detector (a Gabor function) explains the unit's kernel; of "
        "deeper units the effective kernel, what they respond to in the picture on average.",
    ),
    "selectivity": Measure(
        "person selectivity",
        "How much more the unit responds to its favourite person than to everybody else. 0: to all "
        "the same; 1: to that person only.",
    ),
    "ablation": Measure(
        "cost of removal",
        "The share of test photos, on average over people, that are no longer named rightly once "
        "the unit is held at its mean. Near 0: others can do its work. Measured for the units that "
        "were looked at closely.",
        "percent",
    ),
}
