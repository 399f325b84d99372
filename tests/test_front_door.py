"""`import facenet_demo`: what it offers, and what it costs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import facenet_demo

PACKAGE = Path(facenet_demo.__file__).parent


@pytest.mark.parametrize("name", facenet_demo.__all__)
def test_a_name_is_there_and_seen(name: str) -> None:
    assert callable(getattr(facenet_demo, name))
    assert name in dir(facenet_demo)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="'facenet_demo' has no attribute 'forecast'"):
        facenet_demo.forecast  # noqa: B018


def test_no_name_hides_a_room() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir()}
    assert not rooms & set(facenet_demo.__all__)


def test_type_checkers_and_python_find_the_same() -> None:
    (block,) = (
        node for node in ast.parse((PACKAGE / "__init__.py").read_text()).body
        if isinstance(node, ast.If)
    )  # fmt: skip
    seen = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }  # fmt: skip
    places = {
        name: (f"facenet_demo.{module}", attribute)
        for name, (module, attribute) in facenet_demo._PLACES.items()
    }
    assert seen == places
    assert sorted(places) == sorted(facenet_demo.__all__)


def test_it_brings_nothing_but_the_standard_library() -> None:
    code = """
import sys
before = set(sys.modules)
import facenet_demo
print({name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert eval(done.stdout) == {"facenet_demo"}
