"""A report's files: whole, listed, and only ever removed if they were the report's own."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from fake_report import LAYERS, fake_report

from facenet_demo.report import (
    SCORES,
    FileEntry,
    Page,
    Picture,
    Report,
    report_path,
    start_report,
    write_report,
    writer,
)
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import new_file


def data(folder: Path) -> dict[str, Any]:
    """What the page will find in `window.REPORT`."""
    text = (folder / "data.js").read_text("utf-8")
    assert text.startswith("window.REPORT = ")
    assert text.endswith(";\n")
    return json.loads(text.removeprefix("window.REPORT = ")[:-2])


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


@pytest.fixture
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scripts") / "mine.js"
    path.write_text('registerPage("mine", () => "mine");\n')
    return path


@pytest.fixture
def shown(tmp_path: Path, script: Path) -> Callable[..., dict[str, Any]]:
    """Write a report of one page with these values; gives what the page will find."""

    def write(**values: Any) -> dict[str, Any]:
        write_report(tmp_path, Report("Title", pages=(Page("mine", "Mine", script, values),)))
        (page,) = data(tmp_path)["pages"]
        return page["values"]

    return write


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The folder of a small report."""
    folder = tmp_path / "report"
    start_report(folder, "Old")
    write_report(folder, fake_report(folder, num_units=2))
    return folder


def test_a_started_report_says_that_it_is_unfinished(tmp_path: Path) -> None:
    folder = tmp_path / "deep/report"
    start_report(folder, "Title")
    assert data(folder)["finished"] is False
    assert manifest(folder)["finished"] is False
    assert (folder / "index.html").is_file()


def test_the_manifest_lists_every_file_once(finished: Path) -> None:
    listed = [entry["file"] for entry in manifest(finished)["files"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == files(finished)
    assert manifest(finished)["finished"] is True


def test_the_manifest_says_where_a_picture_belongs(finished: Path) -> None:
    entries = {entry["file"]: entry for entry in manifest(finished)["files"]}
    name = "pictures/untrained/stages.1/1-synthesis.png"
    about = {key: entries[name][key] for key in ("network", "layer", "unit", "kind")}
    assert about == {
        "network": "untrained", "layer": "stages.1", "unit": 1, "kind": "synthesis",
    }  # fmt: skip
    assert entries["progression.json"]["kind"] == "numbers"
    assert entries["progression.json"]["layer"] is None


def test_data_hold_what_the_report_holds(finished: Path, tmp_path: Path) -> None:
    report = fake_report(tmp_path / "same", num_units=2)
    found = data(finished)
    pages = {page["name"]: page for page in found["pages"]}
    assert [(name, page["title"]) for name, page in pages.items()] == [
        ("overview", "The progression"), ("layers", "Layers"), ("compare", "Compare"),
        ("photos", "Your photos"),
    ]  # fmt: skip
    networks = pages["layers"]["values"]["networks"]
    assert [layer["name"] for layer in networks[0]["layers"]] == list(LAYERS)
    unit = report.pages[1].values["networks"][1].layers[2].units[1]
    seen = networks[1]["layers"][2]["units"][1]
    assert seen["best_person"] == unit.best_person
    assert seen["scores"]["iou"] == pytest.approx(unit.scores["iou"], rel=1e-4)
    assert seen["parts"]["mouth"] == pytest.approx(list(unit.parts["mouth"]), rel=1e-4)
    assert seen["people"][3][0] == "person 03"
    assert set(found["scores"]) == set(SCORES)


def test_the_script_of_each_page_is_copied_and_named_in_order(tmp_path: Path, script: Path) -> None:
    pages = (Page("b", "B", script, {}), Page("a-2", "A", script, {}))
    write_report(tmp_path, Report("Title", pages=pages))
    html = (tmp_path / "index.html").read_text()
    names = re.findall(r'<script src="([^"]+)" defer>', html)
    assert names[0] == "data.js"
    assert names[-3:] == ["page-b.js", "page-a-2.js", "app.js"]
    for name in ("page-b.js", "page-a-2.js"):
        assert (tmp_path / name).read_bytes() == script.read_bytes()
    assert {entry["file"] for entry in manifest(tmp_path)["files"]} == files(tmp_path)


@pytest.mark.parametrize("name", ["", "Big", "a b", "../a", "ä", 'a"', "1st", "measures", "a\n"])
def test_a_page_has_a_name_that_addresses_and_files_can_hold(script: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Page(name, "Title", script, {})


def test_data_tell_the_size_of_pictures(finished: Path) -> None:
    chart = data(finished)["pages"][0]["values"]["progression"]["figure"]
    assert (chart["width"], chart["height"]) == (1000, 360)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan"), None])
def test_what_was_not_measured_is_null(shown: Callable, value: float | None) -> None:
    assert shown(scores={"iou": value}) == {"scores": {"iou": None}}


def test_numpy_numbers_are_numbers(shown: Callable) -> None:
    assert shown(unit=np.int64(3), iou=np.float32(0.25)) == {"unit": 3, "iou": 0.25}


def test_arrays_do_not_belong_in_a_report(shown: Callable) -> None:
    with pytest.raises(TypeError, match=r"page mine, layers, 1, iou: .* no ndarray\..*tolist"):
        shown(layers=[{}, {"iou": np.zeros(2)}])


def test_dataclasses_are_mappings_and_named_tuples_are_lists(shown: Callable) -> None:
    class Pair(NamedTuple):
        name: str
        number: float | None = None

    one = dataclasses.make_dataclass("One", ["pairs"])((Pair("a", 1.0), Pair("b")))
    assert shown(one=one) == {"one": {"pairs": [["a", 1.0], ["b", None]]}}


def test_names_are_kept_as_they_are(shown: Callable) -> None:
    name = "O'Neil \"<b>\u2028</script> Zoë 王"
    assert shown(people=[name]) == {"people": [name]}


def test_a_missing_picture_is_named_and_nothing_is_written(finished: Path, script: Path) -> None:
    before = (finished / "data.js").read_bytes()
    lost = {"units": [{"pictures": (Picture("pictures/lost.png", "Lost", "patches"),)}]}
    with pytest.raises(FileNotFoundError, match=r"pictures/lost\.png"):
        write_report(finished, Report("Title", pages=(Page("mine", "Mine", script, lost),)))
    assert (finished / "data.js").read_bytes() == before


def test_a_folder_with_something_in_it_is_left_alone(finished: Path) -> None:
    before = {name: (finished / name).read_bytes() for name in files(finished)}
    with pytest.raises(UserError, match=r"another folder.*`overwrite`"):
        start_report(finished, "New")
    assert {name: (finished / name).read_bytes() for name in files(finished)} == before


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    start_report(tmp_path, "Title")
    assert data(tmp_path)["title"] == "Title"


def test_overwriting_removes_the_report_and_nothing_else(finished: Path) -> None:
    mine = finished / "pictures/trained/stem/mine.txt"
    mine.write_text("keep me")
    start_report(finished, "New", overwrite=True)
    fresh = {entry["file"] for entry in manifest(finished)["files"]}
    assert files(finished) == fresh | {"pictures/trained/stem/mine.txt"}
    assert not (finished / "pictures/untrained").exists()
    assert data(finished)["title"] == "New"


def test_an_unfinished_report_can_be_overwritten(finished: Path, tmp_path: Path) -> None:
    report = dataclasses.replace(fake_report(finished, num_units=2), finished=False)
    write_report(finished, report)
    start_report(finished, "New", overwrite=True)
    assert not (finished / "pictures").exists()


@pytest.mark.parametrize("name", ["app.js", "index.html", "style.css", "data.js"])
def test_stopped_at_any_file_it_is_unfinished_and_can_be_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def stop(path: Path) -> AbstractContextManager[Path]:
        if path.name == name:
            raise KeyboardInterrupt
        return new_file(path)

    folder = tmp_path / "report"
    with monkeypatch.context() as patch:
        patch.setattr(writer, "new_file", stop)
        with pytest.raises(KeyboardInterrupt):
            write_report(folder, Report("Old"))
    assert manifest(folder)["finished"] is False
    start_report(folder, "New", overwrite=True)
    assert data(folder)["title"] == "New"


def test_what_a_killed_report_left_can_be_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    start_report(folder, "Old")
    for name in ("progression.json", "pictures/trained/stem/0-patches.webp", "pictures/a.png"):
        path = report_path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a picture")
    killed = report_path(folder, "pictures/trained/stem/1-patches.webp")  # then it writes
    killed.with_name(f".{killed.name}.0123abcd.webp").write_text("half a pict")
    (folder / ".manifest.json.0123abcd.json").write_text("{")
    mine = {".index.html.swp", "pictures/trained/mine.txt", "pictures/a.png~"}
    for name in mine:
        (folder / name).write_text("keep me")
    with (folder / "written.txt").open("a") as written:
        written.write("pictures/trained/mine.txt")  # no whole line: cut off
    start_report(folder, "New", overwrite=True)
    fresh = {entry["file"] for entry in manifest(folder)["files"]}
    assert files(folder) == fresh | mine
    assert not (folder / "pictures/trained/stem").exists()


def test_a_finished_report_has_one_list(tmp_path: Path, shown: Callable) -> None:
    start_report(tmp_path, "Title")
    report_path(tmp_path, "numbers.json").write_text("{}")
    assert (tmp_path / "written.txt").read_text() == "numbers.json\n"
    shown(numbers=FileEntry("numbers.json", "numbers", "all of them"))
    assert files(tmp_path) == {entry["file"] for entry in manifest(tmp_path)["files"]}


def test_a_report_of_before_pages_had_scripts_of_their_own_can_be_overwritten(
    tmp_path: Path,
) -> None:
    before = ["app.js", "data.js", "elements.js", "index.html", "layers.js", "overview.js",
              "photos.js", "style.css", "unit.js", "manifest.json", "progression.json",
              "pictures/trained/stem/0-patches.webp"]  # fmt: skip
    (tmp_path / "pictures/trained/stem").mkdir(parents=True)
    for name in before:
        (tmp_path / name).write_text("old")
    entry = {"kind": "", "description": "", "network": None, "layer": None, "unit": None}
    listed = {"title": "Old", "finished": True, "files": [{"file": f} | entry for f in before]}
    (tmp_path / "manifest.json").write_text(json.dumps(listed))
    start_report(tmp_path, "New", overwrite=True)
    assert files(tmp_path) == {entry["file"] for entry in manifest(tmp_path)["files"]}
    assert not {"unit.js", "progression.json"} & files(tmp_path)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"files": [1]}', '{"files": 3}'])
def test_what_is_no_report_is_not_overwritten(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    before = files(tmp_path)
    with pytest.raises(UserError, match=r"manifest\.json"):
        start_report(tmp_path, "New", overwrite=True)
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["../mine.txt", "linked/mine.txt", "{outside}/mine.txt", ""])
def test_nothing_outside_the_folder_is_removed(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for place in (tmp_path, outside):
        (place / "mine.txt").write_text("keep me")
    folder = tmp_path / "report"
    start_report(folder, "Old")
    (folder / "linked").symlink_to(outside)
    listing = manifest(folder)
    listing["files"].append({"file": name.format(outside=outside)})
    (folder / "manifest.json").write_text(json.dumps(listing))
    with pytest.raises(UserError, match="outside its folder"):
        start_report(folder, "New", overwrite=True)
    assert (tmp_path / "mine.txt").is_file()
    assert (outside / "mine.txt").is_file()
    assert (folder / "data.js").is_file()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        start_report(tmp_path / "report", "Title")
