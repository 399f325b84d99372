from __future__ import annotations

import pytest

from facenet_demo.system.spelling import as_flags
from facenet_demo.training.cli import main, parse
from facenet_demo.training.flags import flag, in_recipe
from facenet_demo.training.parser import make_parser, to_config
from facenet_demo.training.recipe import Recipe
from facenet_demo.training.settings import flat


def test_every_setting_of_a_recipe_has_its_flag_and_comes_back() -> None:
    known = {f"--{name}" for name in flat(to_config(Recipe()).as_dict())} - {"--config"}
    assert {flag(in_recipe(name.removeprefix("--"))) for name in known} == known
    assert "--data.split.val" in known
    assert "--model.optimizer.lr" in known
    assert "--seed_everything" in known


def test_only_settings_in_backquotes_become_flags() -> None:
    assert as_flags("Lower `optimizer.lr` or `data.split.val`.", flag) == (
        "Lower --model.optimizer.lr or --data.split.val."
    )
    assert as_flags("`torch_compile`, `seed`: data.window", flag) == (
        "--model.torch_compile, --seed_everything: data.window"
    )
    assert as_flags("`strangers`, `step: 0.1`, `pip install`", flag) == (
        "`strangers`, `step: 0.1`, `pip install`"
    )


def test_the_command_says_flags_where_the_package_says_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--trainer.max_epochs=0"]) == 2
    assert "Error: --trainer.max_epochs must not be 0" in capsys.readouterr().err
    with pytest.raises(Exception, match=r"^`trainer\.max_epochs` must not be 0"):
        to_config(Recipe(trainer={"max_epochs": 0}))


def test_help_is_offered_to_who_typed_flags_alone() -> None:
    with pytest.raises(Exception, match="See --help"):
        parse(["--trainer.no=1"])
    with pytest.raises(Exception, match="no") as refused:
        to_config(Recipe(trainer={"no": 1}))
    assert "--" not in str(refused.value)


def test_flags_are_those_that_the_help_shows() -> None:
    shown = make_parser().format_help()
    for name in ("data.window", "optimizer", "run.patience", "seed", "torch_compile"):
        assert f"\n  {flag(name)} " in shown
