"""What breaks the order of a house is found, and its line named."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import Package

FLOORS = [["ground"], ["left", "right"], ["roof"]]


def built(folder: Path, **planted: str) -> Package:
    """A house in order, and text at the end of some of its modules: roof__top="import ..."."""
    texts = {
        "__init__": '"""The front door."""\nfrom house.roof import top',
        "ground/__init__": "",
        "ground/stone": "",
        "left/__init__": "from house.left.chair import Chair",
        "left/chair": "from house.ground import stone\nclass Chair: ...",
        "left/table": "import house.left.chair",
        "right/__init__": "",
        "right/bed": "import ast",
        "roof/__init__": "",
        "roof/top": "from house.left import Chair, table\nfrom house.right.bed import ast",
    }
    for name, text in texts.items():
        path = folder / f"house/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n{planted.get(name.replace('/', '__'), '')}\n", "utf-8")
    return Package(folder / "house", FLOORS)


def test_a_house_in_order_passes(tmp_path: Path) -> None:
    house = built(tmp_path)
    assert not house.upward()
    assert not house.circle()
    assert house.arrows() == {("left", "ground"), ("roof", "left"), ("roof", "right")}


@pytest.mark.parametrize(
    ("module", "statement", "line", "why"),
    [
        ("ground__stone", "import house.roof.top", 2, "roof lies above ground"),
        (
            "ground__stone",
            "def f():\n    from house.left import table",
            3,
            "left lies above ground",
        ),
        ("right__bed", "from house.left.chair import Chair", 2, "left lies beside right"),
        ("right__bed", "class A:\n    def f(self): import house.left.table", 3, "left lies beside"),
        (
            "left__table",
            "if TYPE_CHECKING:\n    from house.roof.top import A",
            3,
            "roof lies above",
        ),
        ("left__table", "importlib.import_module('house.roof.top')", 2, "roof lies above left"),
        ("roof__top", "from house import Chair", 3, "__init__ lies above roof"),
    ],
)
def test_an_import_that_does_not_lead_down_is_named(
    module: str, statement: str, line: int, why: str, tmp_path: Path
) -> None:
    found = built(tmp_path, **{module: statement}).upward()
    assert found
    for sentence in found:  # of the package on the way to a module, too
        assert sentence.startswith(f"house/{module.replace('__', '/')}.py:{line}: ")
        assert statement.rpartition(": ")[2].split("\n")[-1].strip() in sentence
        assert why in sentence


@pytest.mark.parametrize(
    ("module", "statement", "circle"),
    [
        ("left__chair", "import house.left.table",
         ["house/left/chair.py:3: import house.left.table",
          "house/left/table.py:1: import house.left.chair"]),
        ("left__chair", "def f():\n    from house.left import table",
         ["house/left/chair.py:4: from house.left import table",
          "house/left/table.py:1: import house.left.chair"]),
        ("left__chair", "from house.left import Chair",
         ["house/left/__init__.py:1: from house.left.chair import Chair",
          "house/left/chair.py:3: from house.left import Chair"]),
        ("right__bed", "import house.right.bed", ["house/right/bed.py:2: import house.right.bed"]),
    ],
)  # fmt: skip
def test_a_circle_within_a_room_is_named(
    module: str, statement: str, circle: list[str], tmp_path: Path
) -> None:
    house = built(tmp_path, **{module: statement})
    assert not house.upward()
    assert house.circle() == circle


def test_a_circle_within_a_floor_is_named(tmp_path: Path) -> None:
    house = built(
        tmp_path, right__bed="import house.left.table", left__table="import house.right.bed"
    )
    assert house.circle() == [
        "house/left/table.py:2: import house.right.bed",
        "house/right/bed.py:2: import house.left.table",
    ]


def test_a_circle_through_the_package_of_a_module_is_named(tmp_path: Path) -> None:
    """Whoever imports house.left.chair runs house/left/__init__.py, and all that it imports."""
    house = built(
        tmp_path, left____init__="import house.right.bed", right__bed="import house.left.chair"
    )
    assert any("right/bed.py:2: import house.left.chair" in line for line in house.circle())


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("from . import stone", "house/ground/stone.py:2: from . import stone: there is no module"),
        ("def f():\n    import house.attic", "stone.py:3: import house.attic: there is no module"),
    ],
)
def test_an_import_that_leads_nowhere_is_named(
    statement: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        _ = built(tmp_path, ground__stone=statement).imports
