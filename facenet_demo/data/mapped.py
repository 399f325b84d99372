"""Strings that stay in a file, so that they take no memory however many they are.

    write_texts(folder / "people", ["Ada", "Zoë"])
    people = Texts(folder / "people")    # a sequence like any other
    people[1]                            # read from disk when asked for

`people.utf8` holds them one after the other, `people.npy` where each of them ends.
"""

from __future__ import annotations

import codecs
import math
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np

_PIECE = 1 << 20
_ERRORS = "surrogatepass"  # Python's strings may hold halves of characters; UTF-8 may not


def write_texts(path: Path, texts: Iterable[str]) -> None:
    """Write strings for `Texts(path)`; `path` is what the names of its two files begin with."""
    ends = array("q", [0])
    with path.with_suffix(".utf8").open("wb") as file:
        for text in texts:
            ends.append(ends[-1] + file.write(text.encode("utf-8", _ERRORS)))
    np.save(path.with_suffix(".npy"), np.frombuffer(ends, np.int64))


class Texts(Sequence[str]):
    """The strings that `write_texts` wrote to `path`."""

    def __init__(self, path: Path) -> None:
        # Seen as plain arrays, which are indexed three times as fast.
        self._ends = np.asarray(np.load(path.with_suffix(".npy"), mmap_mode="r"))
        if self._ends.ndim != 1 or self._ends.dtype != np.int64 or not len(self._ends):
            raise ValueError("they do not say where each text ends")
        self._bytes = np.asarray(map_array(path.with_suffix(".utf8"), (int(self._ends[-1]),)))

    def check(self) -> None:
        """Read all of it once, to see whether it is whole.

        Raises:
            ValueError: if it is not.
        """
        if self._ends[0] != 0 or (np.diff(self._ends) < 0).any():
            raise ValueError("the ends of its texts are not in order")
        starts = self._ends[:-1][np.diff(self._ends) > 0]
        if (self._bytes[starts] & 0xC0 == 0x80).any():
            raise ValueError("texts end within a character")
        decoder = codecs.getincrementaldecoder("utf-8")(_ERRORS)
        for start in range(0, len(self._bytes), _PIECE):
            decoder.decode(self._bytes[start : start + _PIECE].tobytes())
        decoder.decode(b"", final=True)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        row = range(len(self))[index]
        start, end = self._ends[row : row + 2]
        return self._bytes[start:end].tobytes().decode("utf-8", _ERRORS)


def map_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A file of bytes as an array that is read from disk when touched.

    Raises:
        ValueError: if it is of another size.
    """
    found, wanted = path.stat().st_size, math.prod(shape)
    if found != wanted:
        raise ValueError(f"it has {found} bytes instead of {wanted}")
    if 0 in shape:  # an empty file cannot be mapped
        return np.empty(shape, np.uint8)
    return np.memmap(path, np.uint8, "r", shape=shape)
