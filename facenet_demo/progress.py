"""Progress bars for long work outside the Trainer; quiet where no person watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

T = TypeVar("T")

# In a notebook, too, bars are lines of text: as widgets they need a package more.
console = Console(stderr=True, highlight=False, force_jupyter=False)


def track(items: Iterable[T], total: int, what: str, done: int = 0) -> Iterator[T]:
    """Yield the items behind a bar that counts them and tells the time left.

    Args:
        items: what is still to do.
        total: number of all items, those that were done before included.
        what: what is done to them.
        done: how many were done before.
    """
    with Progress(
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
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
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
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
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
