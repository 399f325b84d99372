"""Writes a report: the page, its data and a manifest, each file whole or not at all.

    start_report(folder, title)              # from here on the folder says that it is unfinished
    picture.save(report_path(folder, "pictures/stem.png"))
    write_report(folder, report)             # may be called before, with finished=False, as well

What opens is `index.html`; the values of all pages stand in `data.js`, because what is opened from
disk may not read other files, and the script of each page is copied beside it. `manifest.json`
lists every file of the report for other programs, and for overwriting: only what it lists is ever
removed, and what `written.txt` names, in which an unfinished report has noted each file before it
was there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from functools import lru_cache
from importlib import resources
from numbers import Integral, Real
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from facenet_demo.report.contents import FileEntry, Page, Picture, Report
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import new_file, remove_leftovers, write_json

_MANIFEST = "manifest.json"
_WRITTEN = "written.txt"
_FRAME = resources.files("facenet_demo.report") / "page"
_SCRIPTS = b"<!-- the scripts of the pages -->\n"  # where in index.html they are named


def start_report(folder: Path, title: str, overwrite: bool = False) -> None:
    """Make the folder of a report that is still to be filled and says so.

    Args:
        folder: new or empty, or with `overwrite` one that holds a report.
        title: the report's headline.
        overwrite: remove the report that is there: all files that it made, finished or not, no
            others.

    Raises:
        UserError: the folder holds something and `overwrite` is off, or holds no report, or
            cannot be written.
    """
    try:
        if folder.is_dir() and any(folder.iterdir()):
            if not overwrite:
                raise UserError(
                    f"{folder} exists and is not empty. Name another folder, or replace the "
                    "report in it with `overwrite`."
                )
            _remove_report(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_report(folder, Report(title, finished=False))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}). Name another folder."
        ) from None


def report_path(folder: Path, name: str) -> Path:
    """Where a file of the report in `folder` goes; noted first, so that it can be overwritten."""
    with (folder / _WRITTEN).open("a", encoding="utf-8") as written:
        written.write(f"{name}\n")
    return folder / name


def write_report(folder: Path, report: Report) -> None:
    """Write the pages, their values and the manifest; the pictures are there already.

    Raises:
        FileNotFoundError: a picture or file that a page shows is not in the folder, or its script
            is not where it says.
        TypeError: a page's values are not plain.
    """
    entries = _entries(report)
    for entry in entries:
        if not (folder / entry.file).is_file():
            raise FileNotFoundError(f"{folder} holds no {entry.file}, which the report shows")
    data = _json(_plain(replace(report, pages=()), folder, "report"))
    pages = ",".join(_page_json(page, folder) for page in report.pages)
    data = f'{data[:-1]},"pages":[{pages}]}}'
    frame = {file.name: file.read_bytes() for file in _FRAME.iterdir()}
    frame |= {_script_name(page): page.script.read_bytes() for page in report.pages}
    tags = "".join(f'<script src="{_script_name(page)}" defer></script>\n' for page in report.pages)
    frame["index.html"] = frame["index.html"].replace(_SCRIPTS, tags.encode())
    own = [FileEntry(name, "page", "part of the page index.html") for name in sorted(frame)]
    own.append(FileEntry("data.js", "page", "what the page shows"))
    own.append(FileEntry(_MANIFEST, "manifest", "this list"))
    # First of all the list, so that whatever is there can be overwritten; finished last of all.
    manifest = {"title": report.title, "finished": False}
    manifest["files"] = [asdict(entry) for entry in own + entries]
    write_json(folder / _MANIFEST, manifest)
    for name, content in frame.items():
        with new_file(folder / name) as temporary:
            temporary.write_bytes(content)
    with new_file(folder / "data.js") as temporary:
        temporary.write_text(f"window.REPORT = {data};\n", "utf-8")
    write_json(folder / _MANIFEST, manifest | {"finished": report.finished})
    if report.finished:
        (folder / _WRITTEN).unlink(missing_ok=True)


@lru_cache(maxsize=16)
def _page_json(page: Page, folder: Path) -> str:
    """A page as JSON; made once, though it is written with each page that follows."""
    about = {"name": page.name, "title": page.title, "script": _script_name(page)}
    return _json(about | {"values": _plain(page.values, folder, f"page {page.name}")})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _remove_report(folder: Path) -> None:
    """Remove the files that a report made, and the folders that this empties."""
    advice = "Name another folder, or delete this one yourself."
    try:
        listed = json.loads((folder / _MANIFEST).read_text("utf-8"))["files"]
        names = [PurePosixPath(entry["file"]) for entry in listed]
        if any("\0" in str(name) for name in names):
            raise ValueError("no file has such a name")
    except FileNotFoundError:
        raise UserError(
            f"{folder} holds no report that could be overwritten: it has no {_MANIFEST}. {advice}"
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UserError(f"{folder / _MANIFEST} is not a report's manifest. {advice}") from None
    noted = _noted(folder)
    names = list(dict.fromkeys([*noted, *names, PurePosixPath(_WRITTEN), PurePosixPath(_MANIFEST)]))
    home = folder.resolve()
    for name in names:
        if not (folder / name).parent.resolve().is_relative_to(home):
            raise UserError(f"{folder / _MANIFEST} lists {name}, outside its folder. {advice}")
    # A report that was killed may have left one file half written: of its pictures the last.
    for name in [*noted[-1:], *(name for name in names if len(name.parts) == 1)]:
        remove_leftovers(folder / name)
    # The lists go last: stopped here, the folder can still be overwritten.
    lists = (PurePosixPath(_WRITTEN), PurePosixPath(_MANIFEST))
    for name in sorted(names, key=lambda name: name in lists and 1 + lists.index(name)):
        (folder / name).unlink(missing_ok=True)
    emptied = {parent for name in names for parent in name.parents if parent.parts}
    for parent in sorted(emptied, key=lambda parent: -len(parent.parts)):
        if (folder / parent).is_dir() and not any((folder / parent).iterdir()):
            (folder / parent).rmdir()


def _noted(folder: Path) -> list[PurePosixPath]:
    """What an unfinished report noted, but for a last line that was cut off."""
    try:
        text = (folder / _WRITTEN).read_text("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [PurePosixPath(name) for name in text.split("\n")[:-1]]


def _script_name(page: Page) -> str:
    """What a page's script is called in the report's folder."""
    return f"page-{page.name}.js"


def _entries(report: Report) -> list[FileEntry]:
    """Every file that a page names, once each."""
    found: dict[str, FileEntry] = {}
    for page in report.pages:
        for entry in _files(page.values):
            found.setdefault(entry.file, entry)
    return list(found.values())


def _files(value: Any) -> Iterator[FileEntry]:
    """The pictures and files among plain values, in their order."""
    if isinstance(value, Picture):
        about = (value.network, value.layer, value.unit)
        yield FileEntry(value.file, value.kind, value.caption, *about)
    elif isinstance(value, FileEntry):
        yield value
    elif is_dataclass(value):
        for f in fields(value):
            yield from _files(getattr(value, f.name))
    elif isinstance(value, Mapping):
        yield from _files(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _files(item)


def _plain(value: Any, folder: Path, where: str) -> Any:
    """A value as JSON has it: 5 digits are more than a page shows; pictures know their size.

    `where` it stands is said of what is not plain.
    """
    if isinstance(value, Picture):
        with Image.open(folder / value.file) as image:
            width, height = image.size
        about = {"file": value.file, "caption": value.caption, "kind": value.kind}
        return about | {"width": width, "height": height}
    if is_dataclass(value):
        value = {f.name: getattr(value, f.name) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item, folder, f"{where}, {key}") for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, folder, f"{where}, {i}") for i, item in enumerate(value)]
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(f"{float(value):.5g}") if math.isfinite(value) else None
    raise TypeError(
        f"{where}: a report holds no {type(value).__name__}. Give plain values: numbers, texts, "
        "lists, mappings and dataclasses of them; of an array its .tolist()."
    )
