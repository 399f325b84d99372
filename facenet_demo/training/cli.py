"""The command line of training: scripts/train.py.

recipe, resumed = parse(["--config", "configs/orl.yaml", "--model.network.dropout", "0.5"])
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.system.commands import as_called
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted, exit_code, write_for_programs
from facenet_demo.system.spelling import as_flags
from facenet_demo.training import trust
from facenet_demo.training.arguments import in_order, take
from facenet_demo.training.configs import CONFIGS, find_config
from facenet_demo.training.flags import flag
from facenet_demo.training.old_names import renewed_flags
from facenet_demo.training.parser import parse_config, parse_data, to_recipe
from facenet_demo.training.quiet import quieten_libraries
from facenet_demo.training.recipe import Recipe

if TYPE_CHECKING:
    from facenet_demo.training.train import TrainedRun

DESCRIPTION = f"""
Train a network to tell people apart, test it on photos it never saw, and write a run folder.

  python scripts/train.py                                    the ORL faces, no download
  python scripts/train.py --config configs/lfw.yaml          Labeled Faces in the Wild
  python scripts/train.py --config configs/folder.yaml --data.source.root my_people/
  python scripts/train.py --config configs/orl_landmarks.yaml  where eyes, nose and mouth are
  python scripts/train.py --resume runs/orl-20260131-142501  go on with an interrupted run

Any setting below is set by flag, or in a YAML file given with --config; the flag wins:
  --model.network.dropout 0.5 --trainer.max_epochs 20        more dropout, fewer epochs
  --model.network Torchvision --model.network.name resnet18  another network
  --model.network.help FaceCNN                               the settings of a network
  --model.objective Margin                                   another loss
  --data.source.help Folder                                  the settings of a data set
  --trainer.logger CSVLogger                                 curves to a file, not TensorBoard
  --print_config                                             all settings, as YAML, and stop
  --import mynet                                             let files name what is in mynet.py
Without --config, {CONFIGS.name}/orl.yaml is taken.
From any folder, --config lfw finds configs/lfw.yaml.
"""


class Command(NamedTuple):
    """What a command line asks for.

    Attributes:
        recipe: its settings.
        resumed: the folder of the run that is to go on; None for a new one.
    """

    recipe: Recipe
    resumed: Path | None = None


def main(args: Sequence[str] | None = None) -> int:
    """Train with the settings of a command line; returns the exit code."""
    quieten_libraries()
    args = sys.argv[1:] if args is None else args
    return exit_code(
        lambda: _run(args), " before training began.", lambda text: as_flags(text, flag)
    )


def _run(args: Sequence[str]) -> int:
    try:
        follow(args)
    except Interrupted as interrupted:
        return interrupted.exit_code
    return 0


def follow(args: Sequence[str], typed: Sequence[str] | None = None) -> TrainedRun:
    """Train as a command line says; otherwise as `parse`."""
    command = parse(args, typed)
    # Here rather than above: it brings TensorBoard, which --help does not need.
    from facenet_demo.training.train import train

    return train(command.recipe, resume=command.resumed)


def parse(args: Sequence[str], typed: Sequence[str] | None = None) -> Command:
    """The settings of a command line, checked, without touching data.

    Args:
        args: without the program's name.
        typed: those that a person typed, if others come from a file; see `trust`.

    Raises:
        UserError: for a setting that does not exist or has no such value.
    """
    typed = args if typed is None else typed
    args, _ = take(args, "--import")
    trust.allow([module for _, module in take(typed, "--import")[1]])
    trust.restrict(typed)
    args, resumed = in_order(renewed_flags(args))
    if any(arg.startswith("--print_config") for arg in args):
        write_for_programs()
    config = parse_config(args, typed, resumed is not None, as_called(DESCRIPTION))
    return Command(to_recipe(config), resumed)


def read_recipe(config: Path | str) -> Recipe:
    """The settings in a config: a file, or the name of one that comes with the program."""
    return parse([f"--config={config}"], typed=[]).recipe


def configured_data(config: Path | str, modules: Sequence[str] = ()) -> FaceDataModule:
    """The photos that a training config, or the config.yaml of a run, describes.

    Args:
        config: the file, or the name of one that comes with the program.
        modules: dotted names; what is in them may be named by the file.

    Raises:
        UserError: if it cannot be read or describes none.
    """
    trust.allow(modules)
    trust.restrict([])
    config = find_config(config)
    settings = trust.read_yaml(config)
    if not isinstance(settings, dict) or not isinstance(settings.get("data"), dict):
        raise UserError(f"{config} is no config of a training: it has no settings of data.")
    return parse_data(settings["data"], config).build()
