"""A person of the name that strangers are given: in networks and galleries made elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from drawing import draw_people

from facenet_demo.predict import Predictor
from facenet_demo.predict.enrollment import enroll
from facenet_demo.predict.output import csv_rows, json_line
from facenet_demo.predict.results import PhotoResult, Prediction
from facenet_demo.system.errors import UserError

FACE = Prediction(None, 0.9, 0.9, (), (0, 0, 9, 9), (), 1.0, 9)


@pytest.mark.parametrize("name", ["unknown", "Unknown", " unknown"])
def test_csv_tells_a_person_from_a_stranger(name: str) -> None:
    rows = [
        csv_rows(PhotoResult("a.jpg", (9, 9), (replace(FACE, name=who),)))[0]["name"]
        for who in (None, name, "Ada")
    ]
    assert rows == ["unknown", f"{name} (a name)", "Ada"]
    assert f'"name": "{name}"' in json_line(
        PhotoResult("a.jpg", (9, 9), (replace(FACE, name=name),))
    )


def test_nobody_is_enrolled_under_it(predictor: Predictor, tmp_path: Path) -> None:
    draw_people(tmp_path, num_people=2, num_photos=1)
    (tmp_path / "p1").rename(tmp_path / "Unknown")
    with pytest.raises(UserError, match=r"called unknown.*`strangers`"):
        enroll(tmp_path, predictor.reader, predictor.model)
