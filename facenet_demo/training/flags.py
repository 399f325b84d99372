"""What the command line calls the settings of a recipe, and the other way round.

flag("optimizer.lr"), flag("seed")           # "--model.optimizer.lr", "--seed_everything"
in_recipe("model.optimizer.lr")              # "optimizer.lr", as errors of the package name it
as_flags("Lower `optimizer.lr`.", flag)      # "Lower --model.optimizer.lr."
"""

from __future__ import annotations

import inspect
from dataclasses import fields

from facenet_demo.training.recipe import Recipe
from facenet_demo.training.task import FaceTask

_SETTINGS = {field.name for field in fields(Recipe)}
_OF_TASK = _SETTINGS & inspect.signature(FaceTask).parameters.keys()
_SEED = "seed_everything"  # as Lightning calls it


def flag(name: str) -> str | None:
    """The flag of a setting by its dotted name in a recipe; None if a recipe has none like it."""
    first = name.partition(".")[0]
    if first not in _SETTINGS:
        return None
    if first == "seed":
        return f"--{_SEED}"
    return f"--{'model.' * (first in _OF_TASK)}{name}"


def in_recipe(name: str) -> str:
    """The dotted name in a recipe of what a config calls `name`."""
    return "seed" if name == _SEED else name.removeprefix("model.")
