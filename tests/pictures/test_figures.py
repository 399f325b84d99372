from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facenet_demo.pictures import figures


def test_curves_draw_each_epoch_of_both_stages_and_mark_the_kept_one() -> None:
    history = [{"train/loss": 3.0 - i, "val/loss": 3.5 - i, "train/accuracy": i} for i in range(3)]
    loss, accuracy = figures.curves(history, best_epoch=1).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in loss.lines}
    assert lines["training"] == [[1, 3], [2, 2], [3, 1]]
    assert lines["validation"] == [[1, 3.5], [2, 2.5], [3, 1.5]]
    assert lines["kept"][0][0] == 2
    assert [line.get_label() for line in accuracy.lines] == ["training", "kept"]


def test_confusion_matrix_shows_shares_and_counts_mistakes() -> None:
    counts = np.array([[3, 1], [0, 2]])
    axes = figures.confusion_matrix(counts, ["Ada_L", "Grace"]).axes[0]
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]
    named, in_photo, mistakes = axes.texts[0:4:2], axes.texts[1:4:2], axes.texts[4:]
    for names in (named, in_photo):
        assert [text.get_text() for text in names] == ["Ada L", "Grace"]
    assert [text.get_position()[0] for text in named] == [0, 1]
    assert [text.get_position()[1] for text in in_photo] == [0, 1]
    assert [(t.get_text(), t.get_position()) for t in mistakes] == [("1", (1, 0))]


def test_of_many_people_those_most_often_mistaken_are_shown() -> None:
    counts = np.diag(np.full(10, 5))
    counts[7, 2], counts[3, 9] = 4, 2
    axes = figures.confusion_matrix(counts, [f"p{i}" for i in range(10)], most=4).axes[0]
    assert [text.get_text() for text in axes.texts[1:8:2]] == ["p2", "p3", "p7", "p9"]
    assert "the 4 of 10 people" in axes.get_title()


def test_wrong_faces_say_who_was_taken_for_whom() -> None:
    windows = np.zeros((2, 8, 8, 3), np.uint8)
    figure = figures.wrong_faces(windows, ["A_b", "C"], ["D", "E"], [0.91, 0.5], num_photos=40)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["named A b (91%)\nis D", "named C (50%)\nis E"]
    assert figure.get_suptitle() == "Wrongly named: 2 of 40 photos"


def test_no_wrong_face_is_a_figure_too() -> None:
    figure = figures.wrong_faces(np.zeros((0, 8, 8, 3), np.uint8), [], [], [], num_photos=40)
    assert figure.get_suptitle() == "Wrongly named: none of 40 photos"
    assert figures.to_array(figure).shape[2] == 3


def test_to_array_is_what_saving_gives(tmp_path: Path) -> None:
    figure = figures.curves([{"train/loss": 1.0, "train/accuracy": 0.5}], None)
    figure.savefig(tmp_path / "a.png")
    saved = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert np.array_equal(figures.to_array(figure), saved)


def test_reliability_shows_the_share_that_was_right_in_each_bin() -> None:
    certainty = np.array([0.05, 0.95, 0.95, 0.97, 1.0])
    figure = figures.reliability(certainty, np.array([False, True, True, True, False]), num_bins=10)
    bars = {round(b.get_x() + b.get_width() / 2, 2): b.get_height() for b in figure.axes[0].patches}
    assert bars == {0.05: 0.0, 0.95: 0.75}
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "4"]


def test_known_people_and_strangers_have_shares_of_their_own() -> None:
    figure = figures.known_and_strangers(np.array([0.9, 0.9, 0.1]), np.array([0.1]), threshold=0.5)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert sum(heights) == pytest.approx(2), "each group adds up to one"
    assert max(heights) == 1
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert sorted(labels) == [
        "people it knows: 3 photos", "strangers: 1 photos", "threshold 0.50",
    ]  # fmt: skip
