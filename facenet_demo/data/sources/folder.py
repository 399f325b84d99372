"""A folder of one's own: one folder per person, named after them, with photos inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from facenet_demo.data.records import Sample
from facenet_demo.data.sources.base import FaceSource, scan_people
from facenet_demo.data.sources.layout import SplitFolders, doubts_about_layout
from facenet_demo.system.errors import UserError

_SETTING = (
    ", or take them as they are meant: `data.source.split_folders` pool takes a person's photos "
    "from all of them and splits them anew, `data.source.split_folders` keep keeps this split"
)


@dataclass(frozen=True)
class Folder(FaceSource):
    """Your own photos: my_people/Ada/*.jpg, my_people/Grace/*.jpg, ...

    Args:
        root: Folder with one folder of photos per person.
        split_folders: For a root that holds train/, val/ and test/ (or names like them) with a
            folder per person in each: "pool" takes a person's photos from all of them, to be split
            by the settings under `data.split`; "keep" keeps this split, and of it draws only what
            has no folder of its own.
    """

    title: ClassVar[str] = "A folder of your own"
    terms: ClassVar[str] = "Yours to know: ask the people in the photos."
    citation: ClassVar[str] = "None."

    root: Path | None = None
    split_folders: SplitFolders | None = None

    def samples(self) -> Iterator[Sample]:
        return scan_people(self._root, self.split_folders, _SETTING)

    def doubts(self) -> list[str]:
        return doubts_about_layout(self._root, self.split_folders)

    @property
    def has_split(self) -> bool:
        return self.split_folders == "keep"

    @property
    def _root(self) -> Path:
        if self.root is None:
            raise UserError("Which folder? Name it: `data.source.root` my_people/")
        return self.root
