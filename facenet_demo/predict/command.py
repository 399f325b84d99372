"""The command line of naming: scripts/predict.py."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import cv2
import torch
from PIL import Image

from facenet_demo.faces.photos import MAX_PIXELS, ImageError, Photo, read_photo
from facenet_demo.predict.annotate import annotate
from facenet_demo.predict.gallery import SUFFIX, Gallery
from facenet_demo.predict.inputs import InputFiles, find_files, read_list
from facenet_demo.predict.output import (
    Result,
    counts,
    csv_rows,
    csv_writer,
    json_line,
    photo_table,
    video_table,
)
from facenet_demo.predict.predictor import Predictor
from facenet_demo.predict.results import NOT_ANNOTATED, PhotoResult, Prediction
from facenet_demo.predict.video import frame_at, predict_video, silence_opencv
from facenet_demo.system.commands import as_called
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import exit_code, positive, write_for_programs
from facenet_demo.system.files import as_text, make_folder, naming, new_file
from facenet_demo.system.imports import add_import_flag, import_modules
from facenet_demo.system.spelling import as_flags, hyphenated
from facenet_demo.system.terminal import PlainConsole, console, track
from facenet_demo.system.texts import printable
from facenet_demo.system.threads import ordered_map

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
The exit code is 0 if all was read (and drawn), 1 if something could not be, 2 for wrong use.
docs/predictions.md describes the JSON.
"""
_LONG_LIST = 10
_JPEG_QUALITY = 92
_JPEG_LONGEST = 65_500  # pixels of a side
# With these no other copy could be written, either.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def main(args: Sequence[str] | None = None) -> int:
    """Name the faces in the files of a command line; returns the exit code."""
    settings = _parser().parse_args(args)
    progress = _Progress()
    return exit_code(
        lambda: _run(settings, progress),
        progress.told,
        lambda text: as_flags(printable(text), hyphenated(vars(settings)).get),
    )


@dataclass
class _Progress:
    """How far it came, for whoever interrupts it."""

    done: int = 0
    total: int = 0

    def told(self) -> str:
        return f": {self.done} of {self.total} done." if self.total else " before the first file."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=as_called(DESCRIPTION),
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
        help="larger photos are refused, JPEGs if they are larger when decoded at a fitting size, "
        "or four times as large in the file (100)")  # fmt: skip
    add("--threads", type=positive, metavar="N", help="photos at once (one for each core)")
    add_import_flag(parser, "for a network of your own: the Python module that defines it")
    return parser


def _run(settings: argparse.Namespace, progress: _Progress) -> int:
    found = _find(settings.files)
    outputs = (settings.json, settings.csv, settings.save_gallery)
    _protect(found, [path for path in outputs if path not in (None, Path("-"))])
    if settings.json is not None and settings.json == settings.csv:
        raise UserError(f"--json and --csv would both write to {settings.json}.")
    if settings.save_gallery is not None and settings.gallery is None:
        raise UserError("--save-gallery keeps a gallery: name its folder with --gallery.")
    if settings.save_gallery is not None and settings.save_gallery.suffix != SUFFIX:
        raise UserError(f"--save-gallery {settings.save_gallery} must end in {SUFFIX}.")
    import_modules(settings.modules)
    Image.MAX_IMAGE_PIXELS = None  # --max-megapixels is the limit
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
    console.print(as_flags(predictor.namer.rule(), hyphenated(vars(settings)).get))
    if settings.annotate is not None:
        try:
            make_folder(settings.annotate)
        except OSError as error:
            raise UserError(f"{settings.annotate} cannot be made: {error.strerror}.") from error
    work = _Work(predictor, settings.every, settings.annotate, found)
    # What is wrong with a video is a row of the results.
    silence_opencv()
    if len(found.files) > 1:
        # The files are what runs in parallel.
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
    results: list[Result] = []
    with ExitStack() as files:
        writers = _writers(settings, files)
        progress.total = len(found.files) + len(found.unreadable)
        try:
            for result in _named(work, found, settings.threads):
                for write in writers:
                    write(result)
                results.append(result)
                progress.done += 1
        except KeyboardInterrupt:
            _conclude(results, found, settings)
            raise
    _conclude(results, found, settings)
    return int(any(result.error is not None for result in results))


def _find(paths: Sequence[Path]) -> InputFiles:
    listed: list[Path] = []
    for path in paths:
        listed += read_list() if path == Path("-") else [path]
    found = find_files(listed)
    if not found.files and not found.unreadable:
        more = f" ({found.ignored} other files)" if found.ignored else ""
        names = ", ".join("standard input" if p == Path("-") else str(p) for p in paths)
        raise UserError(f"No photos or videos in {names}{more}.")
    return found


def _protect(found: InputFiles, targets: Sequence[Path]) -> None:
    """Results must not be written over what they were made from."""
    sources = _real(found)
    for target in targets:
        if os.path.realpath(target) in sources:
            raise UserError(f"{target} is one of the files to read; write to another one.")


def _real(found: InputFiles) -> set[str]:
    return {os.path.realpath(path) for path in found.files}  # a loop of links is no error here


class _Work:
    """What is done with each file: named, and drawn if asked for."""

    def __init__(
        self, predictor: Predictor, every: int, folder: Path | None, found: InputFiles
    ) -> None:
        self.predictor = predictor
        self.every = every
        self.folder = folder
        self.videos = found.videos
        self.sources = _real(found)

    def __call__(self, item: tuple[Path, Path]) -> Result:
        path, place = item
        result: Result
        if path in self.videos:
            result = predict_video(self.predictor, path, self.every)
        else:
            result = self.predictor(path)
            if result.error is not None:
                return result
        if self.folder is None:
            return result
        try:
            if isinstance(result, PhotoResult):
                photo = read_photo(path, self.predictor.reader.max_pixels)
                self._draw(place, photo, result.faces)
            else:
                for number, person in enumerate(result.appearances, 1):
                    pixels = frame_at(path, person.best_time)
                    target = place.with_name(f"{place.name}-{number}.jpg")
                    self._draw(target, Photo(pixels, pixels.shape[:2]), (person.best,))
        except ImageError as error:
            return replace(result, error=result.error or f"{NOT_ANNOTATED}: {error}")
        return result

    def _draw(self, place: Path, photo: Photo, faces: Sequence[Prediction]) -> None:
        assert self.folder is not None
        target = self.folder / place
        if os.path.realpath(target) in self.sources:
            raise UserError(f"{target} would be written over; name another folder to --annotate.")
        picture = annotate(photo, faces)
        if max(picture.size) > _JPEG_LONGEST:
            raise ImageError(f"a JPEG has at most {_JPEG_LONGEST} pixels a side")
        try:
            with new_file(target) as temporary:
                picture.save(temporary, "JPEG", quality=_JPEG_QUALITY)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in _FULL:
                raise UserError(f"{target} cannot be written: {reason}.") from error
            raise ImageError(f"{as_text(target)}: {reason.lower()}") from error


def _named(work: _Work, found: InputFiles, num_threads: int | None) -> Iterator[Result]:
    for folder, reason in found.unreadable:
        yield PhotoResult(as_text(folder), None, error=reason)
    items = list(zip(found.files, _copies(found), strict=True))
    results = ordered_map(work, items, num_threads)
    yield from track(results, len(items), "Naming faces") if len(items) > _LONG_LIST else results


def _copies(found: InputFiles) -> Iterator[Path]:
    """Where copies go, as JPEG; a name that is taken gets a number."""
    taken: set[Path] = set()
    for file, place in zip(found.files, found.places, strict=True):
        # Those of a video are several, with numbers of their own behind its whole name.
        as_it_is = file in found.videos or place.suffix.lower() in (".jpg", ".jpeg")
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
        lines = files.enter_context(_opened(settings.json))

        def write_line(result: Result) -> None:
            with naming(settings.json):
                print(json_line(result), file=lines, flush=True)

        writers.append(write_line)
    if settings.csv is not None:
        table = files.enter_context(_opened(settings.csv))
        writer = csv_writer(table)

        def write_rows(result: Result) -> None:
            with naming(settings.csv):
                writer.writerows(csv_rows(result))
                table.flush()

        writers.append(write_rows)
    return writers


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


def _introduce(gallery: Gallery, save: Path | None) -> None:
    console.print(f"Gallery: {len(gallery.people)} people, {len(gallery.labels)} photos.")
    for note in gallery.notes:
        console.print(f"  {printable(note)}")
    for file, reason in gallery.left_out:
        console.print(f"  left out: {printable(file)}: {printable(reason)}")
    if save is not None:
        gallery.save(save)
        console.print(f"Saved as {printable(str(save))}.")


def _conclude(results: Sequence[Result], found: InputFiles, settings: argparse.Namespace) -> None:
    """The tables, unless JSON or CSV takes their place on the terminal, and a count."""
    photos = [result for result in results if isinstance(result, PhotoResult)]
    if Path("-") not in (settings.json, settings.csv):
        terminal = PlainConsole()
        if photos:
            terminal.print(photo_table(photos))
        for result in results:
            if not isinstance(result, PhotoResult):
                terminal.print(video_table(result))
    console.print(counts(results, found.ignored))
