"""Fake faces for tests: drawn, so that nobody's photo is needed and every feature's place is known.

The detector finds them; each person has their own colours and proportions.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

# Eyes, nose and mouth corners in a face whose oval fits a square of side 1.
LANDMARKS = np.array([[0.33, 0.42], [0.67, 0.42], [0.5, 0.6], [0.37, 0.76], [0.63, 0.76]])


def draw_face(person: int = 0, photo: int = 0, size: int = 96) -> np.ndarray:
    """A face of `person`, each `photo` a little different: RGB uint8 `(size, size, 3)`."""
    own = np.random.default_rng(person)
    skin = own.integers([170, 120, 90], [235, 190, 160]).tolist()
    hair = own.integers(0, 110, 3).tolist()
    backdrop = own.integers(60, 200, 3).tolist()
    thickness = own.uniform(0.02, 0.05)
    now = np.random.default_rng([person, photo])
    big = size * 4
    image = np.full((big, big, 3), backdrop, np.uint8)

    def point(x: float, y: float) -> tuple[int, int]:
        return round(x * big), round(y * big)

    def line(width: float) -> int:
        return max(1, round(width * big))

    cv2.ellipse(image, point(0.5, 0.42), point(0.36, 0.4), 0, 0, 360, hair, -1)
    cv2.ellipse(image, point(0.5, 0.55), point(0.31, 0.4), 0, 0, 360, skin, -1)
    dark = [c // 3 for c in skin]
    for x, y in LANDMARKS[:2]:
        cv2.ellipse(image, point(x, y), point(0.075, 0.04), 0, 0, 360, (245, 245, 245), -1)
        cv2.circle(image, point(x, y), line(0.036), (40, 30, 25), -1)
        cv2.ellipse(image, point(x, y - 0.06), point(0.1, 0.05), 0, 200, 340, hair, line(thickness))
    shade = [int(c * 0.75) for c in skin]
    cv2.line(image, point(0.49, 0.45), point(0.46, 0.6), shade, line(0.015))
    cv2.ellipse(image, point(*LANDMARKS[2]), point(0.06, 0.03), 0, 0, 180, dark, line(0.015))
    cv2.ellipse(image, point(0.5, 0.74), point(0.14, 0.06), 0, 10, 170, (170, 60, 60), line(0.03))
    light = now.uniform(0.85, 1.1)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    noisy = image * light + now.normal(0, 4, image.shape)
    return cv2.GaussianBlur(noisy.clip(0, 255).astype(np.uint8), (3, 3), 0)


def draw_people(folder: Path, num_people: int, num_photos: int, size: int = 96) -> Path:
    """A folder of one folder per person: `folder/p0/0.png`, ...; returns `folder`."""
    for person in range(num_people):
        own = folder / f"p{person}"
        own.mkdir(parents=True)
        for photo in range(num_photos):
            Image.fromarray(draw_face(person, photo, size)).save(own / f"{photo}.png")
    return folder
