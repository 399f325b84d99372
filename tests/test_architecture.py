"""The house keeps the order that CONTRIBUTING.md draws; `house.py` finds what breaks it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from house import FRONT_DOOR, Package, room

import facenet_demo
from facenet_demo.system import commands

FOLDER = Path(facenet_demo.__file__).parent
ROOT = FOLDER.parent
MAP = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
FLOORS = [line.split() for line in MAP.split("```floors\n")[1].split("```")[0].splitlines()]
HOUSE = Package(FOLDER, FLOORS)
# To standard output: what programs, and processes that started one, read.
MAY_PRINT = {"predict/output.py", "predict/onnx_trial.py", "benchmarks/features.py"}

# Modules without a test file of their own, and what tests them instead.
TESTED_ELSEWHERE = {
    "basics/backpropagation": "basics/test_mlp.py: its gradients are autograd's",
    "basics/gates": "basics/test_neuron.py: neurons learn them",
    "benchmarks/pipeline": "predict/test_benchmarks.py, which has a predictor",
    "benchmarks/prediction": "predict/test_benchmarks.py, which has a predictor",
    "data/facts": "types alone; training/test_recipe.py makes some",
    "data/records": "types alone",
    "data/targets": "training/objectives/test_numbers.py, data/sources/test_utkface.py",
    "data/stored": "data/test_crop_cache.py and test_crops.py: it opens what crops.py wrote",
    "features/causality": "features/test_progression.py: on the network that it plants",
    "features/measures/base": "features/test_measures.py: by one of one's own",
    "features/measures/edges": "features/test_progression.py: high where edges were built in",
    "features/measures/parts": "features/test_progression.py: high where parts were built in",
    "features/measures/people": "features/test_progression.py: high where people were built in",
    "features/measures/probe": "features/test_progression.py: high where people were built in",
    "features/verdicts": "features/test_progression.py: on measures made up",
    "predict/copies": "predict/test_command.py and test_output.py: in whole runs of predict.py",
    "predict/enrollment": "predict/test_gallery.py: what it makes is a gallery",
    "predict/export_command": "predict/test_export.py: from command to file",
    "predict/models": "predict/test_export.py: a checkpoint and its ONNX answer alike",
    "predict/naming": "predict/test_predictor.py: thresholds and rates",
    "predict/naming_files": "predict/test_command.py: whole runs of predict.py",
    "predict/results": "types alone; predict/test_output.py writes them",
    "report/contents": "types alone; report/test_writer.py writes them",
    "report/measures": "texts alone; report/test_page.py finds each on the page",
    "search/command": "search/test_study.py: from command to winner",
    "system/errors": "one class without anything in it",
    "system/interrupts": "system/test_start.py: in commands that are stopped",
    "training/arguments": "training/test_cli.py: flags and files in any order",
    "training/history": "training/test_interruption.py: it comes back whole",
    "training/objectives/base": "training/objectives/test_naming.py: it is abstract",
    "training/parser": "training/test_recipe.py and test_settings.py: there and back",
    "training/preparation": "training/test_cli.py: whole trainings",
    "training/quiet": "training/test_recipe.py: a training from Python is as quiet as a command",
    "training/summary": "training/test_cli.py: in what a training prints",
    "training/task": "training/test_cli.py: whole trainings",
    "training/tensorboard": "training/test_boards.py: in what TensorBoard reads",
    "training/train": "training/test_cli.py: whole trainings",
    "training/watchers": "training/test_boards.py and test_interruption.py: what they see and keep",
    "visualize/layers": "visualize/test_families.py: on networks of each family",
    "visualize/making": "visualize/test_visualize_command.py: whole reports",
    "visualize/numbers": "visualize/test_visualize_command.py: in whole reports",
    "visualize/pages/base": "visualize/test_pages.py: pages of one's own",
    "visualize/pages/compare": "report/test_page.py clicks through it",
    "visualize/pages/layers": "visualize/test_visualize_command.py: in whole reports",
    "visualize/pages/overview": "visualize/test_visualize_command.py: in whole reports",
    "visualize/pages/photos": "visualize/test_visualize_command.py: in whole reports",
    "visualize/pages/units": "visualize/test_visualize_command.py: in whole reports",
}


# The order


def test_rooms_import_from_lower_floors_only() -> None:
    found = HOUSE.upward()
    assert not found, "\n".join(found)


def test_imports_lead_in_no_circle() -> None:
    found = HOUSE.circle()
    assert not found, "\n".join(found)


def test_every_room_is_on_the_map_and_the_house_stays_small() -> None:
    rooms = [name for floor in FLOORS for name in floor]
    assert {*rooms, FRONT_DOOR} == {room(module) for module in HOUSE.modules}
    assert len(rooms) <= 16
    assert len(FLOORS) <= 7
    assert len(HOUSE.arrows()) <= 60, sorted(HOUSE.arrows())


def test_the_map_names_what_is_there() -> None:
    """Each file that it names lies in the room under which it stands."""
    drawing = MAP.split("facenet_demo/\n")[1].split("configs/")[0]
    own = ""
    for line in drawing.splitlines():
        if started := re.match(r"  (\w+)/", line):
            own = started[1]
        for name in re.findall(r"\b(\w+\.py)\b", line.partition("scripts/")[0]):
            assert list((FOLDER / own).rglob(name)), line
    assert set(re.findall(r"(?m)^  (\w+)/", drawing)) == {n for floor in FLOORS for n in floor}


def test_each_module_has_a_test_file_or_is_tested_elsewhere() -> None:
    tests = {path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    files = [path.relative_to(FOLDER).with_suffix("") for path in HOUSE.modules.values()]
    without = {
        file.as_posix()
        for file in files
        if file.name != "__init__"
        and file.with_name(f"test_{file.name}.py") not in tests
        and file.with_name(f"test_{file.parent.name}_{file.name}.py") not in tests
    }
    assert without - TESTED_ELSEWHERE.keys() == set(), "write their tests"
    assert TESTED_ELSEWHERE.keys() - without == set(), "they have one, or are gone: take them out"
    named = re.findall(r"\b\w[\w/]*/test_\w+\.py", " ".join(TESTED_ELSEWHERE.values()))
    assert {Path(name) for name in named} <= tests


# What rooms may know


def rooms_below(name: str) -> set[str]:
    """The rooms that one imports from."""
    return {below for above, below in HOUSE.arrows() if above == name}


def test_features_take_any_module() -> None:
    """They know neither Lightning nor the networks of this project."""
    assert rooms_below("features") <= {"system"}
    for path in (FOLDER / "features").rglob("*.py"):
        assert "lightning" not in path.read_text("utf-8"), path


def test_a_report_is_made_of_plain_values() -> None:
    assert rooms_below("report") <= {"system"}
    for path in (FOLDER / "report").rglob("*.py"):
        assert not re.search(r"(?m)^\s*(import|from) torch", path.read_text("utf-8")), path


def test_predicting_leads_to_no_lightning() -> None:
    """On no way from there; `test_naming_a_face_needs_no_lightning` sees it run without."""
    reached = {module for module in HOUSE.modules if room(module) == "predict"}
    before = 0
    while len(reached) > before:
        before = len(reached)
        reached |= {each.imported for each in HOUSE.imports if each.importer in reached}
    for module in reached:
        text = HOUSE.modules[module].read_text("utf-8")
        assert not re.search(r"(?m)^\s*(import|from) lightning", text), module


def test_scripts_hold_no_logic() -> None:
    scripts = list((ROOT / "scripts").glob("*.py"))
    assert scripts
    for script in scripts:
        text = script.read_text()
        assert len(text.splitlines()) < 10
        imports = re.findall(r"(?m)^\s*(?:from|import) (\S+)", text)
        assert imports == ["facenet_demo.system.commands"], "it watches for Ctrl-C from the first"
        assert f"raise SystemExit({script.stem}())" in text
        (module,) = getattr(commands, script.stem).args
        assert "def main(" in (FOLDER.parent / f"{module.replace('.', '/')}.py").read_text()


def test_text_reaches_the_terminal_one_way() -> None:
    """Through `PlainConsole`, which takes no name for markup and lets none move the cursor."""
    for path in HOUSE.modules.values():
        tree = ast.parse(path.read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        made = {node.func.id for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
        own = path.relative_to(FOLDER).as_posix()
        assert not names & {"from_markup", "render_markup"}, own
        assert not attributes & {"from_markup", "render_str"}, own
        assert "Console" not in made, own
        markup = [node for node in ast.walk(tree) if isinstance(node, ast.keyword)
                  and node.arg == "markup" and ast.unparse(node.value) != "False"]  # fmt: skip
        assert not markup, own
        assert "print" not in made or own in MAY_PRINT, own
