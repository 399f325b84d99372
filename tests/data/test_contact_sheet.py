from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_people
from PIL import Image
from small_training import quick

from facenet_demo.data.contact_sheet import write_contact_sheet
from facenet_demo.data.crops import prepare_crops
from facenet_demo.data.sources import Folder
from facenet_demo.data.stored import Crops, CropSettings, LeftOut
from facenet_demo.training.cli import follow

HOSTILE = "<script>alert(1)</script> & Zoë"


@pytest.fixture
def crops(tmp_path: Path) -> Crops:
    """Two people with 20 photos; one has a name that a page must not believe."""
    root = draw_people(tmp_path / "people", num_people=2, num_photos=20)
    (root / "p1").rename(root / "AC\u2215DC")
    samples = list(Folder(root).samples())
    made = prepare_crops(samples, CropSettings(48, 32), tmp_path)
    names = [HOSTILE if person != "p0" else person for person in made.people]
    return replace(made, people=names)


class Page(HTMLParser):
    """Tags, headings and pictures of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.pictures: list[np.ndarray] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            content = (dict(attrs)["src"] or "").removeprefix("data:image/jpeg;base64,")
            self.pictures.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_each_person_is_a_picture_of_all_their_faces(crops: Crops, tmp_path: Path) -> None:
    write_contact_sheet(tmp_path / "people.html", crops)
    page = Page((tmp_path / "people.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert [text for text in page.texts if text.strip() in ("p0", HOSTILE)] == [
        f"{HOSTILE} ",
        "p0 ",
    ]
    assert [picture.shape for picture in page.pictures] == [(140, 1120, 3)] * 2, "16 and 4 faces"
    row = crops.people.index("p0")
    face = page.pictures[1][3:67, 3:67].astype(int)
    stored = np.asarray(Image.fromarray(crops.images[row]).resize((64, 64)))
    assert np.abs(face - stored).mean() < 8
    assert (page.pictures[1][75:, 4 * 70 + 5 :] > 245).all(), "no faces after the last"


def test_what_is_to_be_looked_at_comes_first_framed_and_named(crops: Crops, tmp_path: Path) -> None:
    own = [row for row, person in enumerate(crops.people) if person == "p0"]
    num_faces = crops.num_faces.copy()
    num_faces[own[9:12]] = 2
    several = replace(crops, num_faces=num_faces, overruled=[own[11]], unclear=[own[10]])
    left_out = [LeftOut(crops.files[own[10]], "not clear <b>")]
    write_contact_sheet(tmp_path / "people.html", several, left_out)
    text = (tmp_path / "people.html").read_text("utf-8")
    listed = re.findall(r"<li>(.*?): (.*?)</li>", text)
    assert listed == [
        (crops.files[own[10]], "not clear &lt;b&gt;"),
        (crops.files[own[11]], "2 faces"),
        (crops.files[own[9]], "2 faces"),
    ]
    picture = Page(text).pictures[1].astype(int)
    frames = [picture[1, 70 * place + 35] for place in range(4)]
    for frame, colour in zip(frames, [(213, 94, 0), (0, 114, 178), (230, 159, 0), (255, 255, 255)],
                             strict=True):  # fmt: skip
        assert np.abs(frame - colour).max() < 60


def test_training_says_what_is_doubtful_and_shows_it_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root = draw_people(tmp_path / "people", num_people=2, num_photos=5)
    (root / "p1").rename(root / "_p1")
    pair = np.concatenate(
        [np.asarray(Image.open(root / f"{name}/0.png")) for name in ("p0", "_p1")], 1
    )
    Image.fromarray(pair).save(root / "p0" / "pair.png")
    run = follow(
        quick(root, tmp_path / "runs", "--trainer.max_epochs=1", "--run.contact_sheet=true")
    )
    shown = " ".join(capsys.readouterr().err.split())
    assert "Several faces in 1 photos" in shown
    assert "_p1: taken as a person, though the name begins with no letter" in shown
    assert "<h2>_p1 <small>5 photos" in (run.folder / "people.html").read_text("utf-8")
