"""Messages of the package name its arguments; flags are for the commands to say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest

from facenet_demo.training.flags import flag
from facenet_demo.training.recipe import Recipe

PACKAGE = Path(__file__).parents[1] / "facenet_demo"
# What reads a command line, and answers to it.
COMMANDS = ("command.py", "arguments.py", "parser.py", "exits.py")
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name not in COMMANDS]

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))


@every_file
def test_no_sentence_names_a_flag(path: Path) -> None:
    # What is to be typed as it stands is a command, of whoever it is called by.
    told = [text for text in _sentences(path) if not re.search(r"pip install|logdir|\.py ", text)]
    assert [text for text in told if re.search(r"(?<![\w-])--[a-z]", text)] == []


@every_file
def test_a_setting_that_a_sentence_names_is_one(path: Path) -> None:
    for text in _sentences(path):
        for name in re.findall(r"`([a-z_]+\.[a-z_.]+)`", text):
            assert flag(name) is None or _is_setting(name), text


def _sentences(path: Path) -> Iterator[str]:
    """Texts of several words, the docstrings of classes too: --help shows those of settings."""
    tree = ast.parse(path.read_text("utf-8"))
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and isinstance(node.body[0], ast.Expr):
            left_out.add(id(node.body[0].value))
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in left_out:
            text = str(node.value)
        if " " in text:
            yield text


def _is_setting(name: str) -> bool:
    """Whether a recipe has it; of a class that is chosen by name, one of its classes."""
    kinds: list[type] = [Recipe]
    for part in name.split("."):
        found = [get_type_hints(kind)[part] for kind in kinds if part in _names(kind)]
        if not found:
            return name.startswith("trainer.")  # Lightning's
        kinds = [kind for each in found for kind in (each, *_below(each)) if is_dataclass(kind)]
    return True


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def _below(kind: object) -> list[type]:
    """The package's own: other tests define some, too."""
    found = kind.__subclasses__() if isinstance(kind, type) else []
    return [cls for cls in found if cls.__module__.startswith("facenet_demo.")]
