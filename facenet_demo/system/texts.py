"""Names of files and people as text that is safe to show: they can hold anything, and be many."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

# Between letters of Persian, Hindi and other scripts they choose the shape; they are not seen.
_JOINERS = "\u200c\u200d"
_NAMED = 3  # of many, so many are named


def printable(text: str) -> str:
    """Text in one line that moves no cursor; what is not printable is written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else repr(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """The same of a text that may have several lines."""
    return "\n".join(printable(line) for line in text.split("\n"))


def some(texts: Collection[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(texts) - _NAMED
    return ", ".join(islice(texts, _NAMED)) + (f" and {more} more" if more > 0 else "")
