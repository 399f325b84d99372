"""Progress bars for long work outside the Trainer, quiet where no person watches; the console."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.segment import Segment

from facenet_demo.system.texts import printable_lines

T = TypeVar("T")


class PlainConsole(Console):
    """Shows text as it is: names in it are no markup, no emoji, and move no cursor.

    Colours come from rich's `Text` and styles alone.
    """

    def __init__(self, **settings: Any) -> None:
        # In a notebook, too, bars are lines of text: as widgets they need a package more.
        super().__init__(
            markup=False, emoji=False, highlight=False, force_jupyter=False, **settings
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            if segment.control is None and not segment.text.isprintable():
                segment = Segment(printable_lines(segment.text), segment.style)
            yield segment


console = PlainConsole(stderr=True)


def track(items: Iterable[T], total: int, what: str, done: int = 0) -> Iterator[T]:
    """Yield the items behind a bar that counts them and tells the time left.

    Args:
        items: what is still to do.
        total: number of all items, those that were done before included.
        what: what is done to them.
        done: how many were done before.
    """
    with Progress(
        _column(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as bar:
        task = bar.add_task(what, total=total, completed=done)
        for item in items:
            yield item
            bar.advance(task)


@contextmanager
def steps(total: int, what: str) -> Iterator[Callable[[str], None]]:
    """A bar over steps of different kinds: call what it yields before each, with its name.

    Args:
        total: number of steps.
        what: what they lead to.
    """
    with Progress(
        _column(what), BarColumn(), MofNCompleteColumn(), _column("{task.description}"),
        console=console,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=total, completed=-1)

        def begin(step: str) -> None:
            bar.update(task, advance=1, description=step)

        yield begin
        bar.update(task, completed=total, description="")


def download_bar() -> Progress:
    """A bar in bytes: add a task with the total and advance it by what arrived."""
    return Progress(
        _column("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _column(text: str) -> TextColumn:
    return TextColumn(text, markup=False)
