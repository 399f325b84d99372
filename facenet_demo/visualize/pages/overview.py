"""The front page: whether edges, parts and people come in that order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from facenet_demo.features.verdicts import Judgement
from facenet_demo.pictures import figures
from facenet_demo.report import FileEntry, Picture, report_path
from facenet_demo.system.files import new_file, write_json
from facenet_demo.visualize.numbers import progression_numbers
from facenet_demo.visualize.pages.base import Look, PageMaker


class Interval(NamedTuple):
    """A measured value and its 95 % interval; `low` and `high` are None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Verdict:
    """One claim of the progression and what became of it.

    Attributes:
        claim: "edges first", "parts in the middle", "people last", "parts matter".
        supported: None where it could not be judged on these photos.
        text: why, in one or two plain sentences with the numbers.
    """

    claim: str
    supported: bool | None
    text: str


@dataclass(frozen=True)
class LayerRow:
    """What was measured in one layer, beside its controls.

    Attributes:
        layer: its dotted name.
        receptive_field: side of the image region that one position of it sees, pixels.
        scores: measure (a key of the report's `measures`, or a name that is shown as it is) -> name
            of the network or of a control -> value.
    """

    layer: str
    receptive_field: int
    scores: Mapping[str, Mapping[str, Interval]]


@dataclass(frozen=True)
class Progression:
    """Edges, parts, people: the figure, the verdicts, the layers in order, and their file."""

    figure: Picture
    verdicts: tuple[Verdict, ...]
    rows: tuple[LayerRow, ...]
    numbers: FileEntry


class Overview(PageMaker):
    """The front page: the progression, its verdicts, and the layers in order."""

    name = "overview"
    title = "The progression"

    def make(self, look: Look) -> dict[str, Progression]:
        measured = look.measured
        curves = dict(zip(look.names, (measured.trained.curves, measured.control.curves),
                          strict=True))  # fmt: skip
        alone = np.full(len(look.layers), np.nan)
        curves["units rotated"] = {"parts": np.column_stack([measured.rotated, alone, alone])}
        file = "progression.json"
        write_json(report_path(look.folder, file), progression_numbers(measured, look.names))
        numbers = FileEntry(file, "numbers", "every figure of the progression")
        return {
            "progression": Progression(
                _figure(look, curves), _verdicts(look), _rows(look, curves), numbers
            )
        }


def _figure(look: Look, curves: Mapping[str, Mapping[str, np.ndarray]]) -> Picture:
    measured = look.measured.trained
    figure = figures.progression(
        measured.measures, look.layers, measured.field_sizes, curves, measured.lines
    )
    file = "pictures/progression.png"
    with new_file(report_path(look.folder, file)) as temporary:
        figure.savefig(temporary, dpi=160)
    caption = (
        f"Edges, parts and people by layer: the network, {look.names[0]} (red), {look.names[1]} "
        "(grey), and for parts the units in a random rotation (violet). Bands are 95 % intervals."
    )
    return Picture(file, caption, "figure")


def _verdicts(look: Look) -> tuple[Verdict, ...]:
    verdicts = [Verdict(j.claim, j.supported, _reasons(j)) for j in look.measured.judgements]
    if look.measured.causality is None:
        verdicts.append(
            Verdict("parts matter", None, "The network cannot name the people in these photos.")
        )
    return tuple(verdicts)


def _reasons(judgement: Judgement) -> str:
    """Why a claim is supported or not, with its numbers."""
    holds, order = judgement.order
    texts = [f"{order[:1].upper()}{order[1:]}{'' if holds else ', against the claim'}."]
    for d in judgement.differences:
        doubt = "" if d.holds else ": not surely above zero"
        texts.append(
            f"{d.what[:1].upper()}{d.what[1:]}: {d.value:.3f} ({d.low:.3f} to {d.high:.3f}){doubt}."
        )
    return " ".join(text for text in texts if len(text) > 1)


def _rows(look: Look, curves: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[LayerRow, ...]:
    return tuple(
        LayerRow(
            layer, look.measured.trained.field_sizes[i],
            {
                measure: {
                    name: Interval(*(None if math.isnan(x) else float(x) for x in of[measure][i]))
                    for name, of in curves.items() if measure in of
                }
                for measure in look.measured.trained.values
            },
        )
        for i, layer in enumerate(look.layers)
    )  # fmt: skip
