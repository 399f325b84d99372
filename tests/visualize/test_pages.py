"""A page of one's own: a Python file and a script beside it, named with --import."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Page, browser, find_browser
from contributing import examples

from facenet_demo.training.cli import follow
from facenet_demo.training.train import TrainedRun
from facenet_demo.visualize.command import main
from facenet_demo.visualize.pages import Look, PageMaker, base

BUILT_IN = ["overview", "layers", "compare", "photos"]
WITH_PICTURE = """
from facenet_demo.visualize.pages import Look, PageMaker


class First(PageMaker):
    name = "first"
    title = "The first photo"

    def make(self, look: Look) -> dict:
        pixels = (look.evidence.test_windows[0].permute(1, 2, 0) * 255).byte().cpu().numpy()
        return {"first": look.save("first/0.png", pixels, "photo", "The first test photo.")}
"""
WITH_ROUTES = """
registerPage("first", ({ first }, { parts: [sharp] }) => [
  h("p", { class: "said" }, sharp ?? "as it is"),
  h("p", { class: "more" }, h("a", { href: route(["first", "sharp as a knife"]) }, "Sharper")),
  figure(first),
]);
"""


def example() -> list[str]:
    """The Python file and the script that CONTRIBUTING.md shows."""
    return list(examples()["a page of the report"].values())


@pytest.fixture(scope="module")
def run(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    return follow(
        [
            "--config=configs/folder.yaml",
            f"--data.source.root={people_folder}",
            f"--run.folder={tmp_path_factory.mktemp('runs')}",
            "--run.draw_every=0",
            "--trainer.max_epochs=1",
            "--trainer.enable_progress_bar=false",
            "--model.network.channels=[4,5]",
            "--model.network.convolutions=1",
        ]
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for modules of one's own; no other test sees their pages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(base, "_makers", dict(base._makers))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for module in tmp_path.glob("*.py"):
        sys.modules.pop(module.stem, None)


def text(page: Page, selector: str) -> str:
    return page.run(f"document.querySelector({selector!r}).textContent")


def pages(folder: Path) -> dict[str, dict[str, Any]]:
    """What the report shows, by the names of its pages."""
    content = (folder / "data.js").read_text("utf-8")
    shown = json.loads(content.removeprefix("window.REPORT = ").removesuffix(";\n"))
    return {page["name"]: page for page in shown["pages"]}


def test_pages_of_ones_own_are_in_the_report(run: TrainedRun, here: Path) -> None:
    for name, texts in (("mypage", example()), ("myother", (WITH_PICTURE, WITH_ROUTES))):
        for ending, content in zip((".py", ".js"), texts, strict=True):
            (here / f"{name}{ending}").write_text(content)
    made = ["--output=report", "--num-views=40", "--import=mypage", "--import=myother"]
    assert main([str(run.folder.absolute()), *made]) == 0
    folder = here / "report"
    assert list(pages(folder)) == [*BUILT_IN, "brightness", "first"]
    manifest = json.loads((folder / "manifest.json").read_text())
    listed = {entry["file"] for entry in manifest["files"]}
    assert {"page-brightness.js", "page-first.js", "pictures/first/0.png"} <= listed
    program = find_browser()
    if program is None:
        pytest.skip("needs Chromium: on Debian, apt-get install chromium")
    with browser(program) as page:
        page.open((folder / "index.html").as_uri())
        page.click("nav#nav a:nth-child(6)")
        assert text(page, "figcaption") == "The first test photo."
        assert text(page, ".said") == "as it is"
        page.click(".more a")
        assert text(page, ".said") == "sharp as a knife"
        assert page.problems == []


def test_a_page_without_its_script_is_told_before_any_work(
    run: TrainedRun, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mylost.py").write_text(example()[0])
    assert main([str(run.folder.absolute()), "--output=report", "--import=mylost"]) == 2
    said = "".join(capsys.readouterr().err.split())  # a long path goes on in the next line
    assert "mylost.js,whichistodrawit,isnotthere" in said
    assert not (here / "report").exists()


def test_a_broken_page_leaves_the_others_to_read(run: TrainedRun, here: Path) -> None:
    module, script = example()
    (here / "mybroken.py").write_text(module.replace(".tolist()", ""))
    (here / "mybroken.js").write_text(script)
    with pytest.raises(TypeError, match="page brightness, means: a report holds no Tensor"):
        main([str(run.folder.absolute()), "--output=report", "--num-views=40", "--import=mybroken"])
    assert list(pages(here / "report")) == BUILT_IN


@pytest.mark.usefixtures("here")
def test_a_page_that_cannot_be_is_refused_where_it_is_defined() -> None:
    class Pale(PageMaker):
        name, title = "pale", "Pale"

        def make(self, look: Look) -> dict[str, Any]:
            return {}

    assert list(base._makers) == [*BUILT_IN, "pale"]
    for name, said in (("Pale!", "small letters"), ("photos", "already, facenet_demo")):
        with pytest.raises(ValueError, match=said):
            type("Other", (PageMaker,), {"name": name, "title": "Other"})
    with pytest.raises(TypeError, match="has no title"):
        type("Other", (PageMaker,), {"name": "other"})
    assert list(base._makers) == [*BUILT_IN, "pale"]
