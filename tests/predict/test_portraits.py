"""Galleries of photos that lie under two names, show several people, or lie there twice."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facenet_demo.predict import Predictor
from facenet_demo.predict.command import main
from facenet_demo.predict.enrollment import enroll
from facenet_demo.predict.gallery import Gallery
from facenet_demo.system.errors import UserError

NEW = (20, 21, 22, 23, 24)  # people the network was never trained on


@pytest.fixture
def people(orl_root: Path, tmp_path: Path) -> Path:
    """Four photos of each of five people."""
    for person in NEW:
        (tmp_path / f"people/P{person}").mkdir(parents=True)
        for photo in range(1, 5):
            shutil.copy(orl_root / f"s{person}/{photo}.pgm", tmp_path / f"people/P{person}")
    return tmp_path / "people"


def made(people: Path, predictor: Predictor, strangers: Path | None = None) -> Gallery:
    return enroll(people, predictor.reader, predictor.model, strangers)


def enrolled(gallery: Gallery) -> dict[str, int]:
    return dict(Counter(gallery.people[label] for label in gallery.labels.tolist()))


def pair(orl_root: Path, one: int, other: int) -> Image.Image:
    """Two people side by side, the first one large."""
    left = Image.open(orl_root / f"s{one}/8.pgm").resize((276, 336))
    right = Image.open(orl_root / f"s{other}/8.pgm").resize((184, 224))
    both = Image.new("L", (460, 336), 90)
    both.paste(left, (0, 0))
    both.paste(right, (276, 50))
    return both


@pytest.mark.parametrize("how", ["copied", "saved anew"])
def test_a_photo_under_two_names_is_under_neither_and_sets_no_threshold(
    how: str, people: Path, predictor: Predictor
) -> None:
    plain = made(people, predictor)
    one, other = people / "P20/1.pgm", people / "P21/one more.png"
    if how == "copied":
        shutil.copy(one, other)
    else:
        Image.open(one).resize((184, 224)).save(other)
    gallery = made(people, predictor)
    assert enrolled(gallery) == {"P20": 3, "P21": 4, "P22": 4, "P23": 4, "P24": 4}
    assert gallery.left_out == (
        (str(one), f"the same face as in {other}, under another name"),
        (str(other), f"the same face as in {one}, under another name"),
    )
    assert gallery.threshold == pytest.approx(plain.threshold, abs=0.01)
    assert gallery.threshold < 0.999


def test_a_person_with_no_photo_left_is_named(
    people: Path, predictor: Predictor, orl_root: Path
) -> None:
    (people / "Twin").mkdir()
    shutil.copy(people / "P20/2.pgm", people / "Twin")
    gallery = made(people, predictor)
    assert "Twin" not in gallery.people
    assert gallery.notes == ("Not in the gallery, as no photo of theirs can be used: Twin.",)
    for person in NEW[1:]:
        shutil.rmtree(people / f"P{person}")
    for photo in (1, 3, 4):
        (people / f"P20/{photo}.pgm").unlink()
    with pytest.raises(UserError, match=r"No faces found .*\(2 files read\): the same face as in"):
        made(people, predictor)


def test_a_copy_in_one_folder_is_enrolled_once(people: Path, predictor: Predictor) -> None:
    plain = made(people, predictor)
    shutil.copy(people / "P20/1.pgm", people / "P20/copy.pgm")
    gallery = made(people, predictor)
    assert torch.equal(gallery.embeddings, plain.embeddings)
    assert gallery.temperature == plain.temperature
    first = people / "P20/1.pgm"
    assert gallery.left_out == ((str(people / "P20/copy.pgm"), f"the same file as {first}"),)


def test_a_photo_of_two_in_the_folders_of_both_shows_each(
    people: Path, predictor: Predictor, orl_root: Path
) -> None:
    for person in (20, 22):
        pair(orl_root, 20, 22).save(people / f"P{person}/both.png")
    gallery = made(people, predictor)
    assert gallery.left_out == ()
    assert enrolled(gallery) == {"P20": 5, "P21": 4, "P22": 5, "P23": 4, "P24": 4}
    left, right = predictor.embed(predictor.windows(people / "P20/both.png"))
    rows = [gallery.people.index(person) for person in ("P20", "P22")]
    for face, label in zip((left, right), rows, strict=True):
        own = gallery.embeddings[gallery.labels == label]
        assert float((own @ face).max()) == pytest.approx(1, abs=1e-5)
    assert any("2 photos show several faces" in note for note in gallery.notes)
    assert gallery.threshold < 0.999


def test_nobody_can_tell_whose_face_it_is_without_other_photos(
    people: Path, predictor: Predictor, orl_root: Path
) -> None:
    for person in (20, 22):
        for photo in (2, 3, 4):
            (people / f"P{person}/{photo}.pgm").unlink()
        pair(orl_root, 20, 22).save(people / f"P{person}/both.png")
    gallery = made(people, predictor)
    assert [Path(file).name for file, _ in gallery.left_out] == ["both.png", "both.png"]
    assert enrolled(gallery) == {"P20": 1, "P21": 4, "P22": 1, "P23": 4, "P24": 4}


def test_copies_of_enrolled_photos_are_no_strangers(
    people: Path, predictor: Predictor, orl_root: Path, tmp_path: Path
) -> None:
    plain = made(people, predictor, orl_root / "s30")
    strangers = tmp_path / "strangers"
    shutil.copytree(orl_root / "s30", strangers)
    shutil.copy(people / "P20/1.pgm", strangers / "11.pgm")
    Image.open(people / "P21/1.pgm").save(strangers / "12.png")
    gallery = made(people, predictor, strangers)
    assert torch.equal(gallery.strangers.sort().values, plain.strangers.sort().values)
    assert gallery.left_out == tuple(
        (str(strangers / copy), f"no stranger's: the same face as in {people / known}")
        for copy, known in (("11.pgm", "P20/1.pgm"), ("12.png", "P21/1.pgm"))
    )


def test_the_command_says_what_is_doubtful(
    people: Path, run_folder: Path, capsys: pytest.CaptureFixture
) -> None:
    (people / "P24").rename(people / "_P24")
    shutil.copy(people / "P20/1.pgm", people / "P21/9.pgm")
    assert main([str(run_folder), str(people / "P22"), "--gallery", str(people)]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "_P24: taken as a person, though the name begins with no letter" in said
    assert said.count("under another name") == 2


def test_a_split_is_no_gallery(people: Path, predictor: Predictor) -> None:
    shutil.copytree(people, people.with_name("split") / "train")
    shutil.copytree(people, people.with_name("split") / "val")
    with pytest.raises(UserError, match=r"train, val .*a split of photos.*Name one of them"):
        made(people.with_name("split"), predictor)


def test_pixels_of_pairs_are_those_of_faces(orl_root: Path, predictor: Predictor) -> None:
    """The photos of two made here do show two faces."""
    assert len(predictor.reader(np.asarray(pair(orl_root, 20, 22))).faces) == 2
