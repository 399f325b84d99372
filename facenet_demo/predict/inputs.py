"""From what a user names to a list of files: photos, folders, videos, a list on standard input.

found = find_files([Path("photo.jpg"), Path("holiday/")])
found.files                          # in order, folders sorted by name
found.ignored                        # how many files in folders are neither photos nor videos

A name ends as those of photos or videos do, or else the first bytes of the file tell.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from facenet_demo.faces.photos import is_photo

_PHOTOS = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo",
    ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
# Not .ts: most files with that name are programs in TypeScript.
_VIDEOS = (
    ".3g2", ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".ogv", ".webm", ".wmv",
)  # fmt: skip
# How files of videos begin: Matroska and WebM, Flash, MPEG programs, Windows Media.
_VIDEO_HEADS = (
    b"\x1a\x45\xdf\xa3",
    b"FLV\x01",
    b"\0\0\x01\xba",
    b"\0\0\x01\xb3",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
)
_MP4_BRANDS = (b"3g", b"avc1", b"f4v", b"iso", b"M4V", b"mp4", b"mp7", b"MSNV", b"qt  ")
_TS_PACKETS = ((0, 188), (4, 192))  # where the first begins, and the next


@dataclass
class InputFiles:
    """What is to be read.

    Attributes:
        files: every file once for each time it was named, whether or not it exists.
        places: where each lies within the folder that was named; a file that was named itself has
            its name alone.
        videos: which of the files are videos.
        ignored: number of files in folders left alone because they are neither photos nor videos.
        unreadable: folders that could not be listed, and why.
    """

    files: list[Path] = field(default_factory=list)
    places: list[Path] = field(default_factory=list)
    videos: set[Path] = field(default_factory=set)
    ignored: int = 0
    unreadable: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def photos(self) -> list[Path]:
        """The files that are no videos."""
        return [file for file in self.files if file not in self.videos]

    def add(self, file: Path, place: Path, kind: str | None) -> None:
        """Add a file that is to be read."""
        self.files.append(file)
        self.places.append(place)
        if kind == "video":
            self.videos.add(file)


def kind_of(path: Path) -> Literal["photo", "video"] | None:
    """What a file is by the end of its name, or else by its first bytes; None: neither."""
    suffix = path.suffix.lower()
    if suffix in _PHOTOS:
        return "photo"
    if suffix in _VIDEOS or _begins_as_video(path):
        return "video"
    return "photo" if is_photo(path) else None


def find_files(paths: Sequence[Path]) -> InputFiles:
    """The files named, and those in the folders named.

    In folders, photos and videos count, hidden files do not; links are followed, each folder is
    entered once.
    """
    found = InputFiles()
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - no name is an error here
            found.add(path, Path(path.name), kind_of(path))
            continue
        name = path.resolve().name
        for file in _walk(path, found.unreadable):
            if kind := kind_of(file):
                found.add(file, name / file.relative_to(path), kind)
            else:
                found.ignored += 1
    return found


def read_list() -> list[Path]:
    """Paths from standard input: one a line, or ended by NUL as `find -print0` writes them."""
    content = sys.stdin.buffer.read()
    names = content.split(b"\0") if b"\0" in content else content.splitlines()
    return [Path(os.fsdecode(name)) for name in names if name]


def _walk(folder: Path, unreadable: list[tuple[Path, str]]) -> Iterator[Path]:
    """The files in a folder and in those inside it, however deep, sorted."""
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                unreadable.append((path, _reason(error)))
            else:  # a link that leads nowhere is told of as a photo is
                yield path
            continue
        if not stat.S_ISDIR(status.st_mode):
            yield path
            continue
        if (status.st_dev, status.st_ino) in entered:
            continue
        entered.add((status.st_dev, status.st_ino))
        try:
            entries = sorted(path.iterdir(), key=os.fsencode, reverse=True)
        except OSError as error:
            unreadable.append((path, _reason(error)))
            continue
        waiting += (entry for entry in entries if not entry.name.startswith("."))


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _begins_as_video(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for ever
            return False
        with path.open("rb") as file:
            head = file.read(400)
    except (OSError, ValueError):
        return False
    if head.startswith(_VIDEO_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return True
    if head[4:8] in (b"ftyp", b"moov"):
        return head[4:8] == b"moov" or head[8:12].startswith(_MP4_BRANDS)
    packets = (head[first : first + 2 * step + 1 : step] for first, step in _TS_PACKETS)
    return any(packet == b"GGG" for packet in packets)
