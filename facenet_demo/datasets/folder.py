"""A folder of one's own: one folder per person, named after them, with photos inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from facenet_demo.datasets.base import FaceSource, scan_people
from facenet_demo.records import Sample, UserError


@dataclass(frozen=True)
class Folder(FaceSource):
    """Your own photos: my_people/Ada/*.jpg, my_people/Grace/*.jpg, ...

    Args:
        root: Folder with one folder of photos per person.
    """

    title: ClassVar[str] = "A folder of your own"
    terms: ClassVar[str] = "Yours to know: ask the people in the photos."
    citation: ClassVar[str] = "None."

    root: Path | None = None

    def samples(self) -> Iterator[Sample]:
        if self.root is None:
            raise UserError("Which folder? Name it: --data.source.root my_people/")
        return scan_people(self.root)
