"""Draw docs/predict.png: python docs/predict_picture.py runs/orl-...

A run with strangers: python scripts/train.py --data.split.outsiders 10
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np

from facenet_demo.predict import Predictor
from facenet_demo.predict.annotate import annotate
from facenet_demo.transforms import Photo, read_image

_SIZE = (370, 900)


def main(run: Path) -> None:
    """Two people of the test photos and a stranger side by side, named."""
    split = json.loads((run / "splits.json").read_text("utf-8"))
    predictor = Predictor(run)
    named = [(result.faces[0].probability, result.file) for result in predictor(split["test"])]
    people = {Path(file).parent.name: file for _, file in sorted(named)}  # the surest of each
    files = [*list(people.values())[-2:], split["outsiders"]["test"][0]]
    photo = np.full((*_SIZE, 3), 235, np.uint8)
    for place, file in enumerate(files):
        face = cv2.resize(read_image(file), None, fx=2.8, fy=2.8, interpolation=cv2.INTER_CUBIC)
        x = 25 + place * 295
        photo[30 : 30 + face.shape[0], x : x + face.shape[1]] = face
    picture = annotate(Photo(photo, _SIZE), predictor(photo).faces)
    plt.imsave(Path(__file__).parent / "predict.png", np.asarray(picture))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
