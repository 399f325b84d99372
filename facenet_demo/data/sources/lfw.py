"""LFW: 13,233 press photos of 5,749 people, 250 x 250, roughly aligned by funneling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from facenet_demo.data.records import Sample
from facenet_demo.data.sources.base import FaceSource, scan_people
from facenet_demo.data.sources.download import Archive, fetch_archive
from facenet_demo.data.sources.layout import doubts_about_layout
from facenet_demo.system.files import cache_folder

# The archive that scikit-learn's fetch_lfw_people takes; LFW's own site is gone.
ARCHIVE = Archive(
    url="https://ndownloader.figshare.com/files/5976015",
    sha256="b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
    folder="lfw_funneled",
)


@dataclass(frozen=True)
class LFW(FaceSource):
    """Labeled Faces in the Wild, funneled; downloaded unless a folder is named.

    Args:
        root: The folder lfw_funneled, if you have it already.
    """

    title: ClassVar[str] = "Labeled Faces in the Wild (funneled)"
    terms: ClassVar[str] = (
        "For research; the photos are the press agencies'. The authors warn against drawing "
        "conclusions about any use beyond research from it."
    )
    citation: ClassVar[str] = (
        "G. B. Huang, M. Ramesh, T. Berg and E. Learned-Miller. Labeled Faces in the Wild. "
        "University of Massachusetts, Amherst, Technical Report 07-49, 2007."
    )

    root: Path | None = None

    def fetch(self) -> None:
        if self.root is None:
            fetch_archive(ARCHIVE, cache_folder())

    def samples(self) -> Iterator[Sample]:
        return scan_people(self._folder)

    def doubts(self) -> list[str]:
        return doubts_about_layout(self._folder)

    @property
    def _folder(self) -> Path:
        return self.root or cache_folder() / ARCHIVE.folder
