from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from facenet_demo.search.space import flags, points, read_space, suggest
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS

GOOD = """
# comment
model.optimizer: {choice: [SGD, AdamW]}
model.optimizer.lr: {log: [0.001, 0.1], points: 3}
model.optimizer.momentum: {float: [0.8, 0.95], step: 0.05, when: {model.optimizer: SGD}}
model.network.convolutions: {int: [1, 4], step: 2}
model.network.channels: {choice: [[4, 8], [8]]}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "space.yaml").write_text(text)
    return folder / "space.yaml"


def test_a_grid_holds_each_point_once_with_conditions(tmp_path: Path) -> None:
    grid = points(read_space(written(tmp_path, GOOD)))
    # SGD: 3 rates, 4 momenta; AdamW: 3 rates; each with 2 depths and 2 widths.
    assert len(grid) == (3 * 4 + 3) * 2 * 2
    assert len({tuple(point.items()) for point in grid}) == len(grid)
    rates = sorted({p["model.optimizer.lr"] for p in grid})
    assert rates == pytest.approx([0.001, 0.01, 0.1])
    assert {p["model.network.convolutions"] for p in grid} == {1, 3}
    momenta = {p.get("model.optimizer.momentum") for p in grid if p["model.optimizer"] == "SGD"}
    assert sorted(momenta) == pytest.approx([0.8, 0.85, 0.9, 0.95])
    assert all("model.optimizer.momentum" not in p for p in grid if p["model.optimizer"] != "SGD")


def test_numbers_may_be_written_with_an_exponent(tmp_path: Path) -> None:
    line = "model.optimizer.lr: {log: [1e-4, 1E-1], points: 4}\nx: {float: [0, 2e-1], step: 1e-1}"
    rate, x = read_space(written(tmp_path, line))
    assert (rate.low, rate.high) == (0.0001, 0.1)
    assert (x.low, x.high, x.step) == (0, 0.2, 0.1)


def test_what_is_drawn_lies_in_its_range(tmp_path: Path) -> None:
    space = read_space(written(tmp_path, GOOD))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    drawn = [suggest(study.ask(), space) for _ in range(60)]
    rates = [d["model.optimizer.lr"] for d in drawn]
    assert 0.001 <= min(rates) < 0.003
    assert 0.03 < max(rates) <= 0.1
    assert {d["model.network.convolutions"] for d in drawn} == {1, 3}
    assert all(("model.optimizer.momentum" in d) == (d["model.optimizer"] == "SGD") for d in drawn)


def test_flags_are_what_the_command_line_reads() -> None:
    chosen = {"a.b": "SGD", "c": 0.5, "d": True, "e": "[4, 8]"}
    assert flags(chosen) == ["--a.b=SGD", "--c=0.5", "--d=true", "--e=[4, 8]"]


def test_the_shipped_space_is_also_a_grid() -> None:
    assert len(points(read_space(CONFIGS / "search/orl.yaml"))) == (4 * 4 + 4) * 4 * 2 * 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x: {choice: []}", r"line 3: choice needs a list.*not \[\]"),
        ("x: {float: [0.5, 0.1]}", r"line 3: the lowest value of x, 0.5, is not below"),
        ("x: {float: [0.5, 0.5]}", "line 3: the lowest value of x"),
        ("x: {log: [0, 1]}", "line 3: a logarithmic range starts above 0"),
        ("x: {int: [1, 2.5]}", "line 3: x is an int"),
        ("x: {int: [1, 5], step: 1.5}", "line 3: the step of x must be a positive whole"),
        ("x: {float: [0, 1], step: -1}", "line 3: the step"),
        ("x: {int: [1, 2], step: 5}", "line 3: the step of x, 5, is larger than its range"),
        ("x: {float: [0, .nan]}", "line 3: x needs two numbers"),
        ("x: {float: [1, 2, 3]}", "line 3: x needs two numbers"),
        ("x: {log: [1, 2], points: 1}", "line 3: points of x"),
        ("x: {flaot: [0, 1]}", "line 3: x needs one of choice, int, float, log, and has flaot"),
        ("x: {float: [0, 1], steps: 2}", "line 3: float has no option steps"),
        ("x: 7", "line 3: x needs its values in braces"),
        ("x: {int: [1, 2], when: {y: 1}}", "line 3: x depends on y, which is no choice further up"),
        ("x: {int: [1, 2], when: {a: 9}}", "line 3: x waits for a to be 9"),
        ("a: {choice: [1]}", "line 3: a is there twice"),
        ("x: !!python/object:os.system {}", "line 3: could not determine a constructor"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_space(written(tmp_path, f"# first\na: {{choice: [1, 2]}}\n{line}\n"))


@pytest.mark.parametrize("line", ["x: {float: [0, 1]}", "x: {log: [0.1, 1]}"])
def test_a_grid_over_a_continuous_range_needs_steps(tmp_path: Path, line: str) -> None:
    space = read_space(written(tmp_path, f"a: {{choice: [1]}}\n{line}"))
    with pytest.raises(UserError, match="line 2: a grid needs to know"):
        points(space)


@pytest.mark.parametrize("text", ["", "- a\n- b", "a: [", "\x00"])
def test_what_is_no_space(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"space\.yaml (holds no settings|is no YAML)"):
        read_space(written(tmp_path, text))
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_space(tmp_path / "nix.yaml")
