"""Learn to tell people apart with room to spare: cross-entropy of cosines, less a margin."""

from __future__ import annotations

from dataclasses import dataclass

from facenet_demo.data.facts import Facts
from facenet_demo.networks.heads import Cosine
from facenet_demo.training.objectives.base import Objective
from facenet_demo.training.objectives.naming import Naming, NamingGoal


@dataclass(frozen=True)
class Margin(Objective):
    """Who is in a picture, with a margin between people: CosFace.

    Wang et al. 2018, arXiv 1801.09414.

    Args:
        scale: What cosines are multiplied by.
        margin: What the right person's cosine is lowered by in training, in [0, 2).
    """

    targets = Naming.targets
    scores = Naming.scores

    scale: float = 16.0
    margin: float = 0.2

    def __post_init__(self) -> None:
        _ = self.head  # which says what is wrong

    @property
    def head(self) -> Cosine:
        return Cosine(self.scale, self.margin)

    def build(self, facts: Facts) -> NamingGoal:
        return NamingGoal(len(facts.outputs))
