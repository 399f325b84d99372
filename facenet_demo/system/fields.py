"""Whether settings that were made in Python hold what their types say; of a config a parser knows.

    check_fields(settings)
    # TypeError: DataSettings.window must be int, not '64'.

Where a path is wanted a text will do, where a tuple is wanted a list: they are made one.
"""

from __future__ import annotations

import inspect
import re
import reprlib
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from facenet_demo.system.registry import known


def check_fields(settings: Any) -> None:
    """Look at each field of a dataclass, and at those of dataclasses in it.

    Raises:
        TypeError: for one that is not of its type.
    """
    kind = type(settings)
    try:
        hints = get_type_hints(kind)
    except NameError:  # somebody's own class, whose types are there for type checkers only
        return
    for field in fields(settings):
        hint, given = hints[field.name], getattr(settings, field.name)
        value = _converted(given, hint)
        if not _fits(value, hint):
            raise TypeError(
                f"{kind.__name__}.{field.name} must be {_wanted(hint)}, not {_shown(value)}."
                f"{_advice(value, hint)}"
            )
        if value is not given:
            object.__setattr__(settings, field.name, value)
        if is_dataclass(value):
            check_fields(value)


def _converted(value: Any, hint: Any) -> Any:
    if _fits(value, hint) or not isinstance(value, str | list):
        return value
    converted = Path(value) if isinstance(value, str) else tuple(value)
    return converted if _fits(converted, hint) else value


def _fits(value: Any, hint: Any) -> bool:
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Literal:
        return value in inner
    if kind in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if kind is tuple and inner[1:] == (...,):
        return isinstance(value, tuple) and all(_fits(one, inner[0]) for one in value)
    if kind is not None:
        return isinstance(value, kind)
    if hint in (int, float):  # True is an int to Python, and nobody means it
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return hint is Any or not isinstance(hint, type) or isinstance(value, hint)


def _wanted(hint: Any) -> str:
    if get_origin(hint) is Literal:
        names = [repr(value) for value in get_args(hint)]
    elif isinstance(hint, type) and is_dataclass(hint):
        kinds = known(hint) if inspect.isabstract(hint) else [hint]
        names = sorted(f"{kind.__name__}(...)" for kind in kinds)
    else:
        return re.sub(r"\b\w+\.(?=\w)", "", inspect.formatannotation(hint))
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _shown(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else reprlib.repr(value)


def _advice(value: Any, hint: Any) -> str:
    if isinstance(value, type) and isinstance(hint, type) and issubclass(value, hint):
        return f" Make one of it: {value.__name__}(...)."
    if is_dataclass(value) and is_dataclass(hint) and isinstance(hint, type):
        for name, inner in get_type_hints(hint).items():
            if isinstance(inner, type) and isinstance(value, inner):
                return f" It is the {name} of one: {hint.__name__}({name}=...)."
    return ""
