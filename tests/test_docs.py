"""README.md and docs/ say what is true: links lead somewhere, commands are understood."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from contributing import write_network

from facenet_demo.training.cli import parse

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "notebooks/README.md",
]
COMMANDS = {
    "benchmark.py": "facenet_demo.benchmarks.command",
    "export.py": "facenet_demo.predict.export_command",
    "predict.py": "facenet_demo.predict.command",
    "tune.py": "facenet_demo.search.command",
    "visualize.py": "facenet_demo.visualize.command",
}
RUNS = ("orl-20260131-142501", "mine-20260131-142501")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 180


def test_the_list_of_pages_is_complete() -> None:
    listed = set(re.findall(r"\((\w+\.md)\)", (ROOT / "docs/README.md").read_text("utf-8")))
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}


@every_page
def test_its_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        assert not anchor or anchor in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    """Those that GitHub and mkdocs give to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_its_commands_are_understood(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _be_where_they_are_typed(tmp_path, monkeypatch)
    for script, *args in _commands(page):
        if script == "train.py":
            assert _exit_code(lambda args=args: parse(args)) == 0
            continue
        words = [arg for arg in args[:1] if script == "benchmark.py"]
        monkeypatch.setattr("sys.argv", [script, *words, "--help"])
        assert _exit_code(importlib.import_module(COMMANDS[script]).main) == 0
        known = re.findall(r"--[\w.-]+", capsys.readouterr().out)
        assert [arg for arg in args if arg.startswith("--") and arg not in known] == [], script


def _commands(page: Path) -> list[list[str]]:
    """What a page says to run: the script's name and what it is given."""
    text = page.read_text("utf-8").replace("\\\n", " ").replace("$run", f"runs/{RUNS[0]}")
    lines = re.findall(r"(?:python |^ +)scripts/(\w+\.py[^`>\n]*)", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def _be_where_they_are_typed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with the configs, and with the files that the pages take for examples."""
    monkeypatch.chdir(folder)
    (folder / "configs").symlink_to(ROOT / "configs")
    (folder / "mydata.py").write_text(
        "from facenet_demo.data.sources import ORL\n\nclass Yale(ORL):\n    pass\n"
    )
    write_network(folder, "tiny")
    for place in (folder, *(folder / "runs" / run for run in RUNS)):
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "configs/orl.yaml", place / "config.yaml")
    (folder / "config.yaml").rename(folder / "mine.yaml")


def _exit_code(command: Callable[[], object]) -> object:
    try:
        command()
    except SystemExit as stopped:
        return stopped.code
    return 0
