"""How a command ends: what stops it becomes a message and an exit code."""

from __future__ import annotations

from collections.abc import Callable

from rich.markup import escape

from facenet_demo.progress import console
from facenet_demo.records import UserError


def exit_code(
    command: Callable[[], int], interrupted: str, readable: Callable[[str], str] = str
) -> int:
    """Run a command; returns its exit code, 2 for wrong use and 130 after Ctrl-C.

    Args:
        command: what is run; returns its own exit code.
        interrupted: what "Interrupted" is followed by, in rich's markup.
        readable: what is done to the text of an error before it is shown.
    """
    try:
        return command()
    except UserError as error:
        console.print(f"[bold red]Error:[/] {escape(readable(str(error)))}")
        return 2
    except KeyboardInterrupt:
        console.print(f"[bold]Interrupted[/]{interrupted}")
        return 130
