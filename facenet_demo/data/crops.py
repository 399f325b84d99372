"""A data set's photos as one array of aligned crops, made once and kept on disk.

    crops = prepare_crops(samples, CropSettings(size=96, window=64), cache_folder())
    crops.images[7]                      # uint8 (96, 96, 3), read from disk when touched
    crops.people[7], crops.files[7]      # whose face, from which photo
    crops.left_out                       # photos without a crop, each with its reason

Of a photo with several faces the main one is cropped, unless another is clearly more like the
person's other photos: see `crowds`.

The folder is keyed by everything that made it: the photos (path, size, time of change), the
settings, the versions of detector and format. It appears under its name only when it is complete;
a preparation that was stopped goes on where it was, and one that was damaged is made anew.

Its user alone can look into it. Who shares a cache says so: `chmod g+rwxs` on its folder `crops`
lets the group read what is made there from then on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from facenet_demo.data.mapped import map_array
from facenet_demo.data.records import Sample
from facenet_demo.data.stored import (
    CHOSEN,
    IMAGES,
    PHOTO,
    Crops,
    CropSettings,
    LeftOut,
    load,
    write_index,
)
from facenet_demo.faces import align, crowds, detect
from facenet_demo.faces.photos import ImageError, read_image
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import (
    DamagedError,
    allow,
    as_text,
    file_lock,
    own_folder,
    private_folder,
)
from facenet_demo.system.terminal import console, track
from facenet_demo.system.threads import ordered_map

_FORMAT = 5
_LOG = "photos.jsonl"


class _Crop(NamedTuple):
    image: np.ndarray
    photo: dict[str, Any]  # what else is kept of it: a `PHOTO` as plain values
    faces: list[Any]  # the landmarks in the photo, if it shows several faces, the main one first


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
    folder = crops_folder(samples, settings, cache)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    try:
        group = private_folder(folder.parent)
        # Who shares the folder waits for the same lock.
        with file_lock(folder.with_name(f"{folder.name}.lock"), 0o660 if group else 0o600):
            if os.path.isdir(folder):  # noqa: PTH112 - False, too, where it cannot be read
                try:
                    return load(folder, settings)
                except DamagedError as damage:
                    console.print(
                        f"The aligned faces in {folder} are damaged ({damage}) and are made anew."
                    )
                    shutil.rmtree(folder)
            own_folder(unfinished)
            try:
                with _many_photos():
                    _make(samples, settings, unfinished, num_threads or os.cpu_count() or 1)
            except OSError:  # most likely there is no space left
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            for path in unfinished.iterdir():
                allow(path, group & 0o040)
            allow(unfinished, group)
            unfinished.replace(folder)
            return load(folder, settings)
    except OSError as error:
        raise UserError(
            f"The aligned faces could not be written to {folder}: {error.strerror or error}. "
            "Free some space there, or set another folder in FACENET_DEMO_CACHE."
        ) from error


def find_crops(samples: Iterable[Sample], settings: CropSettings, cache: Path) -> Crops | None:
    """The crops of `samples` if they are in the cache; the samples are looked at one by one."""
    folder = crops_folder(samples, settings, cache)
    try:
        # False, too, where the cache cannot be read, which `prepare_crops` then says.
        return load(folder, settings) if os.path.isdir(folder) else None  # noqa: PTH112
    except (DamagedError, OSError):
        return None  # as it says of these


def crops_folder(samples: Iterable[Sample], settings: CropSettings, cache: Path) -> Path:
    """Where in the cache the crops of `samples` are, or will be."""
    made_by = [_FORMAT, detect.DETECTOR_VERSION, cv2.__version__, asdict(settings)]
    key = hashlib.sha256(json.dumps(made_by).encode())
    for sample in samples:
        try:
            status = sample.path.stat()
            state = (status.st_size, status.st_mtime_ns)
        except OSError:
            state = (-1, -1)
        place = os.fsencode(sample.path.absolute())
        key.update(repr((place, sample.person, *state)).encode())
    return cache / "crops" / key.hexdigest()[:20]


def _make(
    samples: Sequence[Sample], settings: CropSettings, folder: Path, num_threads: int
) -> None:
    """Fill `folder`, going on where an earlier call was stopped."""
    log, images = folder / _LOG, folder / IMAGES
    done = _done(log, images, settings, len(samples))
    # Written in order rather than into a mapped array: a full disk is then an error, not a signal.
    with images.open("ab") as out, log.open("a", encoding="utf-8") as lines:
        paths = [sample.path for sample in samples[done:]]
        crops = _crop_all(paths, settings, num_threads)
        for crop in track(crops, len(samples), "Finding faces", done=done):
            if isinstance(crop, str):
                line: dict[str, Any] = {"left_out": crop}
            else:
                line = {**crop.photo, "faces": crop.faces}
                out.write(crop.image.tobytes())
                out.flush()  # the pixels first: a line stands for a crop that is there
            lines.write(json.dumps(line) + "\n")
            lines.flush()
    photos = np.zeros(len(samples), PHOTO)
    kept: list[Sample] = []
    left_out: list[LeftOut] = []
    several: dict[int, np.ndarray] = {}
    with log.open(encoding="utf-8") as lines:
        for sample, written in zip(samples, lines, strict=True):
            photo = _entry(written)
            if isinstance(photo, str):
                left_out.append(LeftOut(as_text(sample.path.absolute()), photo))
            else:
                photos[len(kept)], faces = photo
                if faces:
                    several[len(kept)] = np.array(faces)
                kept.append(sample)
    photos = photos[: len(kept)]
    chosen = _choose_faces(kept, photos, several, settings, images, num_threads)
    people, files = (s.person for s in kept), (as_text(s.path.absolute()) for s in kept)
    write_index(folder, settings, photos, people, files, left_out, chosen)
    log.unlink()


def _choose_faces(
    samples: Sequence[Sample],
    photos: np.ndarray,
    several: Mapping[int, np.ndarray],
    settings: CropSettings,
    images: Path,
    num_threads: int,
) -> dict[str, list[int]]:
    """Where not the main face but another is the person's, put it into `photos` and `images`.

    It may be done again after it was stopped: only photos with one face are learned from.

    Args:
        samples: what gave a crop.
        photos: `(N,)` records of theirs.
        several: of photos with several faces the landmarks `(F, 5, 2)`, the main face first.
        settings: what the crops look like.
        images: the file with their pixels.
        num_threads: how many photos are worked on at once.

    Returns:
        the rows that are `overruled` and `unclear`, see `Crops`.
    """
    chosen: dict[str, list[int]] = {name: [] for name in CHOSEN}
    if not several:
        return chosen
    size = settings.size
    pixels = map_array(images, (len(samples), size, size, 3))

    def faces_of(row: int) -> list[crowds.Cut]:
        try:
            image = read_image(samples[row].path)
        except ImageError:  # it is gone by now
            return []
        return [_cut(image, landmarks, settings) for landmarks in several[row]]

    settled = crowds.settle(
        [sample.person for sample in samples],
        photos["detected"] & (photos["num_faces"] == 1),
        list(several),
        lambda rows: _window(pixels[rows], settings),
        faces_of,
        num_threads,
    )
    with images.open("r+b") as out:
        for row, other, unclear in settled:
            if unclear:
                chosen["unclear"].append(row)
            if other is not None:
                chosen["overruled"].append(row)
                out.seek(row * size**2 * 3)
                out.write(other.image.tobytes())
                photos["landmarks"][row] = other.landmarks
                photos["transforms"][row] = other.transform
    return chosen


def _window(crops: np.ndarray, settings: CropSettings) -> np.ndarray:
    """The middle of crops `(..., S, S, 3)`, `(..., W, W, 3)`."""
    start = (settings.size - settings.window) // 2
    inside = slice(start, start + settings.window)
    return crops[..., inside, inside, :]


def _cut(image: np.ndarray, landmarks: np.ndarray, settings: CropSettings) -> crowds.Cut:
    size = settings.size
    canonical = align.template(size, settings.window, settings.face_scale)
    crop, transform = align.align(image, landmarks, canonical, size)
    placed = landmarks @ transform[:, :2].T + transform[:, 2]
    return crowds.Cut(crop, _window(crop, settings), placed, transform)


def _entry(line: str | bytes) -> tuple[np.ndarray, list[Any]] | str:
    """What a line of the log says of a photo: what is kept of it, and of several faces the
    landmarks; or why there is no crop.

    Raises:
        ValueError: if it says neither.
    """
    photo = json.loads(line)
    if isinstance(photo, dict) and isinstance(photo.get("left_out"), str):
        return photo["left_out"]
    if not isinstance(photo, dict) or tuple(photo) != (*(PHOTO.names or ()), "faces"):
        raise ValueError("it is not of a photo")
    faces = photo.pop("faces")
    if faces and np.shape(faces)[1:] != PHOTO["landmarks"].shape:
        raise ValueError("its faces have another shape")
    if any(np.shape(value) != PHOTO[name].shape for name, value in photo.items()):
        raise ValueError("its numbers have another shape")
    try:
        return np.array(tuple(photo.values()), PHOTO), faces
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from error


def _done(log: Path, images: Path, settings: CropSettings, most: int) -> int:
    """How many photos an earlier call finished; what it left half done is cut off."""
    whole = done = crops = 0
    if log.exists():
        with log.open("rb") as lines:
            for line in lines:
                try:
                    entry = _entry(line)
                except (ValueError, RecursionError):
                    break
                if not line.endswith(b"\n") or done == most:
                    break
                whole += len(line)
                done += 1
                crops += not isinstance(entry, str)
    size = settings.size**2 * 3 * crops
    if (images.stat().st_size if images.exists() else 0) < size:
        whole = done = size = 0  # pixels were lost, as when the power fails
    for path, length in ((log, whole), (images, size)):
        path.touch()
        os.truncate(path, length)
    return done


def _crop_all(
    paths: Sequence[Path], settings: CropSettings, num_threads: int
) -> Iterator[_Crop | str]:
    """The crop of each photo, or why there is none, in order."""
    own = threading.local()  # OpenCV's networks belong to one thread

    def crop(path: Path) -> _Crop | str:
        if not hasattr(own, "detector"):
            own.detector = detect.FaceDetector()
        try:
            return _crop(path, settings, own.detector)
        except ImageError as error:
            return str(error)

    yield from ordered_map(crop, paths, num_threads)


@contextmanager
def _many_photos() -> Iterator[None]:
    """Settings of libraries for photos that are read in parallel."""
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the photos are what runs in parallel
    pillows_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # read_image has its own
    try:
        yield
    finally:
        cv2.setNumThreads(opencv_threads)
        Image.MAX_IMAGE_PIXELS = pillows_limit


def _crop(path: Path, settings: CropSettings, detector: detect.FaceDetector) -> _Crop | str:
    image = read_image(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    faces = detector(image)
    if faces:
        faces.insert(0, faces.pop(detect.main_face([f.box for f in faces], image.shape[:2])))
        crop, _, landmarks, transform = _cut(image, faces[0].landmarks, settings)
    elif settings.undetected == "centre":
        crop, transform = align.centre_crop(image, settings.size, settings.window)
        landmarks = align.template(settings.size, settings.window, settings.face_scale)
    else:
        return "no face found"
    photo = {
        "digests": list(digest),
        "detected": bool(faces),
        "landmarks": landmarks.tolist(),
        "transforms": transform.tolist(),
        "num_faces": len(faces),
    }
    return _Crop(crop, photo, [f.landmarks.tolist() for f in faces] if len(faces) > 1 else [])
