"""Names of folders as names of people: each written in one way, and what about them looks doubtful.

person_name(Path("people/José"))     # the same however its é is composed
doubts_about(["Ada", "ada"])         # sentences to show
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from facenet_demo.data.records import UNKNOWN
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text
from facenet_demo.system.texts import some


def person_name(folder: Path) -> str:
    """What a person's folder is called, composed (Unicode's NFC).

    Raises:
        UserError: for the word that stands for strangers.
    """
    name = _composed(as_text(folder.name))
    if _alike(name) == UNKNOWN:
        raise UserError(
            f"{as_text(folder)} would be a person called {UNKNOWN}, which is what strangers are "
            "called. Rename the folder. Photos of strangers go elsewhere: to train, one folder for "
            "each stranger (`data.split.outsiders` sets some aside, as do too few photos); for a "
            "gallery, a folder that is named as `strangers`."
        )
    return name


def doubts_about(folders: Iterable[str]) -> list[str]:
    """What may not be meant as it is taken, a sentence for each kind of doubt.

    Args:
        folders: the names of the people's folders, as they are on the disk.
    """
    forms: dict[str, set[str]] = defaultdict(set)
    alike: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        name = _composed(folder)
        forms[name].add(folder)
        alike[_alike(name)].add(name)
    people = sorted(forms)
    twice = [shown(name) for name in people if len(forms[name]) > 1]
    groups = [sorted(group) for group in alike.values() if len(group) > 1]
    similar = [" and ".join(map(shown, group)) for group in groups]
    marked = [shown(name) for name in people if not name.strip()[:1].isalnum()]
    spaced = [shown(name) for name in people if shown(name) != name]
    sentences = (
        (twice, "{} has two folders whose names differ only in how accents are stored: taken as "
         "one person."),
        (similar, "{}: taken as different people, though the names differ in little."),
        (marked, "{}: taken as a person, though the name begins with no letter or digit."),
        (spaced, "{}: the name has spaces at its ends, or characters that cannot be seen."),
    )  # fmt: skip
    return [text.format(some(found)) for found, text in sentences if found]


def shown(name: str) -> str:
    """A name as text in which all that it holds can be seen, and that moves no cursor."""
    return name if name.isprintable() and name == name.strip() else repr(name)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _alike(name: str) -> str:
    """What names share that a reader could take for one another."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    visible = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cc"))
    return re.sub(r"[\s_-]+", " ", visible).strip()
