"""Where files go, and how they get there whole: to a temporary name first, then renamed."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """Where downloads and crops are kept: $FACENET_DEMO_CACHE, or the user's cache folder."""
    named = os.environ.get("FACENET_DEMO_CACHE")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "facenet_demo"


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it becomes `path` if the block ends well."""
    temporary = _temporary(path, path.suffix)
    # Not tempfile's, which makes files private: a result is as readable as any other new file.
    temporary.open("xb").close()
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` to fill; it becomes `path` if the block ends well."""
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Remove what killed `new_file` or `new_folder` calls for `path` left; call it under a lock."""
    temporary = re.compile(rf"\.{re.escape(path.name)}\.[^.]+({re.escape(path.suffix)})?")
    for leftover in list(path.parent.iterdir()) if path.parent.is_dir() else ():
        if not temporary.fullmatch(leftover.name):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        # Piece by piece: the text of 100,000 photos' names would take 20 MB of memory.
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def as_text(path: Path | str) -> str:
    """A path as valid text: file systems allow names that are none, JSON does not."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _temporary(path: Path, suffix: str = "") -> Path:
    """A name beside `path` that nothing has yet; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{suffix}")
