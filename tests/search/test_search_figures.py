"""What is written beside the bars and lines of a search is text."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from matplotlib.text import Text

from facenet_demo.pictures.figures import to_array
from facenet_demo.search import figures
from facenet_demo.search.space import read_space, suggest

CHOICES = r"['A$$', '\frac{$$', 'a$b$', '李明']"


@pytest.mark.parametrize("picture", ["importance", "parallel", "slices"])
def test_values_are_no_mathematics(picture: str, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(
        f"data.source.root: {{choice: {CHOICES}}}\n"
        "model.$x$.lr: {log: [0.001, 0.1]}\n"
        "model.$dropout$: {float: [0, 0.4]}\n",
        "utf-8",
    )
    space = read_space(tmp_path / "space.yaml")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    for number in range(12):
        trial = study.ask()
        suggest(trial, space)
        study.tell(trial, float(number))
    figure = {
        "importance": lambda: figures.importance(study),
        "parallel": lambda: figures.parallel(study, space, "val/loss"),
        "slices": lambda: figures.slices(study, space, "val/loss"),
    }[picture]()
    to_array(figure)
    shown = [text for text in figure.findobj(Text) if text.get_text().strip()]
    odd = {text.get_text() for text in shown if not text.get_parse_math()}
    expected = {"parallel": {"A$$", "$dropout$", "a$b$"}, "slices": {"A$$", "model.$x$.lr"},
                "importance": {"model.$x$.lr", "model.$dropout$"}}  # fmt: skip
    assert expected[picture] <= odd
    scale = [text for text in shown if "mathdefault" in text.get_text()]
    assert all(text.get_parse_math() for text in scale), "10 to the power of is mathematics"
