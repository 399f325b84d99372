"""The house keeps its order: a module imports from its own floor or from those below."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import facenet_demo

PACKAGE = Path(facenet_demo.__file__).parent
FLOORS = [
    set(floor.split())
    for floor in (
        "__init__ system",
        "basics faces features pictures report",
        "networks",
        "data",
        "predict training",
        "search visualize",
        "benchmarks",
    )
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))
# To standard output: what programs, and processes that started one, read.
MAY_PRINT = {"predict/command.py", "predict/onnx_trial.py", "benchmarks/features.py"}


def part(module: str) -> str:
    """The part of the house a dotted name belongs to: facenet_demo.data.crops -> faces."""
    return [*module.split("."), "__init__"][1]


def imported(path: Path) -> set[str]:
    """Dotted names of this project's modules that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            if node.module == "facenet_demo":
                found |= {f"facenet_demo.{alias.name}" for alias in node.names}
    return {name for name in found if name and name.startswith("facenet_demo")}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    others = {part(name) for name in imported(path)} - {own}
    upward = {other for other in others if other in FLOOR and FLOOR[other] > FLOOR[own]}
    assert not upward


def test_every_part_has_a_floor() -> None:
    parts = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES}
    assert parts == set(FLOOR)


def test_features_take_any_module() -> None:
    """They know neither Lightning nor the networks of this project."""
    for path in (PACKAGE / "features").glob("*.py"):
        assert "lightning" not in path.read_text()
        assert {part(name) for name in imported(path)} <= {"features", "system"}


def test_scripts_hold_no_logic() -> None:
    scripts = list((PACKAGE.parent / "scripts").glob("*.py"))
    assert scripts
    for script in scripts:
        text = script.read_text()
        assert len(text.splitlines()) < 10
        assert imported(script) == {"facenet_demo.system.start"}, (
            "it watches for Ctrl-C from the first"
        )
        (module,) = re.findall(r'start\("facenet_demo\.([\w.]+)"\)', text)
        assert "def main(" in (PACKAGE / f"{module.replace('.', '/')}.py").read_text()


def test_text_reaches_the_terminal_one_way() -> None:
    """Through `PlainConsole`, which takes no name for markup and lets none move the cursor."""
    for path in MODULES:
        tree = ast.parse(path.read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        made = {node.func.id for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
        own = path.relative_to(PACKAGE).as_posix()
        assert not names & {"from_markup", "render_markup"}, own
        assert not attributes & {"from_markup", "render_str"}, own
        assert "Console" not in made, own
        markup = [node for node in ast.walk(tree) if isinstance(node, ast.keyword)
                  and node.arg == "markup" and ast.unparse(node.value) != "False"]  # fmt: skip
        assert not markup, own
        assert "print" not in made or own in MAY_PRINT, own
