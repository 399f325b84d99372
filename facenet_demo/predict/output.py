"""What a run of predict.py writes: a table for people, JSON lines and CSV for programs.

Rows are written as they come, so that what is finished stays if the run is stopped.
"""

from __future__ import annotations

import csv
import json
import os.path
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO, TypeAlias

from rich.table import Table
from rich.text import Text

from facenet_demo.predict.results import (
    NOT_ANNOTATED,
    SCHEMA,
    Appearance,
    PhotoResult,
    Prediction,
    VideoResult,
)
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import write_for_programs
from facenet_demo.system.files import json_value, make_folder, naming
from facenet_demo.system.texts import printable

Result: TypeAlias = PhotoResult | VideoResult
# Programs that show tables take a cell that begins so for a formula to compute.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
CSV_COLUMNS = (
    "file", "name", "probability", "certainty", "x1", "y1", "x2", "y2", "size",
    "detector_score", "start", "end", "warnings", "error",
)  # fmt: skip


def json_line(result: Result) -> str:
    """One line of JSON; docs/predictions.md describes it."""
    kind = "photo" if isinstance(result, PhotoResult) else "video"
    content = {"schema": SCHEMA, "kind": kind, **asdict(result)}
    for entry in content.get("faces", content.get("appearances", ())):
        _plain(entry)
    return json.dumps(json_value(content), ensure_ascii=False, allow_nan=False)


def csv_rows(result: Result) -> list[dict[str, object]]:
    """A row for each face or appearance; without any one row that says so.

    Texts that a spreadsheet would take for a formula begin with an apostrophe, as OWASP advises.
    """
    file = {"file": result.file, "error": result.error}
    if isinstance(result, PhotoResult):
        rows = [{**file, **_csv_face(face, face)} for face in result.faces]
    else:
        rows = [
            {**file, **_csv_face(seen, seen.best), "start": seen.start, "end": seen.end}
            for seen in result.appearances
        ]
    rows = rows or [{**file, "error": result.error or "no face found"}]
    return [{column: _no_formula(value) for column, value in row.items()} for row in rows]


def csv_writer(file: TextIO) -> csv.DictWriter:
    """A writer that has written the heads of `CSV_COLUMNS`."""
    # Texts in quotes: else, where `;` parts cells, one might begin in the midst of a name.
    writer = csv.DictWriter(file, CSV_COLUMNS, restval="", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    return writer


@contextmanager
def for_programs(lines: Path | None, table: Path | None) -> Iterator[Callable[[Result], None]]:
    """Files to write results into as they come: call what it yields with each.

    Args:
        lines: of JSON, one for each result; - is standard output, None no file.
        table: CSV with its heads, likewise.

    Raises:
        UserError: if one cannot be opened.
    """
    with ExitStack() as files:
        writers: list[Callable[[Result], None]] = []
        if lines is not None:
            writers.append(_line_writer(lines, files.enter_context(_opened(lines))))
        if table is not None:
            writers.append(_row_writer(table, files.enter_context(_opened(table))))

        def write(result: Result) -> None:
            for writer in writers:
                writer(result)

        yield write


def photo_table(results: Sequence[PhotoResult]) -> Table:
    """A line for each face, photos without one or with an error included."""
    table = _table("photo", "name", "probability", "otherwise", "pixels", "note")
    folder = _shared_folder([result.file or "" for result in results])
    if folder:
        table.title = Text(f"in {printable(folder)}", style="dim")
    for result in results:
        path = result.file or ""
        file = printable(path[len(folder) :].lstrip("/") if folder else path)
        if result.error is not None or not result.faces:
            table.add_row(file, "", "", "", "", Text(printable(result.error or "no face found"),
                          style="red" if result.error else "dim"))  # fmt: skip
        for face in result.faces:
            table.add_row(file, *_named(face), str(face.size), ", ".join(face.warnings))
            file = ""
    return table


def video_table(result: VideoResult) -> Table | Text:
    """A line for each appearance; one line in all where there is none."""
    if not result.appearances:
        reason = printable(result.error or "no face found")
        return Text(f"{printable(result.file)}: {reason}", style="red" if result.error else "dim")
    table = _table("from", "to", "name", "probability", "otherwise", "frames")
    table.title = Text(printable(result.file))
    for seen in result.appearances:
        times = (clock(seen.start), clock(seen.end))
        table.add_row(*times, *_named(seen), str(seen.num_frames))
    if result.error is not None:
        table.caption = Text(printable(result.error), style="red")
    return table


def counts(results: Sequence[Result], ignored: int) -> Text:
    """One line: how many files and faces, what went wrong, how many files were left alone."""
    faces: list[Prediction | Appearance] = []
    for result in results:
        faces += result.faces if isinstance(result, PhotoResult) else result.appearances
    wrong = [result.error for result in results if result.error is not None]
    not_annotated = sum(error.startswith(NOT_ANNOTATED) for error in wrong)
    parts = [
        Text(f"{len(results)} files, {len(faces)} faces"),
        Text(f"{sum(face.name is not None for face in faces)} named"),
    ]
    for count, what in (
        (len(wrong) - not_annotated, "not read"),
        (not_annotated, NOT_ANNOTATED),
    ):
        if count:
            parts.append(Text(f"{count} {what}", "bold red"))
    if ignored:
        parts.append(Text(f"{ignored} files in folders ignored, neither photos nor videos"))
    return Text(", ").join(parts) + Text(".")


def clock(seconds: float) -> str:
    """A time in a video: 1:02.5, 1:00:00.0."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    start = f"{hours}:{minutes:02d}" if hours else str(minutes)
    return f"{start}:{rest:04.1f}"


def _line_writer(path: Path, file: TextIO) -> Callable[[Result], None]:
    def write(result: Result) -> None:
        with naming(path):
            print(json_line(result), file=file, flush=True)

    return write


def _row_writer(path: Path, file: TextIO) -> Callable[[Result], None]:
    writer = csv_writer(file)

    def write(result: Result) -> None:
        with naming(path):
            writer.writerows(csv_rows(result))
            file.flush()

    return write


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A file for programs, in UTF-8 whatever the terminal's encoding; - is standard output."""
    if path == Path("-"):
        write_for_programs()
        yield sys.stdout
        return
    try:
        make_folder(path.parent)
        # Not under a temporary name: what is finished is to be there if the run is stopped.
        file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error
    with naming(path), file:
        yield file


def _table(*heads: str) -> Table:
    table = Table(title_justify="left", caption_justify="left")
    for head in heads:
        right = head in ("probability", "pixels", "frames", "from", "to")
        table.add_column(head, justify="right" if right else "left", overflow="fold")
    return table


def _shared_folder(files: Sequence[str]) -> str:
    """What all paths begin with, so that a table can say it once."""
    folders = [os.path.dirname(file) for file in files]  # noqa: PTH120 - text, as it is shown
    if len({os.path.isabs(folder) for folder in folders}) != 1:  # noqa: PTH117
        return ""
    shared = os.path.commonpath(folders)
    return shared if len(shared) > 1 else ""


def _named(face: Prediction | Appearance) -> tuple[Text, str, str]:
    others = face.guesses if face.name is None else face.guesses[1:]
    otherwise = ", ".join(f"{printable(g.name)} {g.probability:.0%}" for g in others[:2])
    if face.name is None:
        return Text(face.label, style="yellow"), "", otherwise
    return Text(printable(face.label), style="bold green"), f"{face.probability:.1%}", otherwise


def _csv_face(named: Prediction | Appearance, face: Prediction) -> dict[str, object]:
    return {
        "name": named.label,
        "probability": named.probability,
        "certainty": named.certainty,
        **dict(zip(("x1", "y1", "x2", "y2"), face.box, strict=True)),
        "size": face.size,
        "detector_score": face.detector_score,
        "warnings": " ".join(face.warnings),
    }


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _plain(entry: dict) -> None:
    """Guesses as objects rather than pairs."""
    entry["guesses"] = [{"name": name, "probability": p} for name, p in entry["guesses"]]
    if "best" in entry:
        _plain(entry["best"])
