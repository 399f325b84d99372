"""Where the parts of a face lie, from its five landmarks.

    labels = part_map(landmarks, size=64)        # (64, 64), PARTS[labels[y, x]] is what is there

Shapes are ellipses in units of the distance between the eyes, drawn around the landmarks of that
very face and turned with it. They are coarse: good enough to ask whether a unit looks at mouths,
not to measure a mouth.
"""

from __future__ import annotations

import numpy as np

PARTS = ("eyes", "brows", "nose", "mouth", "chin", "forehead", "cheeks", "background")


def part_map(landmarks: np.ndarray, size: int, step: int = 1) -> np.ndarray:
    """The part that each pixel shows.

    Args:
        landmarks: `(5, 2)` x, y pixels, as in `detect.Face`.
        size: side of the image, pixels.
        step: side of the cells that get one label, pixels; divides `size`.

    Returns:
        `(size / step, size / step)` int64, positions in `PARTS`. "forehead" is all that lies above
        the brows, hair too; "background" all outside an oval around the face.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = np.asarray(landmarks, float)
    across = right_eye - left_eye
    unit = max(float(np.hypot(*across)), 1e-6)  # the distance between the eyes
    across = across / unit
    down = np.array([-across[1], across[0]])
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    place = (np.arange(size // step) + 0.5) * step - 0.5  # pixel centres lie at whole numbers
    points = np.stack(np.meshgrid(place, place), axis=-1)  # (h, w, 2) x, y

    def offset(centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (points - centre) @ across / unit, (points - centre) @ down / unit

    def ellipse(centre: np.ndarray, width: float, height: float) -> np.ndarray:
        x, y = offset(centre)
        return (x / width) ** 2 + (y / height) ** 2 <= 1

    raised = 0.36 * unit * down
    length = float((mouth - eyes) @ down) / unit  # from eyes to mouth, about 1.15
    ridge = 0.45 * eyes + 0.55 * nose
    reach = float((nose - eyes) @ down) / unit
    below_mouth = offset(mouth)[1] > 0.22
    above_brows = offset(eyes)[1] < -0.45
    oval = ellipse((eyes + mouth) / 2 - 0.08 * unit * down, 1.02, 0.5 * length + 0.95)
    shapes = {
        "eyes": ellipse(left_eye, 0.3, 0.17) | ellipse(right_eye, 0.3, 0.17),
        "brows": ellipse(left_eye - raised, 0.4, 0.15) | ellipse(right_eye - raised, 0.4, 0.15),
        "nose": ellipse(ridge, 0.24, 0.62 * max(reach, 0.3)),
        "mouth": ellipse(mouth, 0.52, 0.22),
        "chin": oval & below_mouth,
        "forehead": above_brows & (np.abs(offset(eyes)[0]) < 1.1),
        "cheeks": oval,
    }
    labels = np.full(points.shape[:2], PARTS.index("background"), np.int64)
    for part in reversed(shapes):  # what is named first lies on top
        labels[shapes[part]] = PARTS.index(part)
    return labels
