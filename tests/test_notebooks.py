"""The lecture runs, small, from a fresh kernel, and is committed as it ran in full."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@every_notebook
def test_it_runs_from_a_fresh_kernel(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACENET_DEMO_SMALL", "1")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    said = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    errors = "".join(o["text"] for o in said if o.get("name") == "stderr")
    # Nothing but the bar of faces being prepared, with its cursor switched off and on.
    bar = re.compile(r"(\x1b\[\?25[lh])*|.*Finding faces.*")
    assert not [line for line in re.split(r"[\r\n]", errors) if not bar.fullmatch(line)]
    assert not [o for o in said if "text/html" in o.get("data", {})]


@every_notebook
def test_it_is_committed_as_it_ran(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert {output.output_type for output in outputs} <= {"stream", "display_data"}
    shown = [data for output in outputs for data in output.get("data", {}).items()]
    assert {kind for kind, _ in shown} == {"image/png", "text/plain"}
    text = "".join(output.get("text", "") for output in outputs)
    text += "".join(data for kind, data in shown if kind == "text/plain")
    assert not re.search(r"/(tmp|home|root|work)/|Warning", text)
    assert all(output.get("name") != "stderr" for output in outputs)


@every_notebook
def test_it_says_what_it_shows_checks_it_and_defines_nothing(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    number = int(path.stem[:2])
    assert texts[0].startswith(f"# {number}. ")
    assert "\nTakes " in texts[0]
    assert "## Try this" in texts[-1]
    assert len(re.findall(r"^\s*assert ", code, re.MULTILINE)) >= 3
    assert not re.search(r"^\s*(def|class) ", code, re.MULTILINE)
    assert "facenet_demo." in code


def test_the_lecture_is_there_in_its_order() -> None:
    assert [int(path.stem[:2]) for path in NOTEBOOKS] == list(range(1, 10))
