"""A command line of training, put in order before it is parsed.

args, modules = take(args, "--import")
args, resumed = in_order(args)       # every --config in front of the flags, which win
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facenet_demo.training.configs import CONFIGS, config_of, find_config


def in_order(args: Sequence[str]) -> tuple[list[str], Path | None]:
    """The same command line with its --config in front, so that any flag wins over any file.

    A config is found by name; a run folder after --resume, returned beside it, stands for its own.
    """
    configs: list[str] = []
    resumed = None
    rest, given = take(args, "--config", "-c", "--resume")
    for name, value in given:
        if name == "--resume":
            resumed = Path(value)
            value = str(config_of(resumed))
        configs += ["--config", str(find_config(value))]
    return [*(configs or ["--config", str(CONFIGS / "orl.yaml")]), *rest], resumed


def take(args: Sequence[str], *names: str) -> tuple[list[str], list[tuple[str, str]]]:
    """A command line without some of its flags, and those with their values."""
    others: list[str] = []
    taken: list[tuple[str, str]] = []
    rest = iter(args)
    for arg in rest:
        name, has_value, value = arg.partition("=")
        if name in names:
            taken.append((name, value if has_value else next(rest, "")))
        else:
            others.append(arg)
    return others, taken
