from __future__ import annotations

import pytest

from facenet_demo.system.spelling import as_flags, hyphenated, with_new_names


def test_names_in_backquotes_that_are_options_become_flags() -> None:
    flags = hyphenated(["num_views", "seed"])
    text = "`num_views` is 3, `seed` 1, num_views; `num_guesses`, `step: 1` stay"
    assert as_flags(text, flags.get) == (
        "--num-views is 3, --seed 1, num_views; `num_guesses`, `step: 1` stay"
    )


def test_an_old_flag_is_renewed_with_its_value_and_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"--lfw_root": "--lfw-root"}
    args = ["predict", "--lfw_root", "--lfw_root=a=b", "--lfw-root", "lfw_root"]
    assert with_new_names(args, names) == [
        "predict", "--lfw-root", "--lfw-root=a=b", "--lfw-root", "lfw_root"
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert said.count("--lfw_root is called --lfw-root now") == 2
