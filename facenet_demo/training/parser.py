"""Between recipes and the settings that flags and files hold; jsonargparse reads and writes them.

config = parse_config(["--config", "configs/orl.yaml", "--seed_everything", "1"])
recipe = to_recipe(config)
to_config(recipe) == config
as_yaml(config)                      # config.yaml
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path, PurePath
from typing import Any

# Lightning still calls a name that jsonargparse renamed; a user can do nothing about it.
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

import lightning.pytorch as pl
from jsonargparse import (
    ActionConfigFile,
    ArgumentError,
    DefaultHelpFormatter,
    Namespace,
    set_parsing_settings,
)

from facenet_demo.data.datamodule import DataSettings
from facenet_demo.system.errors import UserError
from facenet_demo.training import trust
from facenet_demo.training.loggers import LoggerParser
from facenet_demo.training.recipe import Recipe, RunSettings
from facenet_demo.training.refusals import check_settings
from facenet_demo.training.settings import flat, keep_places, with_own_defaults
from facenet_demo.training.task import FaceTask

# It would take `data: photos.yaml` in a file for the name of a class.
set_parsing_settings(subclasses_enabled=[DataSettings])
# While it reads a config, jsonargparse changes the folder that the process works in.
_PARSING = threading.Lock()
_MODEL = ("network", "objective", "optimizer", "schedule", "torch_compile")


class _Help(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description as they are."""


def make_parser(description: str = "") -> LoggerParser:
    """The parser of all settings, in the order in which --help and config.yaml list them."""
    parser = LoggerParser(
        description=description,
        usage="%(prog)s [--config FILE] [--SETTING VALUE ...]",
        formatter_class=_Help,
        # The parser would print the values of a file as they are, escape sequences too.
        exit_on_error=False,
        dump_header=[f"lightning.pytorch=={pl.__version__}"],
    )
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="A file of settings, YAML.")
    parser.add_argument(
        "--seed_everything", type=bool | int, default=0,
        help="Of all that is drawn by chance; true draws one.",
    )  # fmt: skip
    parser.add_class_arguments(RunSettings, "run")
    parser.add_class_arguments(DataSettings, "data", sub_configs=True)
    parser.add_class_arguments(
        FaceTask, "model", skip={"facts"}, instantiate=False, sub_configs=True
    )
    parser.add_lightning_class_args(pl.Trainer, "trainer")
    # Lightning would take every GPU it finds, and with each of them the batch would grow.
    parser.set_defaults({"trainer.devices": 1})
    return parser


def parse_config(
    args: Sequence[str], typed: Sequence[str] = (), resumed: bool = False, description: str = ""
) -> Namespace:
    """The settings of a command line, checked.

    Args:
        args: with every --config in front.
        typed: those that a person typed; the rest is a file's, see `trust`.
        resumed: whether a run goes on, in its own folder.
        description: what --help begins with.

    Raises:
        UserError: for a setting that does not exist, has no such value, or is not a file's to make.
    """
    with _PARSING:
        try:
            own = with_own_defaults(args, {"model": FaceTask, "data": DataSettings})
            config = make_parser(description).parse_args(own)
        except ArgumentError as error:
            raise sentence(error, "\nSee --help.") from error
    trust.check(config, typed, resumed)
    return _checked(config)


def to_recipe(config: Namespace) -> Recipe:
    """What parsed settings say.

    Raises:
        UserError: for a value that its class refuses.
    """
    parser = make_parser()
    trainer = as_plain(config)["trainer"]
    rest = config.clone()
    del rest["trainer"]
    try:
        made = parser.instantiate_classes(rest)
        model = vars(made["model"])
        return Recipe(
            data=made["data"],
            run=made["run"],
            seed=config["seed_everything"],
            trainer=trainer,
            **{name: model[name] for name in _MODEL},
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def parse_data(described: Any, config: Path) -> DataSettings:
    """The photos that the settings `data` of a config describe.

    Raises:
        UserError: if they describe none.
    """
    parser = LoggerParser(exit_on_error=False)
    parser.add_class_arguments(DataSettings, "data", sub_configs=True)
    try:
        parsed = parser.parse_object({"data": described})
        trust.check(parsed, [])
        keep_places(parsed)
        return parser.instantiate_classes(parsed)["data"]
    except (TypeError, ValueError, RecursionError, ArgumentError) as error:
        if trust.denied(error):
            raise sentence(error) from error
        raise UserError(f"{config} is no config of a training: {error}") from error


def to_config(recipe: Recipe) -> Namespace:
    """The settings of a recipe, all of them.

    Raises:
        UserError: for an argument that Lightning's Trainer does not have, or a class that has no
            name to be imported by.
    """
    settings = {
        "seed_everything": recipe.seed,
        "run": _plain(recipe.run),
        "data": _plain(recipe.data),
        "model": {name: _plain(getattr(recipe, name)) for name in _MODEL},
        "trainer": dict(recipe.trainer),
    }
    trust.restrict([text for text in flat(settings).values() if isinstance(text, str)])
    with _PARSING:
        try:
            config = make_parser().parse_object(settings)
        except ArgumentError as error:
            raise sentence(error) from None
    return _checked(config)


def trainer_arguments(config: Namespace) -> dict[str, Any]:
    """The Trainer's arguments, callbacks and plugins made; loggers are not, they need a folder."""
    trainer = config["trainer"].clone()
    trainer["logger"] = None
    return vars(make_parser().instantiate_classes(Namespace(trainer=trainer))["trainer"])


def as_plain(config: Namespace) -> dict[str, Any]:
    """All settings as nested plain values."""
    return json.loads(make_parser().dump(config, skip_none=False, format="json"))


def as_yaml(config: Namespace) -> str:
    """All settings as a config file."""
    return make_parser().dump(config, skip_none=False)


def sentence(error: Exception, more: str = "") -> UserError:
    """What is said of settings that the parser refused, and `more`, where that helps."""
    denied = trust.denied(error)
    return trust.refusal(denied) if denied else UserError(f"{error}{more}")


def _checked(config: Namespace) -> Namespace:
    keep_places(config)
    check_settings(config["trainer"])
    return config


def _plain(value: Any) -> Any:
    """A setting as a config has it."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    inner = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    kind = type(value)
    if not any(inspect.isabstract(base) for base in kind.__mro__):
        return inner
    if "<locals>" in kind.__qualname__:
        raise UserError(
            f"{kind.__qualname__} is defined inside a function, where no config can name it. Move "
            "it to the top of a module."
        )
    return {"class_path": _name(kind), "init_args": inner}


def _name(kind: type) -> str:
    """The shortest dotted name of a class: that of the package that offers it, not of its file."""
    parts = kind.__module__.split(".")
    for end in range(1, len(parts)):
        package = ".".join(parts[:end])
        if getattr(sys.modules.get(package), kind.__name__, None) is kind:
            return f"{package}.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"
