"""Names in pictures: text, in fonts that have its letters, or a box and one sentence."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from PIL import ImageFont

from facenet_demo.faces.photos import Photo
from facenet_demo.pictures import figures
from facenet_demo.pictures import lettering as module
from facenet_demo.pictures.lettering import BOX, font_file, lettering, runs
from facenet_demo.predict.annotate import annotate
from facenet_demo.predict.results import Guess, Prediction

MATHEMATICS = ["A$$", "Joey Bada$$", r"$\frac{$", "$x^2$", r"a\$b", "100 %", "_a_{b}^c"]


def make_font(file: Path, letters: str, family: str) -> Path:
    """A font whose letters are full squares."""
    names = [".notdef", *(f"u{ord(letter):X}" for letter in letters)]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"u{ord(letter):X}" for letter in letters})
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(file)
    return file


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[Path]]:
    """Makes this machine have the fonts with these letters, and no others."""
    known = list(font_manager.fontManager.ttflist)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", known)

    def install(*fonts: str) -> list[Path]:
        files = [
            make_font(tmp_path / f"{number}.ttf", letters, f"Squares {number}")
            for number, letters in enumerate(fonts)
        ]
        monkeypatch.setattr(module, "system_fonts", lambda: files)
        monkeypatch.setattr(module, "_FONTS", module._Fonts())
        return files

    return install


def drawn(*names: str) -> np.ndarray:
    """Without colours: how dark a confusion matrix is in all."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return 255 - figures.to_array(
            figures.confusion_matrix(np.eye(len(names), dtype=int), names)
        )


def test_no_name_is_mathematics() -> None:
    for name in MATHEMATICS:
        drawn(name, "b")
        windows = np.zeros((1, 8, 8, 3), np.uint8)
        figures.to_array(figures.wrong_faces(windows, [name], ["b"], [0.5], 9))
    figure = figures.confusion_matrix(np.eye(2, dtype=int), ["$x^2$", "b"])
    assert [text.get_text() for text in figure.axes[0].texts][:2] == ["$x^2$", "$x^2$"]
    assert not any(text.get_parse_math() for text in figure.axes[0].texts[:4])


def test_a_name_is_drawn_in_a_font_that_has_its_letters(
    installed: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    installed("คน", "李明")
    squares = drawn("李明", "b").sum()
    assert capsys.readouterr().err == ""
    installed()
    boxes = drawn("李明", "b").sum()
    assert squares > boxes, "a full square is darker than an empty one"
    assert "Debian" in capsys.readouterr().err


def test_a_script_that_no_font_has_is_said_once(
    installed: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    installed("ก")
    assert lettering(["李明 Ada", "山田"]).texts == [BOX * 2 + " Ada", BOX * 2]
    assert list(runs("明李 한", font_file())) == [(f"{BOX * 2} {BOX}", font_file())]
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("No font of this machine") == 1
    assert "the CJK letter 山" in said
    assert "fonts-noto-cjk" in said
    lettering(["राम"])
    said = " ".join(capsys.readouterr().err.split())
    assert "the Devanagari letter म" in said
    assert "fonts-noto-core" in said


def test_letters_are_looked_for_once(
    installed: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking through hundreds of fonts takes a second."""
    files = installed("李明山")
    searches = []
    monkeypatch.setattr(module, "system_fonts", lambda: searches.append(1) or files)
    for name in ("李", "明", "山", "राम", "शर्मा", "Zoë"):
        list(runs(name, font_file("Bold")))
    assert len(searches) == 2, "one for each script"


def test_the_font_with_most_letters_is_taken(installed: Callable[..., list[Path]]) -> None:
    _, most, other = installed("李", "李明", "ก")
    pieces = [("Ada ", font_file()), ("李明", most), (" ", font_file()), ("ก", other)]
    assert list(runs("Ada 李明 ก", font_file())) == pieces


def test_an_accent_stays_with_its_letter(installed: Callable[..., list[Path]]) -> None:
    (file,) = installed("दे")
    joined = "दे\u200dद"
    assert list(runs(f"{joined} 1", font_file())) == [(joined, file), (" 1", font_file())]


def test_what_is_no_font_is_passed_over(
    installed: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (good,) = installed("李")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    files = [tmp_path / "broken.ttf", tmp_path / "gone.ttf", good]
    monkeypatch.setattr(module, "system_fonts", lambda: files)
    assert list(runs("李", font_file())) == [("李", good)]


def test_the_fonts_of_this_machine_are_found() -> None:
    assert all(file.is_file() for file in module.system_fonts())
    assert font_file("Bold").is_file()


def test_a_name_on_a_photo_is_in_its_font(installed: Callable[..., list[Path]]) -> None:
    def label(name: str) -> np.ndarray:
        box = (100, 200, 300, 400)
        face = Prediction(name, 0.97, 0.9, (Guess(name, 0.97),), box, (), 0.99, 200)
        pixels = np.full((600, 800, 3), 100, np.uint8)
        picture = np.asarray(annotate(Photo(pixels, (600, 800)), [face]))
        return picture[140:200, 90:400]

    (file,) = installed("李明")
    side = ImageFont.truetype(str(file), 25).getlength("李")
    white = (label("李明") == 255).all(2).sum() - (label("") == 255).all(2).sum()
    assert white == pytest.approx(2 * (0.9 * side) ** 2, rel=0.1)


def test_several_threads_may_write(installed: Callable[..., list[Path]]) -> None:
    installed("李明山田")
    found: list[list] = []
    threads = [
        threading.Thread(target=lambda name=name: found.append(list(runs(name, font_file()))))
        for name in ("李", "明", "山", "田") * 5
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(len(pieces) == 1 and BOX not in pieces[0][0] for pieces in found)
