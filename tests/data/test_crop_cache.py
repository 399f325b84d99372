"""What lies in the cache: damaged, it is made anew; and who can read it, or write through it."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_face
from PIL import Image

from facenet_demo.data.crops import crops_folder, find_crops, prepare_crops
from facenet_demo.data.mapped import write_texts
from facenet_demo.data.records import Sample
from facenet_demo.data.stored import Crops, CropSettings
from facenet_demo.system.errors import UserError

SETTINGS = CropSettings(size=48, window=32)
FILES = (
    "index.json", "photos.npy", "images.u8", "people.npy", "people.utf8", "files.npy", "files.utf8",
)  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Three photos with a face and one without."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(3):
        Image.fromarray(draw_face(i)).save(folder / f"{i}.png")
    Image.new("RGB", (80, 80), "grey").save(folder / "3.png")
    return [Sample(folder / f"{i}.png", f"Zoë {i}") for i in range(4)]


@pytest.fixture(scope="module")
def made(samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Crops]:
    """A cache that is whole, to be copied, and its crops."""
    cache = tmp_path_factory.mktemp("whole")
    return cache, prepare_crops(samples, SETTINGS, cache)


def same(found: Crops, expected: Crops) -> bool:
    return all(
        np.array_equal(value, getattr(expected, name)) for name, value in vars(found).items()
    )


def garbage(path: Path) -> None:
    content = np.random.default_rng(0).integers(0, 256, path.stat().st_size, np.uint8)
    path.write_bytes(content.tobytes())


def saved(save: Callable, *args: object, **arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *args, **arrays)
    return buffer.getvalue()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": lambda p: p.unlink(),
    "empty": lambda p: os.truncate(p, 0),
    "cut": lambda p: os.truncate(p, p.stat().st_size - 1),
    "half": lambda p: os.truncate(p, p.stat().st_size // 2),
    "longer": lambda p: p.write_bytes(p.read_bytes() + b"more"),
    "garbage": garbage,
    "zeros": lambda p: p.write_bytes(bytes(p.stat().st_size)),
    "a pickle": lambda p: p.write_bytes(saved(np.save, np.array([{}], object))),
    "an archive": lambda p: p.write_bytes(saved(np.savez, a=np.zeros(3))),
    "another array": lambda p: p.write_bytes(saved(np.save, np.zeros((2, 3)))),
    "another JSON": lambda p: p.write_text("[1]"),
    "JSON without end": lambda p: p.write_text("[" * 100_000),
}
# Nothing tells pixels from other bytes, nor text from other text.
UNSEEN = {("images.u8", "garbage"), ("images.u8", "zeros"), ("people.utf8", "zeros"),
          ("files.utf8", "zeros")}  # fmt: skip
# numpy reads what it needs and no further.
UNSEEN |= {(name, "longer") for name in ("photos.npy", "people.npy", "files.npy")}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_cache_is_named_and_made_anew(
    name: str,
    damage: str,
    samples: list[Sample],
    made: tuple[Path, Crops],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    whole, expected = made
    cache = tmp_path / "cache"
    shutil.copytree(whole, cache)
    folder = crops_folder(samples, SETTINGS, cache)
    DAMAGES[damage](folder / name)
    if (name, damage) in UNSEEN:
        assert len(prepare_crops(samples, SETTINGS, cache)) == 3
        return
    assert find_crops(samples, SETTINGS, cache) is None
    assert same(prepare_crops(samples, SETTINGS, cache), expected)
    said = "".join(capsys.readouterr().err.split())
    assert f"{folder}aredamaged" in said
    assert name.split(".")[0] in said
    assert find_crops(samples, SETTINGS, cache) is not None
    assert {p.name for p in folder.parent.iterdir()} == {folder.name, f"{folder.name}.lock"}


def test_other_texts_than_there_are_photos_are_damage(
    samples: list[Sample], made: tuple[Path, Crops], tmp_path: Path
) -> None:
    whole, expected = made
    cache = tmp_path / "cache"
    for texts in (["Ada"], ["Ada"] * 4, []):
        shutil.copytree(whole, cache)
        write_texts(crops_folder(samples, SETTINGS, cache) / "people", texts)
        assert find_crops(samples, SETTINGS, cache) is None
        assert same(prepare_crops(samples, SETTINGS, cache), expected)
        shutil.rmtree(cache)


def test_a_file_that_cannot_be_read_now_is_no_damage(
    samples: list[Sample],
    made: tuple[Path, Crops],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(made[0], cache)

    def denied(*args: object, **settings: object) -> None:
        raise PermissionError(13, "Permission denied", "photos.npy")

    with monkeypatch.context() as patch:
        patch.setattr(np, "load", denied)
        with pytest.raises(UserError, match="Permission denied"):
            prepare_crops(samples, SETTINGS, cache)
    assert find_crops(samples, SETTINGS, cache) is not None


LINES: dict[str, Callable[[list[str]], list[str]]] = {
    "garbage": lambda lines: [lines[0], "\x00\ufffd\n", *lines[2:]],
    "no JSON": lambda lines: [lines[0], "{{{\n", *lines[2:]],
    "other JSON": lambda lines: [lines[0], "[1]\n", *lines[2:]],
    "an entry of another kind": lambda lines: [lines[0], '{"left_out": 3}\n', *lines[2:]],
    "an entry that lacks something": lambda lines: [lines[0], '{"digests": []}\n', *lines[2:]],
    "numbers of another shape": lambda lines: [
        lines[0], json.dumps({**json.loads(lines[1]), "landmarks": [1, 2]}) + "\n", *lines[2:]
    ],
    "a number that is too large": lambda lines: [
        lines[0], json.dumps({**json.loads(lines[1]), "num_faces": 2**40}) + "\n", *lines[2:]
    ],
    "more than there are photos": lambda lines: [*lines, *lines],
    "nothing": lambda lines: [],
}  # fmt: skip


@pytest.mark.parametrize("damage", LINES)
def test_a_preparation_that_was_stopped_and_damaged_goes_on(
    damage: str,
    samples: list[Sample],
    made: tuple[Path, Crops],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*args: object, **arrays: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare_crops(samples, SETTINGS, tmp_path)
    folder = crops_folder(samples, SETTINGS, tmp_path)
    log = folder.with_name(f"{folder.name}.unfinished") / "photos.jsonl"
    log.write_text("".join(LINES[damage](log.read_text().splitlines(keepends=True))))
    assert same(prepare_crops(samples, SETTINGS, tmp_path), made[1])


def modes(folder: Path) -> dict[str, int]:
    paths = (folder, *folder.rglob("*"))
    return {p.name.split(".")[-1]: stat.S_IMODE(p.stat().st_mode) & 0o777 for p in paths}


@pytest.fixture
def usual_umask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_crops_are_for_their_user_alone(samples: list[Sample], tmp_path: Path) -> None:
    prepare_crops(samples, SETTINGS, tmp_path / "cache")
    crops = tmp_path / "cache/crops"
    folder = crops_folder(samples, SETTINGS, tmp_path / "cache")
    found = modes(crops)
    assert {found.pop("crops"), found.pop(folder.name)} == {0o700}
    assert set(found) == {"json", "npy", "u8", "utf8", "lock"}
    assert set(found.values()) == {0o600}


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize(("before", "folders", "files"), [(0o755, 0o700, 0o600),
                                                          (0o770, 0o750, 0o640),
                                                          (0o777, 0o750, 0o640)])  # fmt: skip
def test_a_group_that_may_write_into_the_folder_may_read_what_is_made_there(
    before: int, folders: int, files: int, samples: list[Sample], tmp_path: Path
) -> None:
    crops = tmp_path / "crops"
    crops.mkdir()
    crops.chmod(before | stat.S_ISGID)
    prepare_crops(samples, SETTINGS, tmp_path)
    assert stat.S_IMODE(crops.stat().st_mode) == before | stat.S_ISGID, "it is the user's to say"
    folder = crops_folder(samples, SETTINGS, tmp_path)
    assert folder.stat().st_mode & stat.S_ISGID, "what is made in it is the group's, too"
    found = modes(folder)
    assert found.pop(folder.name) == folders
    assert set(found.values()) == {files}


@pytest.mark.parametrize("name", ["images.u8", "photos.jsonl", "photos.npy", "people.utf8"])
def test_nothing_is_written_through_a_link_in_an_unfinished_folder(
    name: str, samples: list[Sample], made: tuple[Path, Crops], tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    folder = crops_folder(samples, SETTINGS, tmp_path)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir(parents=True)
    (unfinished / name).symlink_to(tmp_path / "mine")
    assert same(prepare_crops(samples, SETTINGS, tmp_path), made[1])
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("suffix", ["unfinished", "lock"])
def test_a_link_in_place_of_what_is_made_is_refused(
    suffix: str, samples: list[Sample], tmp_path: Path
) -> None:
    folder = crops_folder(samples, SETTINGS, tmp_path)
    folder.parent.mkdir()
    (tmp_path / "theirs").mkdir()
    target = tmp_path / ("theirs" if suffix == "unfinished" else "mine")
    (tmp_path / "mine").write_text("mine")
    folder.with_name(f"{folder.name}.{suffix}").symlink_to(target)
    with pytest.raises(UserError, match=r"not a folder of your own|is a link"):
        prepare_crops(samples, SETTINGS, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
    assert list((tmp_path / "theirs").iterdir()) == []
