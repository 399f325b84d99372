"""What a data set tells the rest of the house."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from facenet_demo.data.records import Sample
from facenet_demo.data.sources.layout import SplitFolders, people_folders
from facenet_demo.data.sources.names import person_name
from facenet_demo.system.errors import UserError
from facenet_demo.system.fields import check_fields


@dataclass(frozen=True)
class FaceSource(ABC):
    """Photos with the names of the people in them.

    Attributes:
        title: what the data set is called.
        terms: on what terms it may be used.
        citation: whom to credit.
    """

    title: ClassVar[str]
    terms: ClassVar[str]
    citation: ClassVar[str]

    def __post_init__(self) -> None:
        check_fields(self)

    def fetch(self) -> None:  # noqa: B027 - most data sets lie on disk already
        """Get the photos onto this machine if they are not there; safe to call again."""

    @abstractmethod
    def samples(self) -> Iterable[Sample]:
        """Every photo with its person, in a stable order; `fetch` was called before.

        One after the other where there can be many, so that they are never all in memory.
        """

    def doubts(self) -> list[str]:
        """What may not be meant as it is taken, such as a person's name: sentences to show."""
        return []

    @property
    def has_split(self) -> bool:
        """Whether the samples say which photos teach, choose and judge."""
        return False


def scan_people(
    root: Path, split_folders: SplitFolders | None = None, setting: str = ""
) -> Iterator[Sample]:
    """The files of a folder that holds one folder per person, sorted by path.

    Files of any kind count, since only reading one tells whether it is a photo; hidden ones do not.
    A person's folder may be a link, unless it leads back up; links inside it are not followed.

    Args:
        root: the folder.
        split_folders: see `layout.people_folders`.
        setting: see there, too.

    Raises:
        UserError: if `root` is no folder, cannot be read, has no folders with files in them, or is
            laid out in another way.
    """
    found = False
    try:
        for sample in _scan(root, split_folders, setting):
            found = True
            yield sample
        loose = sum(1 for p in root.iterdir() if p.is_file())
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from error
    if not found:
        raise UserError(
            f"No folders with photos in {root} ({loose} files lie directly in it). "
            "Put the photos of each person into a folder of their own: "
            f"{root / 'Ada'}, {root / 'Grace'}, ..."
        )


def _scan(root: Path, split_folders: SplitFolders | None, setting: str) -> Iterator[Sample]:
    for folder, stage in people_folders(root, split_folders, setting):
        stage = stage if split_folders == "keep" else None
        person = person_name(folder)
        yield from (Sample(path, person, stage=stage) for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    """The files in a folder, sorted, then those in each of its folders."""
    waiting = [folder]
    while waiting:
        folders: list[Path] = []
        files: list[Path] = []
        # By iterdir: Path(parent) / name would make Python's table of names grow with each photo.
        for path in sorted(waiting.pop().iterdir(), key=lambda path: path.name):
            if not path.name.startswith("."):
                # False, too, where a link leads to what cannot be read: a photo to be left out.
                (folders if os.path.isdir(path) else files).append(path)  # noqa: PTH112
        yield from files
        waiting += (path for path in reversed(folders) if not path.is_symlink())
