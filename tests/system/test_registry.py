from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import pytest

from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import exit_code
from facenet_demo.system.registry import NotImportedError, find, known


class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...


class Sheet(Shape):
    """Abstract still: nothing that could be made."""


class Square(Shape):
    def area(self) -> float:
        return 1.0


class Tile(Square):
    """A class below a class below."""


def defined(name: str, module: str, qualname: str | None = None) -> type[Shape]:
    """A class as another module would have it."""
    body = {"area": lambda self: 0.0, "__module__": module, "__qualname__": qualname or name}
    return type(name, (Shape,), body)


def test_a_class_is_found_once_it_is_defined() -> None:
    assert find(Shape, "shape", "Square") is Square
    assert find(Shape, "shape", "Tile") is Tile
    with pytest.raises(NotImportedError):
        find(Shape, "shape", "Star")
    star = defined("Star", "stars")
    assert find(Shape, "shape", "Star") is star


def test_what_cannot_be_made_is_not_found() -> None:
    assert Sheet not in known(Shape)
    with pytest.raises(NotImportedError, match=r"known are Square.*, Tile"):
        find(Shape, "shape", "Sheet")


def test_of_a_class_defined_anew_the_latest_counts() -> None:
    """As a notebook's cell that is run twice, or a module that is loaded again."""
    before = defined("Ring", "__main__")
    after = defined("Ring", "__main__")
    assert find(Shape, "shape", "Ring", "__main__") is after is not before


def test_a_dataclass_with_slots_is_the_one_that_can_be_made() -> None:
    @dataclass(frozen=True, slots=True)
    class Slim(Shape):
        side: float = 2.0

        def area(self) -> float:
            return self.side**2

    assert find(Shape, "shape", "Slim") is Slim


def test_where_several_are_called_so_the_module_decides() -> None:
    ours, theirs = defined("Cross", "ours"), defined("Cross", "theirs.shapes")
    assert find(Shape, "shape", "Cross", "ours") is ours
    assert find(Shape, "shape", "Cross", "theirs.shapes") is theirs
    for module in (None, "others"):
        with pytest.raises(ValueError, match=r"called Cross: ours\.Cross, theirs\.shapes\.Cross"):
            find(Shape, "shape", "Cross", module)


def test_one_that_is_alone_may_have_moved() -> None:
    star = defined("Comet", "sky.stars")
    assert find(Shape, "shape", "Comet", "stars") is star


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("mine.shapes", r"defines it, mine\.shapes, first"),
        ("__main__", "A script or notebook defined it: move it into a module"),
        (None, "defines it first"),
        (["mine"], "defines it first"),
        ("mine; rm -rf ~", "defines it first"),
        ("\x1b[2J", "defines it first"),
        ("a" * 10**6, "defines it first"),
    ],
)
def test_the_module_to_import_is_named_if_it_is_one(module: object, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        find(Shape, "shape", "Nothing", module)
    assert caught.value.module == (module if module == "mine.shapes" else None)


@pytest.mark.parametrize("name", [None, ["Square"], 7, "Square\x1b[2J", "x" * 10**6])
def test_a_name_that_is_none_is_shown_short_and_as_text(name: object) -> None:
    with pytest.raises(NotImportedError, match="unknown shape") as caught:
        find(Shape, "shape", name)
    assert len(str(caught.value)) < 1000
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(("module", "flag"), [("mine", "--import mine"), (None, "--import MODULE")])
def test_a_command_adds_its_flag(
    module: str | None, flag: str, capsys: pytest.CaptureFixture
) -> None:
    def command() -> int:
        raise NotImportedError("unknown.", module)

    assert exit_code(command, "") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith(f"unknown. On the command line, if you trust it: {flag}")
