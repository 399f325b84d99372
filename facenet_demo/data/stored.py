"""What a folder of crops holds, written and read back.

write_index(folder, settings, photos, people, files, left_out)
load(folder, settings)               # Crops, all but `left_out` on disk
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from facenet_demo.data.mapped import Texts, map_array, write_texts
from facenet_demo.system.files import reading

_PHOTOS, IMAGES = "photos.npy", "images.u8"
CHOSEN = ("overruled", "unclear")  # rows of `Crops` where photos show several faces
# What is kept of each photo beside its pixels, see `Crops`.
PHOTO = np.dtype(
    [
        ("digests", np.uint8, 32),
        ("detected", bool),
        ("landmarks", np.float32, (5, 2)),
        ("transforms", np.float64, (2, 3)),
        ("num_faces", np.int32),
    ],
    align=True,
)


@dataclass(frozen=True)
class CropSettings:
    """What the crops look like.

    Attributes:
        size: side of a stored crop, pixels.
        window: side of the network's window in its centre, pixels.
        face_scale: how large the face is in the window, see `align.template`.
        undetected: a photo in which no face is found is left out or cropped at its centre.
    """

    size: int
    window: int
    face_scale: float = 1.0
    undetected: Literal["skip", "centre"] = "skip"


class LeftOut(NamedTuple):
    """A photo without a crop."""

    file: str
    reason: str


@dataclass(frozen=True)
class Crops:
    """The aligned faces of a data set, one row per photo; all but `left_out` stays on disk.

    Attributes:
        images: `(N, S, S, 3)` RGB uint8.
        people: whose face each row is.
        files: the photo each row was cut from, an absolute path.
        digests: `(N, 32)` uint8, SHA-256 of that photo's file.
        detected: `(N,)` bool, false where no face was found and the photo's centre was taken.
        landmarks: `(N, 5, 2)` x, y pixels in the crop; where not detected, the canonical ones.
        transforms: `(N, 2, 3)`, from pixels of the photo to pixels of the crop.
        num_faces: `(N,)` faces seen in the photo.
        left_out: photos that gave no crop.
        overruled: sorted rows of photos with several faces where not the main one was taken but the
            one most like the person's other photos; and
        unclear: those where the main one was, and may be somebody else's.
    """

    images: np.ndarray
    people: Sequence[str]
    files: Sequence[str]
    digests: np.ndarray
    detected: np.ndarray
    landmarks: np.ndarray
    transforms: np.ndarray
    num_faces: np.ndarray
    left_out: list[LeftOut]
    overruled: list[int] = field(default_factory=list)
    unclear: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.people)

    def __reduce__(self) -> str | tuple[Any, ...]:
        # Another process opens the files itself: pickled, the arrays would be all their pixels.
        if isinstance(self.images, np.memmap):
            return load, (Path(str(self.images.filename)).parent,)
        return super().__reduce__()


def write_index(
    folder: Path,
    settings: CropSettings,
    photos: np.ndarray,
    people: Iterable[str],
    files: Iterable[str],
    left_out: Sequence[LeftOut],
    chosen: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> None:
    """Write what a folder of crops holds beside their pixels.

    Args:
        folder: of the crops.
        settings: what they look like.
        photos: `(N,)` records: those attributes of `Crops` that are numbers of each photo.
        people: whose face each row is.
        files: the photo each row was cut from.
        left_out: photos that gave no crop.
        chosen: what else there is of `Crops` where photos show several faces.
    """
    np.save(folder / _PHOTOS, photos)
    write_texts(folder / "people", people)
    write_texts(folder / "files", files)
    rows = {name: list(chosen.get(name, ())) for name in CHOSEN}
    index = {"settings": asdict(settings), "left_out": left_out, "chosen": rows}
    (folder / "index.json").write_text(json.dumps(index), "utf-8")


def load(folder: Path, settings: CropSettings | None = None) -> Crops:
    """The crops in a finished folder.

    Args:
        folder: of the crops.
        settings: what they must look like; None if that is not known.

    Raises:
        DamagedError: if it does not hold them.
    """
    with reading(folder / "index.json") as path:
        index = json.loads(path.read_text("utf-8"))
        left_out = [LeftOut(str(file), str(reason)) for file, reason in index["left_out"]]
        settings = settings or CropSettings(**index["settings"])
        if index["settings"] != asdict(settings):
            raise ValueError("it is of crops of another kind")
        more: dict[str, Any] = {n: sorted(map(int, index["chosen"][n])) for n in CHOSEN}
    with reading(folder / _PHOTOS) as path:
        photos = np.load(path, mmap_mode="r")
        if photos.ndim != 1 or photos.dtype != PHOTO:
            raise ValueError("it does not hold what is kept of photos")
        if (photos["detected"].view(np.uint8) > 1).any():
            raise ValueError("it holds a truth that is neither true nor false")
    with reading(folder / IMAGES) as path:
        images = map_array(path, (len(photos), settings.size, settings.size, 3))
    people, files = (_texts(folder / name, len(photos)) for name in ("people", "files"))
    more |= {name: photos[name] for name in PHOTO.names or ()}
    return Crops(images=images, people=people, files=files, left_out=left_out, **more)


def _texts(path: Path, number: int) -> Texts:
    with reading(path):
        texts = Texts(path)
        texts.check()
        if len(texts) != number:
            raise ValueError(f"there are {len(texts)} instead of {number}")
    return texts
