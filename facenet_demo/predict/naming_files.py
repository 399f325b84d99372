"""The people in files, named: what scripts/predict.py does once its command line is read.

Every file is a row of the results; one that cannot be read stops nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from PIL import Image

from facenet_demo.predict.copies import FileNamer, places_of_copies, real_paths
from facenet_demo.predict.gallery import SUFFIX, Gallery
from facenet_demo.predict.inputs import InputFiles, find_files, read_list
from facenet_demo.predict.output import Result, counts, for_programs, photo_table, video_table
from facenet_demo.predict.predictor import Predictor
from facenet_demo.predict.results import PhotoResult
from facenet_demo.predict.video import silence_opencv
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text, make_folder
from facenet_demo.system.imports import import_modules
from facenet_demo.system.spelling import as_flags, hyphenated
from facenet_demo.system.terminal import PlainConsole, console, track
from facenet_demo.system.texts import printable
from facenet_demo.system.threads import ordered_map

_LONG_LIST = 10


@dataclass
class Progress:
    """How far it came, for whoever interrupts it."""

    done: int = 0
    total: int = 0

    def told(self) -> str:
        return f": {self.done} of {self.total} done." if self.total else " before the first file."


def name_files(settings: argparse.Namespace, progress: Progress) -> int:
    """Name the faces in the files that a command line names.

    Args:
        settings: as `command` reads them.
        progress: is told how far it came.

    Returns:
        The exit code: 0, or 1 if a file could not be read or drawn.

    Raises:
        UserError: for settings or files that cannot be used.
    """
    found = _find(settings.files)
    outputs = (settings.json, settings.csv, settings.save_gallery)
    _protect(found, [path for path in outputs if path not in (None, Path("-"))])
    if settings.json is not None and settings.json == settings.csv:
        raise UserError(f"`json` and `csv` would both write to {settings.json}.")
    if settings.save_gallery is not None and settings.gallery is None:
        raise UserError("`save_gallery` keeps a gallery: name its folder with `gallery`.")
    if settings.save_gallery is not None and settings.save_gallery.suffix != SUFFIX:
        raise UserError(f"`save_gallery` {settings.save_gallery} must end in {SUFFIX}.")
    import_modules(settings.modules)
    Image.MAX_IMAGE_PIXELS = None  # `max_megapixels` is the limit
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
    work = FileNamer(predictor, settings.every, settings.annotate, found)
    # What is wrong with a video is a row of the results.
    silence_opencv()
    if len(found.files) > 1:
        # The files are what runs in parallel.
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
    results: list[Result] = []
    with for_programs(settings.json, settings.csv) as write:
        progress.total = len(found.files) + len(found.unreadable)
        try:
            for result in _named(work, found, settings.threads):
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
    sources = real_paths(found)
    for target in targets:
        if os.path.realpath(target) in sources:
            raise UserError(f"{target} is one of the files to read; write to another one.")


def _named(work: FileNamer, found: InputFiles, num_threads: int | None) -> Iterator[Result]:
    for folder, reason in found.unreadable:
        yield PhotoResult(as_text(folder), None, error=reason)
    items = list(zip(found.files, places_of_copies(found), strict=True))
    results = ordered_map(work, items, num_threads)
    yield from track(results, len(items), "Naming faces") if len(items) > _LONG_LIST else results


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
