"""Settings on their way from files and flags to a run, and back into a file.

    args = with_own_defaults(args, {"model": FaceTask, "data": DataSettings})
    config = parser.parse_args(args)
    keep_places(config)
    flat(as_plain(config))               # {"model.optimizer.lr": 0.05, ...}

jsonargparse reads, merges and writes them; here is where one means it otherwise.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace, set_dumper

from facenet_demo.training.trust import may_be_named, read_yaml

# What Lightning's classes call a folder that they write to.
_FOLDERS = ("default_root_dir", "dirpath", "save_dir")


def with_own_defaults(args: Sequence[str], owners: Mapping[str, type]) -> list[str]:
    """The same command line, in which a class that is named anew starts from its own defaults.

    jsonargparse leaves it what the class before it was set to, wherever a name fits: AdamW would
    train with the learning rate of SGD. So its own settings are spelled out before the file or flag
    that names it; what these set themselves comes after, and wins. A flag that names a class is put
    before those that set it up.

    Args:
        args: with every --config in front.
        owners: whose settings they are, such as `{"model": FaceTask}`.
    """
    current = _choices(owners)
    result: list[str] = []
    for part in sorted(_parts(args), key=lambda part: _order(part, current)):
        for key, name in _named(part, current).items():
            kind, before = current[key]
            own = _own_settings(kind, name)
            if own is not None and own[0] is not before:
                result.append(f"--{key}={json.dumps(own[1])}")
                current[key] = kind, own[0]
        result += part
    return result


def keep_places(config: Namespace) -> None:
    """Write paths out in full, in place, so that they hold wherever a run goes on: `~` is expanded,
    and a relative path completed by the folder that one works in.

    `run.folder` stays relative: it is where new runs go, of whoever repeats this one too.
    """
    for inside, key, value in _leaves(config.get("data")):
        if isinstance(value, Path):
            inside[key] = _whole(value)
    for inside, key, value in _leaves(config.get("trainer")):
        # Whatever has a colon is an address.
        if key in _FOLDERS and isinstance(value, str | Path) and ":" not in str(value):
            inside[key] = str(_whole(Path(value)))
    if "run" in config:
        config["run"]["folder"] = config["run"]["folder"].expanduser()


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested plain settings by their dotted names; that of a class holds its name."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        # class_path and init_args say how a setting is written, not what it is
        name = prefix if key in ("class_path", "init_args") else f"{prefix}.{key}".lstrip(".")
        found |= flat(value, name) if isinstance(value, dict) else {name: value}
    return found


def comparable(settings: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Of nested plain settings those that tell one training from another, by dotted names."""
    found = {
        **flat(settings["model"], "model"),
        **flat(settings["data"], "data"),
        "max_epochs": settings["trainer"].get("max_epochs"),
        "seed": settings["seed_everything"],
    }
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in found.items()
    }


def _choices(owners: Mapping[str, type]) -> dict[str, tuple[type, type]]:
    """Dotted name -> base class and default class, of each setting that is one of some classes."""
    found = {}
    for owner, cls in owners.items():
        for name, parameter in inspect.signature(cls, eval_str=True).parameters.items():
            if inspect.isabstract(parameter.annotation):
                found[f"{owner}.{name}"] = parameter.annotation, type(parameter.default)
    return found


def _parts(args: Sequence[str]) -> Iterator[list[str]]:
    """Each flag with its values."""
    part: list[str] = []
    for arg in args:
        if arg.startswith("--") and part:
            yield part
            part = []
        part.append(arg)
    if part:
        yield part


def _order(part: Sequence[str], keys: Mapping[str, Any]) -> int:
    flag, value = _flag(part)
    names_only = isinstance(value, str) and flag.removesuffix(".class_path") in keys
    return 0 if flag == "config" else 1 if names_only else 2


def _flag(part: Sequence[str]) -> tuple[str, Any]:
    """Its name, and its value as YAML has it where that is a mapping."""
    name, has_value, value = part[0].removeprefix("--").partition("=")
    text = value if has_value else " ".join(part[1:])
    content = _yaml(text) if text.lstrip().startswith("{") else None
    return name, text if content is None else content


def _named(part: Sequence[str], keys: Mapping[str, Any]) -> dict[str, str]:
    """The classes that a flag, or the file of a --config, names: dotted name -> class."""
    flag, value = _flag(part)
    if flag != "config":
        key = flag.removesuffix(".class_path")
        found = {key: value} if key in keys else {}
    else:
        content = value
        if isinstance(value, str):
            content = read_yaml(Path(value))
        found = {key: _inside(content, key) for key in keys}
    names = {
        key: described.get("class_path") if isinstance(described, dict) else described
        for key, described in found.items()
    }
    return {key: name for key, name in names.items() if isinstance(name, str)}


def _inside(content: Any, key: str) -> Any:
    """What a config sets under a dotted name, written so or nested."""
    first, _, rest = key.partition(".")
    if not isinstance(content, dict):
        return None
    return content[key] if key in content else _inside(content.get(first), rest) if rest else None


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _own_settings(kind: type, name: str) -> tuple[type, dict[str, Any]] | None:
    """The class of that name and its defaults as a config has them; None if there is none."""
    if not may_be_named(name):
        return None  # as below; jsonargparse lets defaults name anything
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--it", type=kind)
    try:
        parser.set_defaults({"it": {"class_path": name}})
        found = parser.get_defaults()["it"].as_dict()
        module, _, attribute = found["class_path"].rpartition(".")
        cls = getattr(importlib.import_module(module), attribute)
        required = [
            key for key, parameter in inspect.signature(cls).parameters.items()
            if parameter.default is parameter.empty
        ]  # fmt: skip
    except Exception:  # of many kinds; the training's own parser says what is wrong
        return None
    own = {k: v for k, v in found.get("init_args", {}).items() if k not in required}
    settings = json.loads(json.dumps({**found, "init_args": own}, default=str))
    return cls, settings


def _leaves(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Each value that holds no others: what it is in, under which key, and itself."""
    items: Any = ()
    if isinstance(value, Namespace | dict):
        items = list((vars(value) if isinstance(value, Namespace) else value).items())
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        if isinstance(inner, Namespace | dict | list):
            yield from _leaves(inner)
        else:
            yield value, key, inner


def _whole(path: Path) -> Path:
    return path.expanduser().absolute()


class _Dumper(yaml.SafeDumper):
    """Puts names that jsonargparse would read back as numbers, like 1e5, in quotes."""


_NUMBER = re.compile(r"[-+]?[0-9._]+(?:[eE][-+]?[0-9]+)?$")
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+._0123456789"))
# For all it writes, --print_config too.
set_dumper("yaml", lambda data: yaml.dump(data, None, _Dumper, allow_unicode=True, sort_keys=False))
