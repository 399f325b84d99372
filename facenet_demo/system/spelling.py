"""What a command calls the settings of the package: `num_views` there, --num-views here.

as_flags("Set `num_views`.", hyphenated(["num_views"]).get)      # "Set --num-views."
with_new_names(["--lfw_root=x"], {"--lfw_root": "--lfw-root"})   # ["--lfw-root=x"], and a hint
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from facenet_demo.system.terminal import console


def hyphenated(names: Iterable[str]) -> dict[str, str]:
    """Each name and its flag: what argparse calls `num_views` is typed as --num-views."""
    return {name: f"--{name.replace('_', '-')}" for name in names}


def as_flags(text: str, flag: Callable[[str], str | None]) -> str:
    """A text in which each name in backquotes is its flag, unless `flag` knows none for it."""
    return re.sub(r"`([\w.]+)`", lambda found: flag(found[1]) or found[0], text)


def with_new_names(args: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """A command line in the names of now; says which are old.

    Args:
        args: without the program's name.
        names: old flag -> new flag.
    """
    renewed = []
    for arg in args:
        name, has_value, value = arg.partition("=")
        new = names.get(name, name)
        if new != name:
            console.print(f"{name} is called {new} now; the old name holds for one version more.")
        renewed.append(f"{new}{has_value}{value}")
    return renewed
