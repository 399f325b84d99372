"""From a photo, wherever it comes from, to the windows of the faces in it.

reader = FaceReader(window=64, face_scale=1.0)
read = reader("photo.jpg")
read.faces                           # boxes and landmarks, from left to right
read.windows                         # (F, 3, 64, 64) in [0, 1], as in training
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from PIL import Image

from facenet_demo.data.windows import CentreWindow
from facenet_demo.faces.align import align, crop_size, template
from facenet_demo.faces.detect import Face, FaceDetector, main_face
from facenet_demo.faces.photos import DECODED_SIDE, MAX_PIXELS, Photo, read_photo, upright
from facenet_demo.faces.pixels import to_rgb
from facenet_demo.predict import quality

ImageLike: TypeAlias = "Path | str | Image.Image | np.ndarray | torch.Tensor"


class PhotoFaces(NamedTuple):
    """The faces of one photo.

    Attributes:
        size: height and width of the whole photo, pixels.
        faces: from left to right, in pixels of the whole photo.
        windows: `(F, 3, W, W)`, float in [0, 1].
        warnings: of each face, see `quality.warnings`.
    """

    size: tuple[int, int]
    faces: list[Face]
    windows: torch.Tensor
    warnings: list[tuple[str, ...]]

    @property
    def main(self) -> int:
        """Row of the face that a photo of one person is about; there must be one."""
        return main_face([face.box for face in self.faces], self.size)


class FaceReader:
    """Finds and aligns faces as training did; safe to use from several threads.

    Args:
        window: side of the window, pixels.
        face_scale: how large the face is in it, see `align.template`.
        search_side: larger photos are searched at this longer side, pixels; faces of 32 pixels and
            more are found there.
        max_pixels: larger files are refused by their header.
    """

    def __init__(
        self, window: int, face_scale: float, search_side: int = 640, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.search_side = search_side
        self.max_pixels = max_pixels
        self._size = crop_size(window)
        self._target = template(self._size, window, face_scale)
        self._cut = CentreWindow(window)
        self._own = threading.local()  # OpenCV's networks belong to one thread

    def __call__(self, image: ImageLike) -> PhotoFaces:
        """Read a photo given as path, Pillow image, array or tensor, see `as_photo`.

        Raises:
            ImageError: if a file cannot be read.
            TypeError, ValueError: for an array or tensor that is no image.
        """
        if isinstance(image, str | os.PathLike):
            decoded_side = max(DECODED_SIDE, self.search_side)
            photo = read_photo(image, self.max_pixels, decoded_side)
        else:
            photo = as_photo(image)
        faces = sorted(self._detector(photo.pixels), key=lambda face: float(face.box[0]))
        aligned = [align(photo.pixels, f.landmarks, self._target, self._size) for f in faces]
        shape = (0, self._size, self._size, 3)
        crops = np.stack([crop for crop, _ in aligned]) if faces else np.empty(shape, np.uint8)
        windows = self._cut(torch.from_numpy(crops).permute(0, 3, 1, 2)).contiguous()
        shown = (windows * 255).round().byte().permute(0, 2, 3, 1).numpy()
        warnings = [
            quality.warnings(window, face.landmarks, transform)
            for window, face, (_, transform) in zip(shown, faces, aligned, strict=True)
        ]
        return PhotoFaces(photo.size, [_enlarged(f, photo) for f in faces], windows, warnings)

    @property
    def _detector(self) -> FaceDetector:
        detector = getattr(self._own, "detector", None)
        if detector is None:
            detector = self._own.detector = FaceDetector(max_side=self.search_side)
        return detector


def as_photo(image: Image.Image | np.ndarray | torch.Tensor) -> Photo:
    """A photo from memory.

    Args:
        image: a Pillow image, turned as its EXIF says; an array `(H, W)`, `(H, W, 1)`, `(H, W, 3)`
            or `(H, W, 4)`; or a tensor `(C, H, W)` with C 1, 3 or 4. Grey, RGB or RGBA, uint8, or
            float in [0, 1].

    Raises:
        TypeError, ValueError: for anything else.
    """
    if isinstance(image, Image.Image):
        pixels = upright(image)
        return Photo(pixels, pixels.shape[:2])
    if isinstance(image, torch.Tensor):
        if image.ndim != 3:
            raise ValueError(f"An image tensor is (C, H, W), not {tuple(image.shape)}.")
        image = image.detach().cpu().permute(1, 2, 0).numpy()
    if not isinstance(image, np.ndarray):
        raise TypeError(f"An image is a path, Pillow image, array or tensor, not {type(image)}.")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(f"An image array is (H, W), (H, W, 3) or (H, W, 4), not {image.shape}.")
    if np.issubdtype(image.dtype, np.floating):
        if not (image.min() >= 0 and image.max() <= 1):
            raise ValueError("The pixels of a float image lie in [0, 1]; these do not.")
        image = (image * 255).round().astype(np.uint8)
    elif image.dtype != np.uint8:
        raise ValueError(
            f"The pixels of an image are uint8, or float in [0, 1], not {image.dtype}."
        )
    pixels = to_rgb(Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image))
    return Photo(pixels, pixels.shape[:2])


def _enlarged(face: Face, photo: Photo) -> Face:
    """A face found in the decoded pixels, in those of the whole photo."""
    decoded = np.array(photo.pixels.shape[1::-1])
    if photo.size == photo.pixels.shape[:2]:
        return face
    scale = np.array(photo.size[::-1]) / decoded
    return replace(face, box=face.box * np.tile(scale, 2), landmarks=face.landmarks * scale)
