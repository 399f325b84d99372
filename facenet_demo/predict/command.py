"""The command line of naming: scripts/predict.py."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

import cv2
import torch
from PIL import Image
from rich.text import Text

from facenet_demo.commands import exit_code, positive
from facenet_demo.parallel import ordered_map
from facenet_demo.predict.annotate import annotate
from facenet_demo.predict.gallery import SUFFIX, Gallery
from facenet_demo.predict.inputs import Found, find_files, is_video, read_list
from facenet_demo.predict.output import (
    Result,
    csv_rows,
    csv_writer,
    json_line,
    photo_table,
    video_table,
)
from facenet_demo.predict.predictor import Predictor
from facenet_demo.predict.results import Appearance, PhotoResult, Prediction
from facenet_demo.predict.video import frame_at, predict_video
from facenet_demo.progress import PlainConsole, console, track
from facenet_demo.records import UserError
from facenet_demo.storage import as_text, new_file
from facenet_demo.texts import printable
from facenet_demo.transforms import MAX_PIXELS, ImageError, Photo, read_photo

DESCRIPTION = """
Find every face in photos and videos and name it, or say that it is a stranger's.

  python scripts/predict.py runs/orl-20260131-142501 photo.jpg holiday/
  python scripts/predict.py runs/... holiday/ --annotate named/     copies with boxes and names
  python scripts/predict.py runs/... holiday/ --json faces.jsonl    for a program; - is the terminal
  find . -name '*.jpg' -print0 | python scripts/predict.py runs/... -
  python scripts/predict.py runs/... party.mp4 --every 10           who is seen when

People that the network was never trained on, from a few photos of each:

  python scripts/predict.py runs/... holiday/ --gallery people/ --save-gallery people.safetensors
  python scripts/predict.py runs/... holiday/ --gallery people.safetensors
"""
_EPILOG = """
The exit code is 0 if all was read, 1 if something could not be, 2 for wrong use.
docs/predictions.md describes the JSON.
"""
_LONG_LIST = 10
_JPEG_QUALITY = 92


def main(args: Sequence[str] | None = None) -> int:
    """Name the faces in the files of a command line; returns the exit code."""
    settings = _parser().parse_args(args)
    return exit_code(lambda: _run(settings), " before the first file.", printable)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", type=Path, help="a run folder, a checkpoint, or a file of scripts/export.py")
    add("files", nargs="+", type=Path, metavar="file",
        help="photos, videos, folders; - reads a list from standard input")  # fmt: skip
    add(
        "--json", type=Path, metavar="FILE", help="a line of JSON for each file; - for the terminal"
    )
    add("--csv", type=Path, metavar="FILE", help="a row for each face")
    add("--annotate", type=Path, metavar="DIR", help="copies with boxes and names")
    add("--top", type=positive, default=3, metavar="N", help="guesses for each face (3)")
    add("--threshold", type=float, metavar="X",
        help="a face is known above this certainty, with a gallery this similarity")  # fmt: skip
    add("--false-accept-rate", type=float, metavar="X",
        help="or: the chance at which a stranger may get a name, such as 0.01")  # fmt: skip
    add("--gallery", type=Path, metavar="PATH",
        help="name these people instead: a folder of folders, or a saved gallery")  # fmt: skip
    add("--save-gallery", type=Path, metavar="FILE", help="keep it, as FILE.safetensors")
    add("--strangers", type=Path, metavar="DIR",
        help="photos of people who are not in the gallery; they set its threshold")  # fmt: skip
    add("--every", type=positive, default=5, metavar="N",
        help="of videos every N-th frame is looked at (5)")  # fmt: skip
    add("--search-side", type=positive, default=640, metavar="PIXELS",
        help="longer side of a photo while it is searched; there, faces of 32 pixels and more are "
        "found (640)")  # fmt: skip
    add("--max-megapixels", type=positive, default=MAX_PIXELS // 1_000_000, metavar="N",
        help="larger photos are refused (100)")  # fmt: skip
    add("--threads", type=positive, metavar="N", help="photos at once (one for each core)")
    return parser


def _run(settings: argparse.Namespace) -> int:
    found = _find(settings.files)
    outputs = (settings.json, settings.csv, settings.save_gallery)
    _protect(found, [path for path in outputs if path not in (None, Path("-"))])
    if settings.json is not None and settings.json == settings.csv:
        raise UserError(f"--json and --csv would both write to {settings.json}.")
    if settings.save_gallery is not None and settings.gallery is None:
        raise UserError("--save-gallery keeps a gallery: name its folder with --gallery.")
    if settings.save_gallery is not None and settings.save_gallery.suffix != SUFFIX:
        raise UserError(f"--save-gallery {settings.save_gallery} must end in {SUFFIX}.")
    predictor = Predictor(
        settings.model,
        gallery=settings.gallery,
        strangers=settings.strangers,
        threshold=settings.threshold,
        false_accept_rate=settings.false_accept_rate,
        num_guesses=settings.top,
        search_side=settings.search_side,
        max_pixels=settings.max_megapixels * 1_000_000,
    )
    if isinstance(predictor.namer, Gallery):
        _introduce(predictor.namer, settings.save_gallery)
    console.print(predictor.namer.rule())
    Image.MAX_IMAGE_PIXELS = None  # --max-megapixels is the limit
    work = _Work(predictor, settings.every, settings.annotate, found)
    # What is wrong with a video is a row of the results.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if len(found.files) > 1:
        # The files are what runs in parallel.
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
    results: list[Result] = []
    with ExitStack() as files:
        writers = _writers(settings, files)
        try:
            for result in _named(work, found, settings.threads):
                for write in writers:
                    write(result)
                results.append(result)
        except KeyboardInterrupt:
            _conclude(results, found, settings)
            total = len(found.files) + len(found.unreadable)
            console.print(
                Text.assemble(("Interrupted", "bold"), f": {len(results)} of {total} done.")
            )
            return 130
    _conclude(results, found, settings)
    return int(any(result.error is not None for result in results))


def _find(paths: Sequence[Path]) -> Found:
    listed: list[Path] = []
    for path in paths:
        listed += read_list() if path == Path("-") else [path]
    found = find_files(listed)
    if not found.files and not found.unreadable:
        more = f" ({found.ignored} other files)" if found.ignored else ""
        names = ", ".join("standard input" if p == Path("-") else str(p) for p in paths)
        raise UserError(f"No photos or videos in {names}{more}.")
    return found


def _protect(found: Found, targets: Sequence[Path]) -> None:
    """Results must not be written over what they were made from."""
    sources = _real(found)
    for target in targets:
        if os.path.realpath(target) in sources:
            raise UserError(f"{target} is one of the files to read; write to another one.")


def _real(found: Found) -> set[str]:
    return {os.path.realpath(path) for path in found.files}  # a loop of links is no error here


class _Work:
    """What is done with each file: named, and drawn if asked for."""

    def __init__(self, predictor: Predictor, every: int, folder: Path | None, found: Found) -> None:
        self.predictor = predictor
        self.every = every
        self.folder = folder
        self.sources = _real(found)

    def __call__(self, item: tuple[Path, Path]) -> Result:
        path, place = item
        if is_video(path):
            seen = predict_video(self.predictor, path, self.every)
            if self.folder is not None:
                for number, person in enumerate(seen.appearances, 1):
                    with suppress(ImageError):  # gone or changed since it was named
                        pixels = frame_at(path, person.best_time)
                        target = place.with_name(f"{place.name}-{number}.jpg")
                        self._draw(target, Photo(pixels, pixels.shape[:2]), (person.best,))
            return seen
        result = self.predictor(path)
        if self.folder is not None and result.error is None:
            with suppress(ImageError):
                photo = read_photo(path, self.predictor.reader.max_pixels)
                self._draw(place, photo, result.faces)
        return result

    def _draw(self, place: Path, photo: Photo, faces: Sequence[Prediction]) -> None:
        assert self.folder is not None
        target = self.folder / place
        if os.path.realpath(target) in self.sources:
            raise UserError(f"{target} would be written over; name another folder to --annotate.")
        try:
            with new_file(target) as temporary:
                annotate(photo, faces).save(temporary, "JPEG", quality=_JPEG_QUALITY)
        except OSError as error:
            raise UserError(f"{target} cannot be written: {error.strerror or error}.") from error


def _named(work: _Work, found: Found, num_threads: int | None) -> Iterator[Result]:
    for folder, reason in found.unreadable:
        yield PhotoResult(as_text(folder), None, error=reason)
    items = list(zip(found.files, _copies(found.places), strict=True))
    results = ordered_map(work, items, num_threads)
    yield from track(results, len(items), "Naming faces") if len(items) > _LONG_LIST else results


def _copies(places: Sequence[Path]) -> Iterator[Path]:
    """Where copies go, as JPEG; a name that is taken gets a number."""
    taken: set[Path] = set()
    for place in places:
        # Those of a video are several, with numbers of their own behind its whole name.
        as_it_is = is_video(place) or place.suffix.lower() in (".jpg", ".jpeg")
        first = place if as_it_is else place.with_name(f"{place.name}.jpg")
        copy = first
        number = 1
        while copy in taken:
            number += 1
            copy = first.with_name(f"{first.stem}-{number}{first.suffix}")
        taken.add(copy)
        yield copy


def _writers(settings: argparse.Namespace, files: ExitStack) -> list[Callable[[Result], None]]:
    writers: list[Callable[[Result], None]] = []
    if settings.json is not None:
        lines = _open(settings.json, files)
        writers.append(lambda result: print(json_line(result), file=lines, flush=True))
    if settings.csv is not None:
        table = _open(settings.csv, files)
        writer = csv_writer(table)

        def write(result: Result) -> None:
            writer.writerows(csv_rows(result))
            table.flush()

        writers.append(write)
    return writers


def _open(path: Path, files: ExitStack) -> TextIO:
    if path == Path("-"):
        return sys.stdout
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not under a temporary name: what is finished is to be there if the run is stopped.
        return files.enter_context(path.open("w", encoding="utf-8", newline=""))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error


def _introduce(gallery: Gallery, save: Path | None) -> None:
    console.print(f"Gallery: {len(gallery.people)} people, {len(gallery.labels)} photos.")
    for file, reason in gallery.left_out:
        console.print(f"  left out: {printable(file)}: {printable(reason)}")
    if save is not None:
        gallery.save(save)
        console.print(f"Saved as {printable(str(save))}.")


def _conclude(results: Sequence[Result], found: Found, settings: argparse.Namespace) -> None:
    """The tables, unless JSON or CSV takes their place on the terminal, and a count."""
    photos = [result for result in results if isinstance(result, PhotoResult)]
    if Path("-") not in (settings.json, settings.csv):
        terminal = PlainConsole()
        if photos:
            terminal.print(photo_table(photos))
        for result in results:
            if not isinstance(result, PhotoResult):
                terminal.print(video_table(result))
    faces: list[Prediction | Appearance] = []
    for result in results:
        faces += result.faces if isinstance(result, PhotoResult) else result.appearances
    unread = sum(result.error is not None for result in results)
    parts: list[str | Text] = [
        f"{len(results)} files",
        f"{len(faces)} faces",
        f"{sum(face.name is not None for face in faces)} named",
    ]
    if unread:
        parts.append(Text(f"{unread} not read", "bold red"))
    if found.ignored:
        parts.append(f"{found.ignored} files in folders ignored, no photos by their names")
    console.print(Text(", ").join(map(Text.assemble, parts)) + Text("."))
