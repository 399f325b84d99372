"""A data set's photos as one array of aligned crops, made once and kept on disk.

    crops = prepare_crops(samples, CropSettings(size=96, window=64), cache_folder())
    crops.images[7]                      # uint8 (96, 96, 3), read from disk when touched
    crops.people[7], crops.files[7]      # whose face, from which photo
    crops.left_out                       # photos without a crop, each with its reason

The folder is keyed by everything that made it: the photos (path, size, time of change), the
settings, the versions of detector and format. It appears under its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from filelock import FileLock

from facenet_demo.faces import align, detect
from facenet_demo.progress import track
from facenet_demo.records import Sample, UserError
from facenet_demo.storage import as_text, new_folder, remove_leftovers
from facenet_demo.transforms import ImageError, read_image

_FORMAT = 1
_CHUNK = 256


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
    """The aligned faces of a data set, one row per photo.

    Attributes:
        images: `(N, S, S, 3)` RGB uint8, memory-mapped.
        people: whose face each row is.
        files: the photo each row was cut from.
        digests: SHA-256 of that photo's file, hexadecimal.
        detected: `(N,)` bool, false where no face was found and the photo's centre was taken.
        landmarks: `(N, 5, 2)` x, y pixels in the crop; where not detected, the canonical ones.
        transforms: `(N, 2, 3)`, from pixels of the photo to pixels of the crop.
        num_faces: `(N,)` faces seen in the photo.
        left_out: photos that gave no crop.
    """

    images: np.ndarray
    people: list[str]
    files: list[str]
    digests: list[str]
    detected: np.ndarray
    landmarks: np.ndarray
    transforms: np.ndarray
    num_faces: np.ndarray
    left_out: list[LeftOut]

    def __len__(self) -> int:
        return len(self.people)


class _Crop(NamedTuple):
    image: np.ndarray
    digest: str
    detected: bool
    landmarks: np.ndarray
    transform: np.ndarray
    num_faces: int


def prepare_crops(
    samples: Sequence[Sample], settings: CropSettings, cache: Path, num_threads: int | None = None
) -> Crops:
    """Return the crops of `samples`, from the cache or made now.

    Args:
        samples: the photos.
        settings: what the crops look like.
        cache: folder that holds the crop folders of all data sets.
        num_threads: how many photos are worked on at once; by default one per core.

    Raises:
        UserError: if the cache cannot be written.
    """
    folder = cache / "crops" / _key(samples, settings)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                remove_leftovers(folder)
                with new_folder(folder) as temporary:
                    _make(samples, settings, temporary, num_threads or os.cpu_count() or 1)
    except OSError as error:
        raise UserError(
            f"The aligned faces could not be written to {folder}: {error.strerror or error}. "
            "Free some space there, or set another folder in FACENET_DEMO_CACHE."
        ) from error
    return _load(folder)


def _key(samples: Sequence[Sample], settings: CropSettings) -> str:
    made_by = [_FORMAT, detect.DETECTOR_VERSION, cv2.__version__, asdict(settings)]
    key = hashlib.sha256(json.dumps(made_by).encode())
    for sample in samples:
        try:
            status = sample.path.stat()
            state = (status.st_size, status.st_mtime_ns)
        except OSError:
            state = (-1, -1)
        key.update(repr((os.fsencode(sample.path.resolve()), sample.person, *state)).encode())
    return key.hexdigest()[:20]


def _make(
    samples: Sequence[Sample], settings: CropSettings, folder: Path, num_threads: int
) -> None:
    rows: list[tuple[Sample, _Crop]] = []
    left_out: list[LeftOut] = []
    # Written in order rather than into a mapped array: a full disk is then an error, not a signal.
    with (folder / "images.u8").open("wb") as out:
        results = _crop_all([sample.path for sample in samples], settings, num_threads)
        for sample, crop in zip(
            samples, track(results, len(samples), "Finding faces"), strict=True
        ):
            if isinstance(crop, str):
                left_out.append(LeftOut(as_text(sample.path), crop))
            else:
                out.write(crop.image.tobytes())
                rows.append((sample, crop._replace(image=np.empty(0))))
    crops = [crop for _, crop in rows]
    np.savez(
        folder / "geometry.npz",
        detected=np.array([c.detected for c in crops], bool),
        landmarks=np.array([c.landmarks for c in crops], np.float32).reshape(-1, 5, 2),
        transforms=np.array([c.transform for c in crops], np.float64).reshape(-1, 2, 3),
        num_faces=np.array([c.num_faces for c in crops], np.int32),
    )
    index = {
        "settings": asdict(settings),
        "people": [sample.person for sample, _ in rows],
        "files": [as_text(sample.path) for sample, _ in rows],
        "digests": [c.digest for c in crops],
        "left_out": left_out,
    }
    (folder / "index.json").write_text(json.dumps(index), "utf-8")


def _load(folder: Path) -> Crops:
    index = json.loads((folder / "index.json").read_text("utf-8"))
    size, count = index["settings"]["size"], len(index["people"])
    shape = (count, size, size, 3)
    images: np.ndarray
    if count:
        images = np.memmap(folder / "images.u8", np.uint8, "r", shape=shape)
    else:  # an empty file cannot be mapped
        images = np.empty(shape, np.uint8)
    with np.load(folder / "geometry.npz") as geometry:
        return Crops(
            images=images,
            people=index["people"],
            files=index["files"],
            digests=index["digests"],
            left_out=[LeftOut(*entry) for entry in index["left_out"]],
            **geometry,
        )


def _crop_all(
    paths: Sequence[Path], settings: CropSettings, num_threads: int
) -> Iterator[_Crop | str]:
    """The crop of each photo, or why there is none, in order.

    Threads do: nearly all the time is spent in Pillow and OpenCV, which let go of Python's lock.
    """
    own = threading.local()

    def equip() -> None:
        own.detector = detect.FaceDetector()

    def crop(path: Path) -> _Crop | str:
        try:
            return _crop(path, settings, own.detector)
        except ImageError as error:
            return str(error)

    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the photos are what runs in parallel
    pool = ThreadPoolExecutor(num_threads, initializer=equip)
    try:
        for start in range(0, len(paths), _CHUNK):
            yield from pool.map(crop, itertools.islice(paths, start, start + _CHUNK))
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(opencv_threads)


def _crop(path: Path, settings: CropSettings, detector: detect.FaceDetector) -> _Crop | str:
    image = read_image(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    faces = detector(image)
    size, window = settings.size, settings.window
    canonical = align.template(size, window, settings.face_scale)
    if faces:
        face = detect.main_face(faces, image.shape[:2])
        crop, transform = align.align(image, face.landmarks, canonical, size)
        landmarks = face.landmarks @ transform[:, :2].T + transform[:, 2]
    elif settings.undetected == "centre":
        crop, transform = align.centre_crop(image, size, window)
        landmarks = canonical
    else:
        return "no face found"
    return _Crop(crop, digest, bool(faces), landmarks, transform, len(faces))
