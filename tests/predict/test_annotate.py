from __future__ import annotations

import numpy as np
import pytest

from facenet_demo.faces.photos import Photo
from facenet_demo.predict.annotate import annotate
from facenet_demo.predict.results import Guess, Prediction


def face(name: str | None, *box: float) -> Prediction:
    guesses = (Guess("Ada", 0.97),)
    return Prediction(name, 0.97, 0.9, guesses, box, (), 0.99, round(box[2] - box[0]))


def drawn(level: int, size: tuple[int, int], *faces: Prediction) -> np.ndarray:
    pixels = np.full((*size, 3), level, np.uint8)
    return np.asarray(annotate(Photo(pixels, size), faces))


def luminance(colours: np.ndarray) -> np.ndarray:
    """Relative luminance as WCAG 2 defines it."""
    c = colours / 255
    linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Contrast ratio as WCAG 2 defines it; it asks for 3 of graphics and of large bold letters."""
    return (np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05)


@pytest.mark.parametrize("level", [0, 90, 128, 200, 255])
@pytest.mark.parametrize("name", ["Ada", None])
def test_box_and_name_stand_out_on_any_ground(level: int, name: str | None) -> None:
    picture = drawn(level, (600, 800), face(name, 300, 200, 500, 450))
    line = luminance(picture[190:210, 400].astype(float))
    assert contrast(line, luminance(np.full(3, level))).max() >= 3
    label = luminance(picture[172:196, 300:330].reshape(-1, 3).astype(float))
    assert contrast(label.max(), np.median(label)) >= 3


def test_it_is_drawn_where_the_face_is_and_nowhere_else() -> None:
    picture = drawn(100, (600, 800), face("Ada", 300, 200, 500, 450))
    rows, columns = np.nonzero((picture != 100).any(2))
    assert (columns.min(), columns.max()) == pytest.approx((300, 500), abs=8)
    assert rows.max() == pytest.approx(450, abs=8)
    assert 150 < rows.min() < 195, "the name above the box"
    assert (picture[230:420, 330:470] == 100).all(), "the face itself is left alone"


@pytest.mark.parametrize(
    "box", [(300, 0, 500, 200), (0, 0, 800, 600), (780, 590, 900, 700), (-50, -50, 30, 30)]
)
def test_the_name_is_inside_the_photo(box: tuple[float, ...]) -> None:
    with_name = drawn(100, (600, 800), face("Adalbert", *box))
    colour = with_name.reshape(-1, 3)
    filled = (colour == [0, 158, 115]).all(1).sum()
    assert filled > 1500, "most of the label's ground shows"


def test_lines_and_letters_grow_with_the_photo() -> None:
    """Three times the pixels, three times the width of everything drawn."""
    small = drawn(100, (700, 900), face("Ada", 300, 200, 500, 450))
    large = drawn(100, (2100, 2700), face("Ada", 900, 600, 1500, 1350))
    changed = [(picture != 100).any(2) for picture in (small, large)]
    widths = [mask[mask.shape[0] // 2].sum() for mask in changed]
    assert widths[1] / widths[0] == pytest.approx(3, rel=0.35)
    heights = [np.nonzero(mask)[0].min() / mask.shape[0] for mask in changed]
    assert heights[0] == pytest.approx(heights[1], abs=0.01)


def test_a_small_photo_is_enlarged_to_write_on() -> None:
    assert drawn(100, (100, 80), face("Ada", 20, 20, 60, 80)).shape == (600, 480, 3)


def test_boxes_count_in_the_whole_photo() -> None:
    """A photo decoded at half its size."""
    pixels = np.full((600, 800, 3), 100, np.uint8)
    picture = annotate(Photo(pixels, (1200, 1600)), [face("Ada", 600, 400, 1000, 900)])
    assert np.array_equal(picture, drawn(100, (600, 800), face("Ada", 300, 200, 500, 450)))


def test_names_of_any_kind_are_drawn() -> None:
    for name in ("", "Zoë\nMüller", "李", "x" * 500):
        drawn(100, (200, 300), face(name, 50, 50, 100, 100))
