"""UTKFace: more than 20,000 faces from 0 to 116 years; the age is in the file's name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from facenet_demo.data.records import Sample
from facenet_demo.data.sources.base import FaceSource
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text

# age_gender_ethnicity_time.jpg.chip.jpg; in some names a part after the age is missing.
_NAME = re.compile(r"(\d{1,3})_.*\.(jpe?g|png)", re.IGNORECASE)


@dataclass(frozen=True)
class UTKFace(FaceSource):
    """UTKFace, for learning to tell ages; nobody is in it twice, as far as is known.

    Args:
        root: Folder with its files, 25_0_1_20170116174525125.jpg.chip.jpg and so on, or with the
            folders part1, part2, part3 of them.
    """

    title: ClassVar[str] = "UTKFace"
    terms: ClassVar[str] = "For research only; the photos are their owners'."
    citation: ClassVar[str] = (
        "Z. Zhang, Y. Song and H. Qi. Age Progression/Regression by Conditional Adversarial "
        "Autoencoder. CVPR 2017."
    )

    root: Path | None = None

    def samples(self) -> Iterator[Sample]:
        """Every file that has an age in its name.

        Raises:
            UserError: if there is none, or no folder.
        """
        if self.root is None:
            raise UserError("Where is UTKFace? Name its folder: `data.source.root` UTKFace/")
        if not self.root.is_dir():
            raise UserError(f"{self.root} is no folder; that of UTKFace's files is needed.")
        found = False
        for parent, folders, files in os.walk(self.root):
            folders.sort()
            for name in sorted(files):
                match = _NAME.fullmatch(name)
                if match:
                    found = True
                    yield Sample(Path(parent) / name, as_text(name), float(match[1]))
        if not found:
            raise UserError(
                f"No file in {self.root} begins with an age, as UTKFace's do: "
                "25_0_1_20170116174525125.jpg.chip.jpg."
            )
