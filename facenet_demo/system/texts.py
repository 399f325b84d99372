"""Names of files and people as text that is safe to show: they can hold anything."""

from __future__ import annotations

# Between letters of Persian, Hindi and other scripts they choose the shape; they are not seen.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Text in one line that moves no cursor; what is not printable is written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else repr(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """The same of a text that may have several lines."""
    return "\n".join(printable(line) for line in text.split("\n"))
