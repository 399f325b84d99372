"""Settings as the plain values that a file holds, and back.

    entry = as_entry(FaceCNN(channels=(4, 8)))
    # {"name": "FaceCNN", "module": "facenet_demo.networks.face_cnn", "settings": {...}}
    from_entry(entry, NetworkSettings, "network")     # the same settings

For settings of any kind: frozen dataclasses whose fields are numbers, texts, truth values, None, or
a tuple of those.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from facenet_demo.system.registry import find

Settings = TypeVar("Settings")
# No subclasses of them, such as NumPy's numbers: `weights_only` would not read them back.
_PLAIN = (bool, int, float, str, type(None))


def as_entry(settings: Any) -> dict[str, Any]:
    """What a file says of settings.

    Raises:
        ValueError: if they could not be made again from that.
    """
    kind = type(settings)
    names = [field.name for field in fields(settings) if field.init]
    if names != list(inspect.signature(kind).parameters):
        raise ValueError(
            f"{kind.__name__} takes arguments that are not its fields, so no checkpoint could keep "
            "them. Write @dataclass(frozen=True) above the class."
        )
    values = {name: _plain(name, getattr(settings, name)) for name in names}
    return {"name": kind.__name__, "module": kind.__module__, "settings": values}


def from_entry(entry: Mapping[str, Any], kind: type[Settings], noun: str) -> Settings:
    """The settings that a file describes.

    Args:
        entry: as of `as_entry`; files written before that kept it have no module.
        kind: what they must be settings of, such as `NetworkSettings`.
        noun: the same in a word, for errors.

    Raises:
        NotImportedError: if their class is not among those that are imported.
        ValueError, TypeError, KeyError: if it is no entry, or the class refuses its values.
    """
    cls = find(kind, noun, entry["name"], entry.get("module"))
    return cls(**{name: _plain(name, value) for name, value in entry["settings"].items()})


def _plain(name: str, value: Any) -> Any:
    """The same value, a list as a tuple."""
    row = isinstance(value, list | tuple)
    # A list of lists of lists ... is short in a file and without end when it is walked.
    for part in value if row else (value,):
        if type(part) not in _PLAIN:
            raise ValueError(
                f"{name} is not a plain value: {reprlib.repr(part)}. A setting is a number, a "
                "text, true or false, None, or a tuple of those."
            )
    return tuple(value) if row else value
