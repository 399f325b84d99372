from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from facenet_demo.system.fields import check_fields

if TYPE_CHECKING:
    from array import ArrayType


@dataclass(frozen=True)
class Tool(ABC):
    @abstractmethod
    def use(self) -> None:
        """Use it."""


@dataclass(frozen=True)
class Hammer(Tool):
    weight: float = 1.0

    def use(self) -> None: ...


@dataclass(frozen=True)
class Saw(Tool):
    teeth: tuple[int, ...] = (3, 4)

    def use(self) -> None: ...


@dataclass(frozen=True)
class Box:
    tool: Tool = Hammer()
    place: Path | None = None
    colour: Literal["red", "blue"] = "red"
    count: int = 0
    label: str = ""
    open: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)
    anything: Any = None


@dataclass(frozen=True)
class Shed:
    box: Box = Box()


@dataclass(frozen=True)
class Foreign:
    values: ArrayType


@pytest.mark.parametrize(
    "settings",
    [
        Box(),
        Box(Saw((1, 2)), Path("a"), "blue", 7, "text", True, {"a": 1}, object()),
        Box(Hammer(2)),
        Shed(),
        Foreign("whatever"),
    ],
)
def test_what_fits_is_left_alone(settings: object) -> None:
    before = dict(vars(settings))
    check_fields(settings)
    assert vars(settings) == before


def test_a_text_becomes_a_path_and_a_list_a_tuple_where_they_are_wanted() -> None:
    shed = Shed(Box(Saw([5, 6]), "a/b", label="c/d", anything=["e"]))
    check_fields(shed)
    assert shed == Shed(Box(Saw((5, 6)), Path("a/b"), label="c/d", anything=["e"]))
    assert hash(shed.box.tool) == hash(Saw((5, 6)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Box(count="7"), "Box.count must be int, not '7'."),
        (Box(count=True), "Box.count must be int, not True."),
        (Box(count=7.5), "Box.count must be int, not 7.5."),
        (Box(label=7), "Box.label must be str, not 7."),
        (Box(place=7), "Box.place must be Path | None, not 7."),
        (Box(more=[1]), "Box.more must be Mapping[str, Any], not [1]."),
        (Box(colour="green"), "Box.colour must be 'red' or 'blue', not 'green'."),
        (Box("Saw"), "Box.tool must be Hammer(...) or Saw(...), not 'Saw'."),
        (Box(Saw), "Box.tool must be Hammer(...) or Saw(...), not the class Saw. Make one of it: "
                   "Saw(...)."),
        (Box(int), "Box.tool must be Hammer(...) or Saw(...), not the class int."),
        (Shed(Saw()), "Shed.box must be Box(...), not Saw(teeth=(3, 4)). It is the tool of one: "
                      "Box(tool=...)."),
        (Shed(Box(Hammer("heavy"))), "Hammer.weight must be float, not 'heavy'."),
        (Shed(Box(Saw("abc"))), "Saw.teeth must be tuple[int, ...], not 'abc'."),
        (Saw((1, "2")), "Saw.teeth must be tuple[int, ...], not (1, '2')."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_a_sentence(settings: object, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        check_fields(settings)
    assert str(caught.value) == said
