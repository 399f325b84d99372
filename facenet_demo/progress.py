"""Progress bars for long work outside the Trainer; quiet where no person watches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

console = Console(stderr=True, highlight=False)


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
