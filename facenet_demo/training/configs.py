"""The configs that come with the program, found by name from any folder.

find_config("lfw")                # as configs/lfw.yaml and lfw.yaml do, if there is no such file
find_config("mine.yaml")          # a file that is there
find_config("orl", SPACES)        # what tune.py searches: configs/search/orl.yaml
config_of(folder)                 # that of a run
"""

from __future__ import annotations

from pathlib import Path

from facenet_demo.system.errors import UserError

_PACKAGE = Path(__file__).parents[1]
_WITHIN = _PACKAGE / "configs"  # in a wheel; in the repository they lie beside the package
CONFIGS = _WITHIN if _WITHIN.is_dir() else _PACKAGE.parent / "configs"
SPACES = CONFIGS / "search"


def find_config(name: str | Path, folder: Path = CONFIGS) -> Path:
    """The file `name`, or else the config in `folder` that is called so.

    Raises:
        UserError: if there is neither, with the names in `folder`.
    """
    typed = Path(name)
    if typed.exists() and not typed.is_dir():  # a pipe will do; a data set may be called lfw/
        return typed
    wanted = Path(f"{str(name).removesuffix('.yaml')}.yaml").parts
    shipped = sorted(folder.glob("*.yaml"))
    for config in shipped:
        if config.parts[-len(wanted) :] == wanted:
            return config
    raise UserError(
        f"There is no file {name}, and none of that name comes with the program, which has: "
        f"{', '.join(config.stem for config in shipped)}."
    )


def config_of(run: Path) -> Path:
    """The config.yaml of a run that is to go on.

    Raises:
        UserError: if there is none.
    """
    file = run / "config.yaml"
    if not file.is_file():
        raise UserError(
            f"There is no run to go on with in {run}: it has no config.yaml. Name the folder of a "
            "run, for example runs/orl-20260131-142501."
        )
    return file
