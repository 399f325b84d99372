from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from facenet_demo.data.sources import Folder
from facenet_demo.data.sources.names import doubts_about
from facenet_demo.system.errors import UserError

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))


def people(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).mkdir(exist_ok=True)
        (root / name / f"{number}.jpg").touch()
    return root


def test_a_name_is_the_same_however_its_accents_are_stored(tmp_path: Path) -> None:
    root = people(tmp_path, COMPOSED, DECOMPOSED)
    if len(list(root.iterdir())) == 1:
        pytest.skip("this file system takes the two names for one")
    source = Folder(root)
    assert [s.person for s in source.samples()] == [COMPOSED, COMPOSED]
    assert {s.path.parent.name for s in source.samples()} == {COMPOSED, DECOMPOSED}
    (doubt,) = source.doubts()
    assert doubt.startswith(f"{COMPOSED} has two folders")


def test_names_as_usual_raise_no_doubt() -> None:
    names = ["Ada", "Ada Lovelace", "Zoë", "s1", "s11", "s1-1", "李明", "अदा", "O'Neil", "2"]
    assert doubts_about(names) == []


@pytest.mark.parametrize(
    ("names", "doubt"),
    [
        (["Ada", "ada", "Bea"], "Ada and ada: taken as different people"),
        (["Ada_Lovelace", "Ada Lovelace"], "Ada Lovelace and Ada_Lovelace: taken as different"),
        (["Ada", "\uff21da"], "Ada and \uff21da: taken as different"),
        (["_backup", "Ada"], "_backup: taken as a person, though the name begins with no letter"),
        (["@eaDir", "$RECYCLE.BIN", "__MACOSX", "~x"],
         "$RECYCLE.BIN, @eaDir, __MACOSX and 1 more: taken as a person"),
        (["Ada ", "Bea"], "'Ada ': the name has spaces at its ends"),
        (["A\u200bda", "Bea"], r"'A\u200bda': the name has"),
        (["A\nda", "Bea"], r"'A\nda': the name has"),
    ],
)  # fmt: skip
def test_doubtful_names_are_said_in_a_sentence(names: list[str], doubt: str) -> None:
    (found,) = doubts_about(names)
    assert found.startswith(doubt)
    assert found.endswith(".")


@pytest.mark.parametrize("name", ["unknown", "Unknown", "UNKNOWN ", "_unknown", "\uff55nknown"])
def test_nobody_is_called_what_strangers_are_called(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"called unknown.*Rename the folder.*`strangers`"):
        list(Folder(people(tmp_path, "Ada", name)).samples())
