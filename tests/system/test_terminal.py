"""Names are shown as they are; what is in them neither moves the cursor nor counts as markup."""

from __future__ import annotations

import io

import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

from facenet_demo.system.terminal import PlainConsole, console, track

HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold]t[/b] :smile:\r\n\u202e\x9b1m"


def shown(*renderables: object) -> str:
    file = io.StringIO()
    console = PlainConsole(file=file, width=200, force_terminal=True, color_system=None)
    console.print(*renderables)
    return file.getvalue()


def table_of(text: object) -> Table:
    table = Table("head", title=str(text), caption=str(text))
    table.add_row(text)
    return table


@pytest.mark.parametrize(
    "make",
    [str, Text, table_of, lambda text: table_of(Text(text))],
    ids=["text", "Text", "cell", "styled cell"],
)
def test_whatever_is_printed_is_text(make: type) -> None:
    found = shown(make(HOSTILE))
    assert not set(found) & set("\x1b\x07\x9b\r\u202e")
    assert "\\x1b[2J" in found
    assert "[bold]t[/b] :smile:" in found


def test_what_a_bar_or_a_live_table_says_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([1], 1, "a[/b]")) == [1]
    with Live(console=console, auto_refresh=False) as live:
        live.update(table_of(HOSTILE), refresh=True)
    said = capsys.readouterr().err
    assert "a[/b] " in said
    assert "[bold]t[/b]" in said
    assert "\x1b[2J" not in said


def test_styles_are_left() -> None:
    file = io.StringIO()
    colours = PlainConsole(file=file, width=80, force_terminal=True, color_system="standard")
    colours.print(Text("Error:", "red"))
    assert file.getvalue() == "\x1b[31mError:\x1b[0m\n"
