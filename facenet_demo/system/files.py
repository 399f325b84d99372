"""Where files go, and how they get there whole: to a temporary name first, then renamed."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from facenet_demo.system.errors import UserError

try:
    import fcntl
except ImportError:  # Windows, which lets nobody remove a file that is open
    fcntl = None  # type: ignore[assignment]

_LONGEST_NAME = 200  # bytes of a name that becomes part of a longer one; most file systems have 255


def cache_folder() -> Path:
    """Where downloads and crops are kept: $FACENET_DEMO_CACHE, or the user's cache folder.

    For a user without a home, as in many a container, it is a folder among the temporary ones.

    Raises:
        UserError: if somebody else has made that.
    """
    named = os.environ.get("FACENET_DEMO_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(named).expanduser() if named else Path(base).expanduser() / "facenet_demo"
    except RuntimeError:  # there is no home
        folder = Path(tempfile.gettempdir()) / f"facenet_demo-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise UserError(
                f"There is no home folder to keep aligned faces in, and {folder} is somebody "
                "else's. Name a folder of your own in FACENET_DEMO_CACHE."
            ) from None
        return folder


class DamagedError(Exception):
    """A file that is not what was written; the message says which, and what is wrong with it."""


@contextmanager
def reading(path: Path) -> Iterator[Path]:
    """Turn what is wrong with a file's content into a `DamagedError`.

    Raises:
        OSError: if the file is there and cannot be read, which says nothing of its content.
    """
    try:
        yield path
    except FileNotFoundError as error:
        raise DamagedError(f"{Path(error.filename).name} is missing") from error
    except OSError:
        raise
    except Exception as error:  # readers raise whatever garbage leads them to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedError(f"{path.name}: {reason}") from error


def private_folder(path: Path) -> int:
    """Make a folder that its user alone can look into; one that is there keeps its permissions.

    Returns:
        Which permissions of the group are for what is made in it: those to read, if the group may
        write into the folder itself, which somebody must have said (chmod g+w). None for others.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return 0o050 if path.stat().st_mode & stat.S_IWGRP else 0


def own_folder(path: Path) -> None:
    """Make a private folder, or go on in one of one's own that is there, without links in it.

    Where others can write they may have made it before, to have a file of ours written elsewhere.

    Raises:
        UserError: if it is not one's own.
    """
    try:
        path.mkdir(mode=0o700)
        return
    except FileExistsError:
        found = path.lstat()
    user = os.geteuid() if hasattr(os, "geteuid") else found.st_uid  # Windows has no such number
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
        raise UserError(
            f"{path} is not a folder of your own. Remove it, or set another folder in "
            "FACENET_DEMO_CACHE."
        )
    allow(path, 0)  # from here on nobody else can add one
    if any(not entry.is_file() or entry.is_symlink() for entry in path.iterdir()):
        shutil.rmtree(path)
        path.mkdir(mode=0o700)


def allow(path: Path, others: int) -> None:
    """Give others than its user these permissions of a file or folder, and no more."""
    with suppress(PermissionError):  # some file systems know none
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o077 | others)


def file_lock(path: Path, mode: int = 0o644) -> FileLock:
    """A lock between processes.

    Raises:
        UserError: if a link lies in its place, which some versions of filelock would follow.
    """
    if path.is_symlink():
        raise UserError(f"{path} is a link; what it leads to would be emptied. Remove it.")
    return FileLock(path, mode=mode)


def open_no_link(path: Path, mode: str) -> IO[bytes]:
    """Open a file of bytes; a link in its place is an error rather than written through."""
    no_link = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
    return open(path, mode, opener=lambda p, flags: os.open(p, flags | no_link, 0o666))


@contextmanager
def new_file(path: Path, private: bool = False) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it becomes `path` if the block ends well.

    What a killed block left of the same file is removed. An error of the system that names no file,
    as where the disk is full, names `path`. A private file is readable by its user alone, unless it
    takes the place of one that others may read.
    """
    make_folder(path.parent)
    mode = 0o666
    if private:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    temporary, held = _held_file(path, mode)
    try:
        with naming(path):
            yield temporary
        _let_go_on_windows(held)
        temporary.replace(path)
    except BaseException:
        _let_go_on_windows(held)
        temporary.unlink(missing_ok=True)
        raise
    finally:
        held.close()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An error of the system in this block, such as a full disk, says that it was of `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` to fill; it becomes `path` if the block ends well."""
    make_folder(path.parent)
    temporary = _beside(path, secrets.token_hex(4))
    temporary.mkdir()
    try:
        yield temporary
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Remove what killed `new_file` or `new_folder` calls for `path` left; call it under a lock."""
    start, suffix = re.escape(_beside(path, "").name), re.escape(path.suffix)
    temporary = re.compile(rf"{start}([0-9a-f]{{8}}|unfinished)({suffix})?")
    for leftover in list(path.parent.iterdir()) if path.parent.is_dir() else ():
        if not temporary.fullmatch(leftover.name):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; see `json_value`."""
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        # Piece by piece: the text of 100,000 photos' names would take 20 MB of memory.
        json.dump(json_value(value), file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def json_value(value: Any) -> Any:
    """The same with null for NaN and infinities: JSON has none, and other programs refuse them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: json_value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(part) for part in value]
    return value


def as_text(path: Path | str) -> str:
    """A path as valid text: file systems allow names that are none, JSON does not."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def make_folder(path: Path) -> None:
    """Make a folder and those above it, however deep it lies."""
    missing = list(itertools.takewhile(lambda folder: not folder.is_dir(), (path, *path.parents)))
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)


def _held_file(path: Path, mode: int) -> tuple[Path, IO[bytes]]:
    """A new empty file to write `path` to, and a lock on it for as long as somebody writes.

    Its name is always the same, unless another process is writing the same file: so what a killed
    one left is found without looking through the folder.
    """
    end = f"unfinished{path.suffix}"
    while True:
        temporary = _beside(path, end)
        with suppress(OSError):  # it is another user's, or no file
            _remove_abandoned(temporary)
        with suppress(FileExistsError):
            # Not tempfile's, which are private always.
            held = os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb")
            if _lock(held.fileno(), unsure=True) and os.fstat(held.fileno()).st_nlink:
                return temporary, held
            held.close()  # another process took it for abandoned at this very moment
        end = f"{secrets.token_hex(4)}{path.suffix}"


def _let_go_on_windows(held: IO[bytes]) -> None:
    """Elsewhere a file is renamed or removed while it is held, so that nobody comes between."""
    if fcntl is None:
        held.close()


def _remove_abandoned(temporary: Path) -> None:
    """Remove a file that whoever made it no longer holds."""
    # No link is followed and no pipe waited for, which others may have laid in a shared folder.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.open(temporary, os.O_RDONLY | flags)
    try:
        if _lock(file, unsure=False):
            temporary.unlink()
    finally:
        os.close(file)


def _lock(file: int, unsure: bool) -> bool:
    """Hold an open file; False if somebody else does, `unsure` where files cannot be held."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return unsure
    return True


def _beside(path: Path, end: str) -> Path:
    """A hidden name beside `path`, no longer than names may be."""
    name, encoded = path.name, os.fsencode(path.name)
    if len(encoded) > _LONGEST_NAME:
        digest = hashlib.sha256(encoded).hexdigest()[:16]
        name = encoded[: _LONGEST_NAME - len(digest)].decode("utf-8", "ignore") + digest
    return path.with_name(f".{name}.{end}")
