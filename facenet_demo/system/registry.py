"""Classes of one kind, found by name: a file may choose among those that are defined.

    find(NetworkSettings, "network", "FaceCNN")          # the class
    find(NetworkSettings, "network", "Tiny", "mynet")    # that of mynet, if several are called so

To define a class below its kind, or to import the module that does, is all it takes to be found;
Python itself keeps the list. Nothing is imported here, whatever a file says.
"""

from __future__ import annotations

import inspect
import reprlib
from typing import Any, TypeVar

from facenet_demo.system.errors import UserError

Kind = TypeVar("Kind")
_LONGEST_MODULE = 100


class NotImportedError(UserError):
    """A file names a class that nobody has defined or imported.

    Attributes:
        module: where it was defined, a dotted name; None if that is not known.
    """

    def __init__(self, message: str, module: str | None) -> None:
        super().__init__(message)
        self.module = module


def known(kind: type[Kind]) -> list[type[Kind]]:
    """The classes below `kind` that can be made; of one that was defined anew the latest."""
    found: dict[tuple[str, str], type[Kind]] = {}
    for child in kind.__subclasses__():
        for cls in (child, *known(child)):
            found[cls.__module__, cls.__qualname__] = cls
    return [cls for cls in found.values() if not inspect.isabstract(cls)]


def find(kind: type[Kind], noun: str, name: Any, module: Any = None) -> type[Kind]:
    """The class of that name.

    Args:
        kind: what it is a class of.
        noun: the same in a word, for errors.
        name: its name, as a file has it.
        module: where it was defined, if the file says. It decides where several classes are called
            so; one that is alone is taken wherever it lies, since modules are moved.

    Raises:
        NotImportedError: if there is none.
        ValueError: if there are several, and none or more than one of them in that module.
    """
    classes = known(kind)
    named = [cls for cls in classes if cls.__name__ == name]
    chosen = [cls for cls in named if cls.__module__ == module] or named
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        places = ", ".join(f"{cls.__module__}.{cls.__qualname__}" for cls in chosen)
        raise ValueError(f"several {noun}s are called {name}: {places}. Import only one of them")
    names = ", ".join(sorted({cls.__name__ for cls in classes}))
    place = module if _is_importable(module) else None
    advice = f"Import the module that defines it{f', {place},' if place else ''} first."
    if module == "__main__":
        advice = "A script or notebook defined it: move it into a module, and import that first."
    raise NotImportedError(
        f"unknown {noun} {reprlib.repr(name)}; known are {names}. {advice}", place
    )


def _is_importable(module: Any) -> bool:
    """Whether it is a dotted name that means something elsewhere; a script's or notebook's is not.

    A file says it, and it is shown.
    """
    return (
        isinstance(module, str)
        and len(module) <= _LONGEST_MODULE
        and module != "__main__"
        and all(part.isidentifier() for part in module.split("."))
    )
