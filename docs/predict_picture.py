"""Draw docs/predict.png: python docs/predict_picture.py runs/orl-...

A run with strangers: python scripts/train.py --data.split.outsiders 10
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image

from facenet_demo.faces.photos import read_photo
from facenet_demo.predict import Predictor
from facenet_demo.predict.annotate import annotate

_WIDTH, _GAP = 276, 16


def main(run: Path) -> None:
    """Annotated copies of two known people's test photos and a stranger's, side by side."""
    split = json.loads((run / "splits.json").read_text("utf-8"))
    predictor = Predictor(run)
    named = [(result.faces[0].probability, result.file) for result in predictor(split["test"])]
    people = {Path(file).parent.name: file for _, file in sorted(named)}  # the surest of each
    files = [*list(people.values())[-2:], split["outsiders"]["test"][0]]
    copies = [annotate(read_photo(file), predictor(file).faces) for file in files]
    copies = [copy.resize((_WIDTH, _WIDTH * copy.height // copy.width)) for copy in copies]
    size = (len(copies) * (_WIDTH + _GAP) - _GAP, copies[0].height)
    picture = Image.new("RGB", size, "white")
    for place, copy in enumerate(copies):
        picture.paste(copy, (place * (_WIDTH + _GAP), 0))
    picture.save(Path(__file__).parent / "predict.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
