"""From what a user names to a list of files: photos, folders, videos, a list on standard input.

found = find_files([Path("photo.jpg"), Path("holiday/")])
found.files                          # in order, folders sorted by name
found.ignored                        # how many files in folders are no photos by their name
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PHOTOS = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo",
    ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
_VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


@dataclass
class Found:
    """What is to be read.

    Attributes:
        files: every file once for each time it was named, whether or not it exists.
        places: where each lies within the folder that was named; a file that was named itself has
            its name alone.
        ignored: number of files in folders left alone because their names are no photo's.
        unreadable: folders that could not be listed, and why.
    """

    files: list[Path] = field(default_factory=list)
    places: list[Path] = field(default_factory=list)
    ignored: int = 0
    unreadable: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def photos(self) -> list[Path]:
        """The files that are no videos by their names."""
        return [file for file in self.files if not is_video(file)]


def is_video(path: Path) -> bool:
    """Whether a file is a video by its name."""
    return path.suffix.lower() in _VIDEOS


def find_files(paths: Sequence[Path]) -> Found:
    """The files named, and those in the folders named.

    In folders, files with the names of photos and videos count, hidden ones do not; links are
    followed, each folder is entered once.
    """
    found = Found()
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - no name is an error here
            found.files.append(path)
            found.places.append(Path(path.name))
            continue
        name = path.resolve().name
        for file in _walk(path, set(), found.unreadable):
            if file.suffix.lower() in _PHOTOS or is_video(file):
                found.files.append(file)
                found.places.append(name / file.relative_to(path))
            else:
                found.ignored += 1
    return found


def read_list() -> list[Path]:
    """Paths from standard input: one a line, or ended by NUL as `find -print0` writes them."""
    content = sys.stdin.buffer.read()
    names = content.split(b"\0") if b"\0" in content else content.splitlines()
    return [Path(os.fsdecode(name)) for name in names if name]


def _walk(
    folder: Path, entered: set[tuple[int, int]], unreadable: list[tuple[Path, str]]
) -> Iterator[Path]:
    try:
        status = folder.stat()
        entries = sorted(folder.iterdir(), key=os.fsencode)
    except OSError as error:
        unreadable.append((folder, (error.strerror or str(error)).lower()))
        return
    if (status.st_dev, status.st_ino) in entered:
        return
    entered.add((status.st_dev, status.st_ino))
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, entered, unreadable)
        else:
            yield entry
