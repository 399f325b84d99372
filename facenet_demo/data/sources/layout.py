"""How a folder of people is laid out: people, a split of people, or groups of them.

for folder, stage in people_folders(Path("people")): ...      # people/Ada, None
for folder, stage in people_folders(root, "pool"): ...        # people/train/Ada, "train"
doubts_about_layout(Path("people"))                           # sentences to show
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from facenet_demo.data.sources.names import doubts_about, shown
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text
from facenet_demo.system.texts import some

SplitFolders: TypeAlias = Literal["pool", "keep"]

_STAGES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def people_folders(
    root: Path, split_folders: SplitFolders | None = None, setting: str = ""
) -> Iterator[tuple[Path, str | None]]:
    """The folders that are a person each, sorted, with the stage they are for.

    Args:
        root: their folder, or with `split_folders` that of train/, val/ and test/.
        split_folders: whether those are what `root` holds.
        setting: how the user says that they are, for the message.

    Raises:
        UserError: if `root` is not laid out as `split_folders` says, or no folder.
    """
    if not root.is_dir():
        kind = "is a file" if root.exists() else "does not exist"
        raise UserError(f"{root} {kind}; a folder with one folder of photos per person is needed.")
    above = {root.resolve(), *root.resolve().parents}
    parts = _folders(root, above)
    split = _is_split(parts, above)
    if split_folders is None:
        if split:
            raise UserError(
                f"{', '.join(as_text(part.name) for part in parts)} in {root} hold folders: a "
                "split of photos, rather than people of these names. Name one of them as the "
                f"folder of people, {parts[0]}{setting}."
            )
        yield from ((part, None) for part in parts)
        return
    if not split:
        names = some([shown(as_text(part.name)) for part in parts])
        raise UserError(
            f"split_folders {split_folders} is for a folder with train/, val/ or test/ in it, and "
            f"a folder per person in each. {root} holds {names or 'no folders'}: leave it out."
        )
    for part in parts:
        stage = _STAGES[part.name.casefold()]
        yield from ((folder, stage) for folder in _folders(part, above))


def doubts_about_layout(root: Path, split_folders: SplitFolders | None = None) -> list[str]:
    """What may not be meant as it is taken, a sentence for each kind of doubt.

    Raises:
        UserError: as `people_folders`.
    """
    folders = [folder for folder, _ in people_folders(root, split_folders)]
    doubts = doubts_about(as_text(folder.name) for folder in folders)
    groups = []
    for folder in folders:
        inside, has_photos = _inside(folder)
        if len(inside) > 1 and not has_photos:
            groups.append(f"{shown(as_text(folder.name))} ({some(inside)})")
    if groups:
        doubts.append(
            f"{some(groups)}: taken as one person each, though the photos lie in several folders "
            "inside. If those are people, name the folder they lie in, or move them up."
        )
    loose = 0
    if split_folders is not None:
        loose = sum(1 for part in _folders(root, set()) for p in part.iterdir() if p.is_file())
    if loose:
        doubts.append(f"{loose} files lie beside the people's folders: nobody's, and left out.")
    return doubts


def _folders(root: Path, above: set[Path]) -> list[Path]:
    """What may be a person or a part, sorted; a link that leads back up is none."""
    return [
        folder
        for folder in sorted(root.iterdir())
        if not folder.name.startswith(".") and folder.is_dir() and folder.resolve() not in above
    ]


def _is_split(parts: list[Path], above: set[Path]) -> bool:
    named = bool(parts) and all(part.name.casefold() in _STAGES for part in parts)
    return named and any(_folders(part, above) for part in parts)


def _inside(folder: Path) -> tuple[list[str], bool]:
    """The names of the folders in a folder, sorted, and whether there are photos beside them."""
    with os.scandir(folder) as entries:
        names, has_photos = [], False
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                names.append(shown(as_text(entry.name)))
            else:
                has_photos = True
    return sorted(names), has_photos
