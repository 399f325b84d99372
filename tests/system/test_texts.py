"""No name moves the cursor, and what is no letter is written out."""

from __future__ import annotations

import pytest

from facenet_demo.system.texts import printable, printable_lines, some


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[2Jb\nc\u202ed é李😀", "a\\x1b[2Jb\\nc\\u202ed é李😀"),
        ("\udcff\t\x9b", "\\udcff\\t\\x9b"),
        ("क\u200dष \u200c", "क\u200dष \u200c"),
    ],
)
def test_no_name_moves_the_cursor(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_message_keeps_its_lines() -> None:
    assert printable_lines("a\x1b\nb") == "a\\x1b\nb"


def test_of_many_the_first_are_named_and_the_others_counted() -> None:
    assert some([]) == ""
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
