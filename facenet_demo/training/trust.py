"""What a file may ask for: configs and run folders are passed around as photos are.

    allow(["mynet"])                     # what somebody named themselves, with --import
    read_yaml(Path("config.yaml"))       # plain values, or a sentence
    restrict(typed)                      # before settings are parsed
    check(parser.parse_args(args), typed)     # before anything is made of them

A class that a file names is built only if it is one of this package's or of Lightning's callbacks,
loggers, profilers, strategies and plugins; nothing else is imported. What somebody typed is their
own, and may name anything. docs/security.md says what that is worth.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import yaml
from jsonargparse import Namespace, get_loader, set_loader, set_parsing_settings
from yaml.constructor import SafeConstructor

from facenet_demo.system.errors import UserError
from facenet_demo.system.imports import import_modules
from facenet_demo.system.registry import NotImportedError
from facenet_demo.training.old_names import renewed

_LIGHTNING = ("callbacks", "loggers", "profilers", "strategies", "accelerators", "plugins")
_PARTS = tuple(f"lightning.{part}.{name}." for part in ("pytorch", "fabric") for name in _LIGHTNING)
_MAY_BE_BUILT = ["facenet_demo", *(part.removesuffix(".") for part in _PARTS)]
# A callback that calls whatever it is given; loggers that send what they are told elsewhere.
_CALLS_ANYTHING = "LambdaCallback"
_LOGGERS, _KEPT_HERE = ".loggers.", ("TensorBoardLogger", "CSVLogger")
_FILES = ("--config", "-c", "--resume")
_MOST_BYTES, _MOST_NODES, _MOST_DEPTH = 2**20, 100_000, 64
# Of these what was typed opens itself alone, of other packages the package.
_FAMILIES = {
    "facenet_demo",
    "lightning",
    "pytorch_lightning",
    "torch",
    "torchvision",
    "jsonargparse",
}
_LOAD = get_loader("yaml")
_imported: set[str] = set()
_allowed: set[str] = set()


def allow(modules: Sequence[str]) -> None:
    """Import modules and let files name what is in them, from now on; `.` is looked in, too.

    Raises:
        UserError: for a module that cannot be imported.
    """
    import_modules(modules)
    _imported.update(name.partition(".")[0] for name in modules)


def restrict(typed: Sequence[str]) -> None:
    """Let jsonargparse import only what files may name, what was typed, and what was allowed.

    It asks before it imports, and again where a name turns out to be defined. That holds for the
    whole process.
    """
    _allowed.update(_MAY_BE_BUILT, _imported, _opened(typed_texts(typed)))
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=sorted(_allowed),
        instantiate_subclass_spec_in_any=False,
    )
    set_loader("yaml", _load, (yaml.YAMLError,))  # for the files that a file names


def may_be_named(path: str) -> bool:
    """Whether a dotted name may be imported since `restrict`; a name without a dot always may."""
    parts = path.split(".")
    starts = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return len(parts) == 1 or not starts.isdisjoint(_allowed)


def denied(error: Exception) -> str | None:
    """The name that a parsing error says may not be imported."""
    found = re.search(r"Importing '([\w.]+)' is not allowed", str(error))
    return found and found[1]


def refusal(name: str) -> UserError:
    """What is said of a name in a file that may not be imported."""
    module, _, kind = name.rpartition(".")
    if module == "__main__":
        return UserError(
            f"A file names {kind}, which was defined in a script or notebook, where nothing else "
            f"finds it. Move {kind} into a module, such as mine.py, and write mine in place of "
            "__main__ into the file."
        )
    return NotImportedError(
        f"A file names {name}, which is not part of this program: building it could run anything. "
        f"If you know what it does, allow the module {module or name}.",
        module or name,
    )


def check(config: Namespace, typed: Sequence[str], resumed: bool = False) -> None:
    """Look at parsed settings before anything is made of them.

    Args:
        config: all settings.
        typed: the command line; what it says itself is not looked at.
        resumed: whether a run goes on, in its own folder.

    Raises:
        UserError: for a function, a class that would call one or send data elsewhere, and for a
            place to write to outside of the folder one is in.
    """
    own = set(typed_texts(typed))
    own |= {str(PurePath(text)) for text in own}
    for key, value in _walk("", config):
        text = str(value)
        if not isinstance(value, str | PurePath):
            text = f"{value.__module__}.{value.__qualname__}"
            if not _is_allowed(text, own) and not text.startswith(_PARTS):  # Lightning's defaults
                raise refusal(text)
        elif key.endswith(".class_path"):
            if not _is_allowed(text, own):
                _check_class(text)
        elif (
            (key.startswith("trainer.") or (key == "run.folder" and not resumed))
            and text not in own
            and _leads_away(text)
        ):
            raise UserError(
                f"{key} is {text}: a file may only name places below the folder you are in. If "
                "that is where it is to go, take the line out and say it yourself."
            )


def typed_texts(args: Sequence[str]) -> Iterator[str]:
    """All texts in a command line, also those within lists and mappings; no names of configs."""
    before = ""
    for arg in args:
        name, _, _ = arg.partition("=")
        named, before = before in _FILES or name in _FILES, arg
        if named:
            continue
        value = arg.partition("=")[2] if arg.startswith("-") else arg
        try:
            content = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            content = value
        yield value
        yield from (str(inner) for _, inner in _walk("", content))


def read_yaml(path: Path) -> Any:
    """The plain values of a YAML file; otherwise as `yaml_tree`."""
    tree = yaml_tree(path)
    try:
        return None if tree is None else renewed(SafeConstructor().construct_document(tree))
    except (yaml.YAMLError, ValueError) as error:  # the 13th month of a date is a ValueError
        raise UserError(f"{path} is no YAML: {error}") from error


def yaml_tree(path: Path) -> yaml.Node | None:
    """What a YAML file holds, with lines and columns; None if that is nothing.

    Raises:
        UserError: if it cannot be read, is no YAML, or is made to become very large.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path} is larger than {_MOST_BYTES} bytes, too large for settings.")
        tree = yaml.compose(path.read_text("utf-8"), yaml.SafeLoader)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}. "
            "Save it as UTF-8."
        ) from error
    except RecursionError:
        raise UserError(f"{path} is nested too deeply for settings.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {error}") from error
    _check_growth(path, tree)
    return tree


def _load(text: str) -> Any:
    """As jsonargparse does, of texts that do not grow."""
    try:
        if isinstance(text, str) and "*" in text:
            _check_growth("A file that the config names", yaml.compose(text, yaml.SafeLoader))
        return renewed(_LOAD(text))
    except RecursionError:
        raise UserError("A file that the config names is nested too deeply.") from None


def _check_growth(path: Path | str, root: yaml.Node | None) -> None:
    """Refuse aliases that repeat each other: a few lines of them become billions of values."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        if depth > _MOST_DEPTH:
            raise UserError(f"{path} is nested too deeply for settings.")
        if id(node) not in sizes:
            sizes[id(node)] = _MOST_NODES + 1  # for an alias within what it stands for
            inner = node.value if isinstance(node, yaml.CollectionNode) else []
            parts = [part for one in inner for part in (one if isinstance(one, tuple) else (one,))]
            sizes[id(node)] = 1 + sum(size(part, depth + 1) for part in parts)
        return sizes[id(node)]

    if root is not None and size(root, 0) > _MOST_NODES:
        raise UserError(f"{path} stands for more than {_MOST_NODES} values, too many for settings.")


def _check_class(path: str) -> None:
    module, _, name = path.rpartition(".")
    if not inspect.isclass(getattr(importlib.import_module(module), name)):
        raise refusal(path)
    if name == _CALLS_ANYTHING:
        raise refusal(path)
    if _LOGGERS in path and name not in _KEPT_HERE:
        raise UserError(
            f"A file names the logger {name}, which sends what is logged to a server. If you want "
            f"that, say it yourself: `trainer.logger` {name}"
        )


def _opened(typed: Iterable[str]) -> set[str]:
    """What somebody who typed these texts lets be imported: packages, or single names."""
    dotted = {text for text in typed if _is_dotted(text)}
    roots = {text.partition(".")[0] for text in dotted}
    single = {text for text in dotted if text.partition(".")[0] in _FAMILIES - {"jsonargparse"}}
    return (roots - _FAMILIES) | single


def _is_allowed(name: str, typed: set[str]) -> bool:
    root, last = name.partition(".")[0], name.rpartition(".")[2]
    return name in typed or last in typed or root in _imported | (_opened(typed) - _FAMILIES)


def _walk(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each text, place, class and function, by its dotted name; no defaults of a class."""
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, Mapping):
        defaults = _defaults(value.get("class_path"))
        for name, inner in value.items():
            if name == "init_args" and defaults:
                given = vars(inner) if isinstance(inner, Namespace) else dict(inner or {})
                inner = {n: v for n, v in given.items() if n not in defaults or defaults[n] != v}
            yield from _walk(f"{key}.{name}" if key else str(name), inner)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _walk(key, inner)
    elif isinstance(value, str | PurePath | type) or inspect.isroutine(value):
        yield key, value


def _defaults(path: Any) -> dict[str, Any]:
    """What a class, which has been imported to be parsed, takes where it is told nothing."""
    if not isinstance(path, str) or not _is_dotted(path):
        return {}
    module, _, name = path.rpartition(".")
    made = getattr(sys.modules.get(module), name, None)
    parameters = inspect.signature(made).parameters if inspect.isclass(made) else {}
    return {name: parameter.default for name, parameter in parameters.items()}


def _is_dotted(text: str) -> bool:
    return "." in text and all(part.isidentifier() for part in text.split("."))


def _leads_away(place: str) -> bool:
    # No `..` at all: what stands before it may be a figure's name, and be replaced.
    if ".." in PurePath(place).parts or place.startswith("~") or "://" in place:
        return True
    return not Path.cwd().joinpath(place).resolve().is_relative_to(Path.cwd().resolve())
