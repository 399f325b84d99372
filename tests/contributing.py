"""The examples of CONTRIBUTING.md, word by word: what its readers copy into files of their own."""

from __future__ import annotations

import re
from pathlib import Path

_TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")
# "... `tiny.py`:", an empty line, and the whole file.
_FILE = re.compile(r"`(\w+\.(?:py|js))`:\n\n```(?:python|javascript)\n(.*?)```", re.S)


def examples() -> dict[str, dict[str, str]]:
    """What may be added, such as "a network" -> the files that do, by their names."""
    sections = re.findall(r"(?ms)^## Add (an? .*?)\n(.*?)(?=^## )", _TEXT)
    return {noun: dict(_FILE.findall(section)) for noun, section in sections}


def write_network(folder: Path, module: str, name: str = "Tiny") -> None:
    """Write the example of a network as `folder/MODULE.py`, its classes called so."""
    (text,) = examples()["a network"].values()
    (folder / f"{module}.py").write_text(text.replace("Tiny", name), "utf-8")
