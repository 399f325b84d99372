"""What follows from the data, and a task has to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What a task needs to know of the data beside its pixels.

    Attributes:
        outputs: what each output of the network says: names of people, or of numbers.
        window: side of the square that it is shown, pixels.
        face_scale: how large the face is in it, see `faces.align.template`.
        pixel_statistics: mean and standard deviation of R, G and B, in [0, 1].
        target_statistics: mean and standard deviation of each number; None where people are named.
    """

    outputs: Sequence[str]
    window: int
    face_scale: float
    pixel_statistics: tuple[list[float], list[float]]
    target_statistics: tuple[list[float], list[float]] | None = None

    @property
    def names_people(self) -> bool:
        """Whether the outputs are people."""
        return self.target_statistics is None
