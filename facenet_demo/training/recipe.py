"""All that makes a run, as plain values: what a command line is parsed to, and config.yaml holds.

    recipe = Recipe(data=DataSettings(Folder("my_people")), trainer={"max_epochs": 20})
    run = train(recipe)

`replace(recipe, seed=1)` is the same training with another seed.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any, Literal

import lightning.pytorch as pl

from facenet_demo.data.datamodule import DataSettings
from facenet_demo.networks import FaceCNN, NetworkSettings
from facenet_demo.system.fields import check_fields
from facenet_demo.training.objectives import Naming, Numbers, Objective
from facenet_demo.training.optimization import SGD, OptimizerSettings, Schedule


@dataclass(frozen=True)
class RunSettings:
    """The run: where it goes, when it ends, what is drawn.

    Args:
        folder: Where run folders go.
        name: First part of the run folder's name.
        patience: Training stops after so many epochs without a better validation loss; 0: never.
        false_accept_rate: Chance at which a stranger may get a name; it sets the threshold of
            "unknown".
        draw_every: Epochs between two pictures of kernels and activation maps in TensorBoard; 0
            switches all TensorBoard pictures off.
        measure_every: Epochs between two measurements of each layer (edges, parts, people), drawn
            as curves in TensorBoard, with the progression after the test; 0, as it is, measures
            nothing. Each takes about as long as an epoch of ORL.
        contact_sheet: Write people.html into the run folder before training: the face that was
            taken of each photo, those of photos with several faces marked.
    """

    folder: Path = Path("runs")
    name: str = "run"
    patience: int = 30
    false_accept_rate: float = 0.01
    draw_every: int = 10
    measure_every: int = 0
    contact_sheet: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("patience", "draw_every", "measure_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}.")
        if not 0 <= self.false_accept_rate < 1:
            raise ValueError(
                f"false_accept_rate must be at least 0 and below 1, not {self.false_accept_rate}."
            )
        parts = PurePath("runs", self.name).parts
        if parts != ("runs", self.name) or parts[-1] == ".." or not self.name.isprintable():
            raise ValueError(
                f"name must be the name of a folder, without any /, not {self.name!r}."
            )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All settings of a training.

    Attributes:
        data: the photos, which of them teach, and how they are shown.
        network: what is trained.
        objective: what it is trained for. `Naming()`, which tells people apart, stands for
            `Numbers()` where the data's target is landmarks or a number.
        optimizer: how its weights move.
        schedule: of the learning rate.
        torch_compile: let torch.compile write code for the network; "reduce-overhead" also
            captures what a GPU is told to do in a step.
        run: where the run goes, when it ends, what is drawn.
        trainer: arguments of Lightning's Trainer that are not its defaults.
        seed: of all that is drawn by chance; True draws one.

    Raises:
        TypeError: for a value of another type than its field, also within another.
        ValueError: for an argument that the Trainer does not have, a seed below 0, or if the
            objective cannot learn what the data teach.
    """

    data: DataSettings = field(default_factory=DataSettings)
    network: NetworkSettings = field(default_factory=FaceCNN)
    objective: Objective = field(default_factory=Naming)
    optimizer: OptimizerSettings = field(default_factory=SGD)
    schedule: Schedule = field(default_factory=Schedule)
    torch_compile: bool | Literal["reduce-overhead"] = False
    run: RunSettings = field(default_factory=RunSettings)
    trainer: Mapping[str, Any] = field(default_factory=dict)
    seed: int | bool = 0

    def __post_init__(self) -> None:
        check_fields(self)
        _check_names(self.trainer)
        if self.seed < 0:
            raise ValueError(f"`seed` must be 0 or more, not {self.seed}.")
        target = self.data.target
        if target not in self.objective.targets and self.objective == Naming():
            object.__setattr__(self, "objective", Numbers())
        if target not in self.objective.targets:
            name, learned = type(self.objective).__name__, " or ".join(self.objective.targets)
            raise ValueError(
                f"The objective {name} learns {learned}, and the data's target is {target}. Set "
                "another objective, or another target."
            )

    def with_seed(self, seed: int) -> Recipe:
        """The same training with another seed, and the photos split by it."""
        split = replace(self.data.split, seed=seed)
        return replace(self, seed=seed, data=replace(self.data, split=split))


def _check_names(trainer: Mapping[str, Any]) -> None:
    known = inspect.signature(pl.Trainer).parameters
    for name in trainer:
        if name not in known:
            close = get_close_matches(str(name), known, 1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise ValueError(f"Lightning's Trainer has no argument {name}.{meant}")
