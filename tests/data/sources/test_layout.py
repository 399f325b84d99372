"""Folders that hold a split of people, or groups of people, rather than people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from drawing import draw_people

from facenet_demo.data.datamodule import DataSettings, FaceDataModule
from facenet_demo.data.sources import LFW, Folder
from facenet_demo.data.sources.layout import doubts_about_layout
from facenet_demo.data.splits import SplitSettings
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, parse


def photos(root: Path, *names: str) -> Path:
    """Files that nobody opens."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


SPLIT = ("train/Ada/1.jpg", "train/Bea/2.jpg", "val/Ada/3.jpg", "test/Bea/4.jpg")


@pytest.mark.parametrize("names", [SPLIT, ("Training/Ada/1.jpg", "valid/Ada/2.jpg"),
                                   ("train/Ada/1.jpg", "test/flat.jpg"), ("test/Ada/1.jpg",)],
                         ids=str)  # fmt: skip
def test_a_split_is_not_taken_for_people(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = photos(tmp_path, *names)
    with pytest.raises(UserError, match=r"a split of photos.*split_folders` pool.*keep"):
        list(Folder(root).samples())
    with pytest.raises(UserError, match="Name one of them"):
        list(LFW(root).samples())


@pytest.mark.parametrize(
    "names", [("test/1.jpg", "train/2.jpg"), ("val/2019/1.jpg", "val/2020/2.jpg", "Ada/3.jpg")]
)
def test_people_with_such_names_are_people(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = {sample.person for sample in Folder(photos(tmp_path, *names)).samples()}
    assert found == {name.split("/")[0] for name in names}


@pytest.mark.parametrize("how", ["pool", "keep"])
def test_it_is_taken_as_it_is_meant_if_asked(tmp_path: Path, how: str) -> None:
    root = photos(tmp_path, *SPLIT, "val/classes.txt", ".DS_Store")
    source = Folder(root, split_folders=how)  # type: ignore[arg-type]
    found = {s.path.relative_to(root).as_posix(): (s.person, s.stage) for s in source.samples()}
    stages = {name: name.split("/")[0] if how == "keep" else None for name in SPLIT}
    assert found == {name: (name.split("/")[1], stages[name]) for name in SPLIT}
    assert source.doubts() == ["1 files lie beside the people's folders: nobody's, and left out."]


def test_to_ask_so_of_people_is_an_error(tmp_path: Path) -> None:
    root = photos(tmp_path, "Ada/1.jpg", "Bea/2.jpg")
    with pytest.raises(UserError, match=r"split_folders keep.*holds Ada, Bea: leave it out"):
        list(Folder(root, split_folders="keep").samples())


def test_groups_of_people_are_said(tmp_path: Path) -> None:
    names = (
        "family/Ada/1.jpg",
        "family/Bea/2.jpg",
        "Cleo/3.jpg",
        "Cleo/holiday/4.jpg",
        "Dora/a/5.jpg",
    )
    (doubt,) = doubts_about_layout(photos(tmp_path, *names))
    assert doubt.startswith("family (Ada, Bea): taken as one person each")


def test_one_level_too_high_is_told_by_the_error(tmp_path: Path) -> None:
    draw_people(tmp_path / "people", num_people=2, num_photos=3)
    with pytest.raises(UserError, match=r"two people.*people \(p0, p1\): taken as one person"):
        _ = DataSettings(Folder(tmp_path), window=32).build().split


def split_folder(root: Path, **counts: int) -> Path:
    """Two drawn people with so many photos in each folder."""
    for stage, count in counts.items():
        own = draw_people(root / f"{stage}-made", 2, 9)
        for number, folder in enumerate(sorted(own.iterdir())):
            place = root / "split" / stage / folder.name
            place.mkdir(parents=True)
            start = list(counts).index(stage) * 3
            for photo in sorted(folder.iterdir())[start : start + count]:
                photo.rename(place / f"{stage}{number}{photo.name}")
    return root / "split"


def stages_of(data: FaceDataModule) -> dict[str, Counter[str]]:
    return {
        stage: Counter(Path(data.crops.files[row]).parts[-3] for row in rows)
        for stage, rows in data.split.rows.items()
    }


def test_the_folders_own_split_is_kept(tmp_path: Path) -> None:
    root = split_folder(tmp_path, train=3, val=1, test=2)
    data = DataSettings(Folder(root, split_folders="keep"), window=32).build()
    assert data.people == ["p0", "p1"]
    assert stages_of(data) == {"train": {"train": 6}, "val": {"val": 2}, "test": {"test": 4}}


def test_what_has_no_folder_is_drawn_from_the_photos_that_teach(tmp_path: Path) -> None:
    root = split_folder(tmp_path, train=3, test=2)
    data = DataSettings(
        Folder(root, split_folders="keep"), window=32, split=SplitSettings(val=1, test=0.5)
    ).build()
    assert stages_of(data) == {"train": {"train": 4}, "val": {"train": 2}, "test": {"test": 4}}


def test_pooled_photos_are_split_anew(tmp_path: Path) -> None:
    root = split_folder(tmp_path, train=3, test=2)
    data = DataSettings(
        Folder(root, split_folders="pool"), window=32, split=SplitSettings(val=1, test=1)
    ).build()
    assert {stage: len(rows) for stage, rows in data.split.rows.items()} == {
        "train": 6, "val": 2, "test": 2,
    }  # fmt: skip


def test_it_is_asked_for_on_the_command_line(tmp_path: Path) -> None:
    root = photos(tmp_path, *SPLIT)
    flags = [f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={root}"]
    for how in ("pool", "keep"):
        recipe = parse([*flags, f"--data.source.split_folders={how}"]).recipe
        assert recipe.data.source.split_folders == how
    with pytest.raises(UserError, match="split_folders"):
        parse([*flags, "--data.source.split_folders=both"])


def test_a_split_of_photos_is_none_of_people(tmp_path: Path) -> None:
    root = split_folder(tmp_path, train=3, test=2)
    data = DataSettings(Folder(root, split_folders="keep"), window=32, target="landmarks").build()
    with pytest.raises(UserError, match="split_folders` pool"):
        _ = data.split
