"""What is searched: a YAML file with a line for each setting.

    space = read_space(Path("configs/search/orl.yaml"))
    chosen = suggest(trial, space)       # {"model.optimizer.lr": 0.02, ...}
    train([*args, *flags(chosen)])
    points(space)                        # all of a grid

configs/search/orl.yaml explains the format. Errors name the file and the line.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import optuna
import yaml

from facenet_demo.system.errors import UserError
from facenet_demo.training.trust import yaml_tree

Value = bool | int | float | str
_OPTIONS = {"choice": (), "int": ("step",), "float": ("step",), "log": ("points",)}


@dataclass(frozen=True)
class Setting:
    """One setting and the values it may take.

    Attributes:
        name: as on the command line, `model.optimizer.lr`.
        kind: choice, int, float or log.
        where: file and line, for messages.
        choices: of a choice; what is not a plain value is kept as JSON text.
        low, high: of a range, both included.
        step: between the values of an int or float.
        points: number of values of a log in a grid.
        when: settings further up and the values they must have, or this one is left alone.
    """

    name: str
    kind: str
    where: str
    choices: tuple[Value, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    points: int | None = None
    when: Mapping[str, Value] = field(default_factory=dict)

    def applies(self, chosen: Mapping[str, Value]) -> bool:
        """Whether the settings chosen so far leave this one to be chosen."""
        return all(chosen.get(name) == value for name, value in self.when.items())

    def suggest(self, trial: optuna.Trial) -> Value:
        """A value by the study's sampler."""
        if self.kind == "choice":
            return cast(Value, trial.suggest_categorical(self.name, self.choices))
        if self.kind == "int":
            return trial.suggest_int(
                self.name, int(self.low), int(self.high), step=int(self.step or 1)
            )
        log = self.kind == "log"
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=log)

    def ends(self) -> tuple[Value, Value]:
        """The lowest and the highest value of a range."""
        if self.kind == "int":
            return int(self.low), int(self.high)
        return self.low, self.high

    def values(self) -> list[Value]:
        """All its values, for a grid.

        Raises:
            UserError: if there are infinitely many.
        """
        if self.kind == "choice":
            return list(self.choices)
        if self.kind == "int":
            return list(range(int(self.low), int(self.high) + 1, int(self.step or 1)))
        if self.kind == "log" and self.points:
            return np.geomspace(self.low, self.high, self.points).tolist()
        if self.kind == "float" and self.step:
            count = int((self.high - self.low) / self.step + 1e-9) + 1
            return [round(self.low + i * self.step, 12) for i in range(count)]
        option = "points: 5" if self.kind == "log" else "step: 0.1"
        raise UserError(
            f"{self.where}: a grid needs to know which values {self.name} takes between "
            f"{self.low:g} and {self.high:g}: add `{option}`, or take `sampler` random."
        )


def read_space(path: Path) -> list[Setting]:
    """The settings of a search space, in the order of the file.

    Raises:
        UserError: naming file and line, if it cannot be read or means nothing.
    """
    node = yaml_tree(path)
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise UserError(
            f"The search space {path} holds no settings; one line of it: "
            "`data.batch_size: {choice: [8, 16]}`."
        )
    space: list[Setting] = []
    for key, value in node.value:
        where = f"{path}, line {key.start_mark.line + 1}"
        try:
            name = _plain(key)
            setting = _setting(str(name), _plain(value), where)
            if setting.name in {other.name for other in space}:
                raise ValueError(f"{name} is there twice")
            _check_condition(setting, space)
        except (ValueError, TypeError, yaml.YAMLError) as error:
            raise UserError(f"{where}: {error}.") from error
        space.append(setting)
    return space


def suggest(trial: optuna.Trial, space: Sequence[Setting]) -> dict[str, Value]:
    """Values for the settings that apply, by name."""
    chosen: dict[str, Value] = {}
    for setting in space:
        if setting.applies(chosen):
            chosen[setting.name] = setting.suggest(trial)
    return chosen


def flags(chosen: Mapping[str, Value]) -> list[str]:
    """The same as flags of the training command line."""
    return [
        f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in chosen.items()
    ]


def points(space: Sequence[Setting]) -> list[dict[str, Value]]:
    """Every point of the grid once, a setting left out where it does not apply.

    Raises:
        UserError: naming the line of a range without steps.
    """
    grid: list[dict[str, Value]] = [{}]
    for setting in space:
        values = setting.values()
        grid = list(
            itertools.chain.from_iterable(
                [{**point, setting.name: value} for value in values]
                if setting.applies(point)
                else [point]
                for point in grid
            )
        )
    return grid


def _plain(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def _setting(name: str, described: Any, where: str) -> Setting:
    if not isinstance(described, dict):
        raise ValueError(
            f"{name} needs its values in braces, for example {{choice: [1, 2]}}, not {described}"
        )
    kinds = [kind for kind in _OPTIONS if kind in described]
    if len(kinds) != 1:
        raise ValueError(
            f"{name} needs one of {', '.join(_OPTIONS)}, and has {', '.join(described) or 'none'}"
        )
    kind = kinds[0]
    known = {kind, "when", *_OPTIONS[kind]}
    unknown = [str(option) for option in described if option not in known]
    if unknown:
        raise ValueError(
            f"{kind} has no option {', '.join(unknown)}; it has {', '.join(sorted(known - {kind}))}"
        )
    when = described.get("when", {})
    if not isinstance(when, dict):
        raise ValueError(
            f"when needs a setting and its value, {{model.optimizer: SGD}}, not {when}"
        )
    conditions = {str(key): _scalar(value) for key, value in when.items()}
    values = described[kind]
    if not isinstance(values, list) or not values:
        raise ValueError(f"{kind} needs a list of values in brackets, not {values}")
    if kind == "choice":
        choices = tuple(_scalar(value) for value in values)
        return Setting(name, kind, where, choices, when=conditions)
    low, high = _range(name, kind, [_number(value) for value in values])
    step, points = _number(described.get("step")), described.get("points")
    if step is not None and (not _is_number(step) or step <= 0 or (kind == "int" and step % 1)):
        raise ValueError(
            f"the step of {name} must be a positive {'whole ' * (kind == 'int')}number, not {step}"
        )
    if points is not None and (not isinstance(points, int) or points < 2):
        raise ValueError(f"points of {name} must be a whole number from 2, not {points}")
    if step is not None:  # the last value that whole steps reach
        high = round(low + int((high - low) / step + 1e-9) * step, 12)
        if high == low:
            raise ValueError(f"the step of {name}, {step}, is larger than its range, {values}")
    return Setting(name, kind, where, (), low, high, step, points, conditions)


def _range(name: str, kind: str, values: list[Any]) -> tuple[float, float]:
    if len(values) != 2 or not all(_is_number(value) for value in values):
        raise ValueError(f"{name} needs two numbers, the lowest and the highest, not {values}")
    low, high = values
    if kind == "int" and (low % 1 or high % 1):
        raise ValueError(f"{name} is an int, and {values} are not whole numbers")
    if low >= high:
        raise ValueError(f"the lowest value of {name}, {low}, is not below the highest, {high}")
    if kind == "log" and low <= 0:
        raise ValueError(f"a logarithmic range starts above 0, that of {name} at {low}")
    return low, high


def _check_condition(setting: Setting, before: Sequence[Setting]) -> None:
    choices = {other.name: other.choices for other in before if other.kind == "choice"}
    for name, value in setting.when.items():
        if name not in choices:
            raise ValueError(f"{setting.name} depends on {name}, which is no choice further up")
        if value not in choices[name]:
            raise ValueError(
                f"{setting.name} waits for {name} to be {value}, which is none of its choices"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)


def _number(value: Any) -> Any:
    """The number that is meant by 1e-4, which YAML takes for a text; anything else as it is."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _scalar(value: Any) -> Value:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
