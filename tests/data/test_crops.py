from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_face
from PIL import Image

from facenet_demo.data import crops as module
from facenet_demo.data.crops import find_crops, prepare_crops
from facenet_demo.data.mapped import Texts
from facenet_demo.data.records import Sample
from facenet_demo.data.stored import Crops, CropSettings
from facenet_demo.faces import detect
from facenet_demo.faces.align import align, template
from facenet_demo.faces.photos import read_image
from facenet_demo.system.errors import UserError

SETTINGS = CropSettings(size=48, window=32)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Two drawn people, 3 photos each, in a folder of their own."""
    made = []
    for i in range(6):
        path = tmp_path / "photos" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(draw_face(i % 2, i)).save(path)
        made.append(Sample(path, f"p{i % 2}"))
    return made


def folders(cache: Path) -> list[Path]:
    return [p for p in (cache / "crops").iterdir() if p.suffix != ".lock"]


def test_each_row_is_the_aligned_face_of_its_photo(samples: list[Sample], tmp_path: Path) -> None:
    crops = prepare_crops(samples, SETTINGS, tmp_path)
    assert list(crops.people) == [s.person for s in samples]
    assert list(crops.files) == [str(s.path) for s in samples]
    detector = detect.FaceDetector()
    for row, sample in enumerate(samples):
        image = read_image(sample.path)
        face = detector(image)[0]
        expected, transform = align(image, face.landmarks, template(48, 32), 48)
        assert np.array_equal(crops.images[row], expected)
        np.testing.assert_allclose(crops.transforms[row], transform)
        back = np.linalg.inv(np.vstack([transform, [0, 0, 1]]))[:2]
        points = crops.landmarks[row] @ back[:, :2].T + back[:, 2]
        np.testing.assert_allclose(points, face.landmarks, atol=1e-3)
    assert crops.num_faces.tolist() == [1] * 6
    assert crops.detected.all()


def test_of_several_faces_the_main_one_is_cropped(tmp_path: Path) -> None:
    photo = np.full((300, 400, 3), 128, np.uint8)
    photo[:60, :60] = draw_face(1, size=60)
    photo[90:240, 120:270] = draw_face(0, size=150)
    Image.fromarray(photo).save(tmp_path / "a.png")
    crops = prepare_crops([Sample(tmp_path / "a.png", "p0")], SETTINGS, tmp_path)
    assert crops.num_faces.tolist() == [2]
    middle = np.linalg.inv(crops.transforms[0][:, :2]) @ ([24, 24] - crops.transforms[0][:, 2])
    assert np.linalg.norm(middle - [195, 173]) < 30, "not the small one in the corner"


@pytest.mark.parametrize("num_threads", [1, 3])
def test_the_number_of_threads_changes_nothing(
    num_threads: int, samples: list[Sample], tmp_path: Path
) -> None:
    many = with_bad_files(samples)
    whole = prepare_crops(many, SETTINGS, tmp_path / "whole")
    parts = prepare_crops(many, SETTINGS, tmp_path / "parts", num_threads)
    assert np.array_equal(parts.images, whole.images)
    assert list(parts.files) == list(whole.files)
    assert parts.left_out == whole.left_out


def test_the_arrays_are_mapped_not_read(samples: list[Sample], tmp_path: Path) -> None:
    crops = prepare_crops(samples, SETTINGS, tmp_path)
    values = vars(crops)
    arrays = {name for name, value in values.items() if isinstance(value, np.memmap)}
    texts = {name for name, value in values.items() if isinstance(value, Texts)}
    assert arrays | texts | {"left_out", "overruled", "unclear"} == set(values)


def test_a_second_call_finds_no_face_anew(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare_crops(samples, SETTINGS, tmp_path)
    monkeypatch.setattr(detect, "FaceDetector", None)
    second = prepare_crops(samples, SETTINGS, tmp_path)
    assert np.array_equal(first.images, second.images)
    assert np.array_equal(first.digests, second.digests)


@pytest.mark.parametrize("change", ["photo", "time", "person", "settings", "detector", "fewer"])
def test_whatever_made_the_cache_makes_a_new_one(
    change: str, samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_crops(samples, SETTINGS, tmp_path)
    settings, path = SETTINGS, samples[0].path
    if change == "photo":
        Image.fromarray(draw_face(3)).save(path)
    elif change == "time":
        os.utime(path, ns=(0, 0))
    elif change == "person":
        samples[0] = Sample(path, "somebody else")
    elif change == "settings":
        settings = CropSettings(size=48, window=32, face_scale=0.9)
    elif change == "detector":
        monkeypatch.setattr(detect, "DETECTOR_VERSION", "another")
    else:
        samples.pop()
    crops = prepare_crops(samples, settings, tmp_path)
    assert len(folders(tmp_path)) == 2
    assert list(crops.people) == [s.person for s in samples]


def test_a_photo_of_another_size_is_another_photo_at_the_same_time_too(
    samples: list[Sample], tmp_path: Path
) -> None:
    path = samples[0].path
    before = path.stat()
    old = prepare_crops(samples, SETTINGS, tmp_path)
    Image.fromarray(draw_face(3)).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size != before.st_size
    new = prepare_crops(samples, SETTINGS, tmp_path)
    assert (new.digests != old.digests).any(axis=1).tolist() == [True] + [False] * 5


def with_bad_files(samples: list[Sample]) -> list[Sample]:
    folder = samples[0].path.parent
    whole = samples[0].path.read_bytes()
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("hello")
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "folder.jpg").mkdir()
    Image.new("RGB", (80, 80), "grey").save(folder / "nobody.png")
    (folder / "loop.png").symlink_to("loop.png")
    names = ["loop.png", "empty.jpg", "text.jpg", "cut.png", "folder.jpg", "nobody.png", "gone.jpg"]
    bad = [Sample(folder / name, "p0") for name in names]
    return [*samples[:2], *bad, *samples[2:]]


def test_one_bad_file_is_one_line_with_its_reason(samples: list[Sample], tmp_path: Path) -> None:
    crops = prepare_crops(with_bad_files(samples), SETTINGS, tmp_path)
    assert list(crops.files) == [str(s.path) for s in samples], "in order, the bad ones left out"
    reasons = {Path(entry.file).name: entry.reason for entry in crops.left_out}
    assert reasons.pop("cut.png").startswith("damaged image")
    assert reasons == {
        "loop.png": "too many levels of symbolic links",
        "empty.jpg": "empty file",
        "text.jpg": "not an image",
        "folder.jpg": "is a directory",
        "nobody.png": "no face found",
        "gone.jpg": "no such file",
    }


def test_an_undetected_face_is_cropped_at_the_centre_if_asked_for(
    samples: list[Sample], tmp_path: Path
) -> None:
    settings = CropSettings(size=48, window=32, undetected="centre")
    crops = prepare_crops(with_bad_files(samples), settings, tmp_path)
    (row,) = np.flatnonzero(~crops.detected)
    assert Path(crops.files[row]).name == "nobody.png"
    assert (crops.images[row] == 128).all()
    np.testing.assert_allclose(crops.landmarks[row], template(48, 32), atol=1e-4)
    assert len(crops.left_out) == 6


def test_files_are_known_from_every_folder(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = samples[0].path.parent
    monkeypatch.chdir(folder)
    near = [Sample(Path(s.path.name), s.person) for s in samples if s.path.parent == folder]
    crops = prepare_crops(near, SETTINGS, tmp_path)
    assert list(crops.files) == [str(folder / s.path) for s in near]


def test_nothing_but_bad_files_is_no_crops(samples: list[Sample], tmp_path: Path) -> None:
    bad = [s for s in with_bad_files(samples) if s not in samples]
    crops = prepare_crops(bad, SETTINGS, tmp_path)
    assert len(crops) == 0
    assert crops.images.shape == (0, 48, 48, 3)


@pytest.mark.parametrize(
    "name", ["a\nb.png", "ä 😀 '\".png", b"\xff\xfe.png".decode(errors="surrogateescape")]
)
def test_any_file_name_will_do(name: str, samples: list[Sample], tmp_path: Path) -> None:
    path = samples[0].path.with_name(name)
    try:
        samples[0].path.rename(path)
    except (OSError, UnicodeError):
        pytest.skip("this file system refuses the name")
    crops = prepare_crops([Sample(path, "p0"), *samples[1:]], SETTINGS, tmp_path)
    assert len(crops) == 6


def test_two_at_once_make_one_cache(samples: list[Sample], tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: prepare_crops(samples, SETTINGS, tmp_path), range(2)))
    assert np.array_equal(both[0].images, both[1].images)
    assert len(folders(tmp_path)) == 1


def test_a_full_disk_is_said_and_leaves_nothing(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **arrays: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(UserError, match=r"No space left on device.*FACENET_DEMO_CACHE"):
            prepare_crops(samples, SETTINGS, tmp_path)
    assert folders(tmp_path) == []
    assert len(prepare_crops(samples, SETTINGS, tmp_path)) == 6


@pytest.mark.parametrize("name", ["file", 300 * "x"])
def test_a_cache_that_cannot_be_written_is_said(
    name: str, samples: list[Sample], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert find_crops(samples, SETTINGS, tmp_path / name) is None
    with pytest.raises(UserError, match="FACENET_DEMO_CACHE"):
        prepare_crops(samples, SETTINGS, tmp_path / name)


def test_crops_are_found_from_photos_that_are_seen_once(
    samples: list[Sample], tmp_path: Path
) -> None:
    assert find_crops(iter(samples), SETTINGS, tmp_path) is None
    made = prepare_crops(samples, SETTINGS, tmp_path)
    found = find_crops(iter(samples), SETTINGS, tmp_path)
    assert found is not None
    assert np.array_equal(found.images, made.images)
    assert find_crops(iter(samples[1:]), SETTINGS, tmp_path) is None


KILLED = """
import os, signal, sys
from pathlib import Path
from facenet_demo.data import crops
from facenet_demo.data.records import Sample

dumps, photos = crops.json.dumps, 0

def killed(value):
    global photos
    photos += isinstance(value, dict) and "digests" in value
    if photos == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return dumps(value)

crops.json.dumps = killed
paths = [Path(p) for p in sys.argv[2:]]
samples = [Sample(p, f"p{i % 2}") for i, p in enumerate(paths)]
crops.prepare_crops(samples, crops.CropSettings(size=48, window=32), Path(sys.argv[1]))
"""


def same(found: Crops, expected: Crops) -> bool:
    return all(
        np.array_equal(value, getattr(expected, name)) for name, value in vars(found).items()
    )


def count_crops(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    cropped: list[Path] = []
    crop = module._crop

    def counted(path: Path, *args: object) -> object:
        cropped.append(path)
        return crop(path, *args)

    monkeypatch.setattr(module, "_crop", counted)
    return cropped


def test_a_killed_preparation_is_not_believed_and_goes_on_where_it_was(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with the pixels of a fourth photo written and its line not."""
    paths = [str(s.path) for s in samples]
    alike = [Sample(s.path, f"p{i % 2}") for i, s in enumerate(samples)]
    whole = prepare_crops(alike, SETTINGS, tmp_path / "whole")
    cache = tmp_path / "cache"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(cache), *paths], check=False)
    assert killed.returncode == -signal.SIGKILL
    (leftover,) = folders(cache)
    assert (leftover / "images.u8").stat().st_size == 4 * 48 * 48 * 3
    cropped = count_crops(monkeypatch)
    assert same(prepare_crops(alike, SETTINGS, cache), whole)
    assert sorted(cropped) == [s.path for s in samples[3:]]
    (folder,) = folders(cache)
    assert folder != leftover


@pytest.mark.parametrize("lost", ["line", "pixels"])
def test_what_was_half_written_is_written_again(
    lost: str, samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare_crops(samples, SETTINGS, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare_crops(samples, SETTINGS, tmp_path)
    (leftover,) = folders(tmp_path)
    name = {"line": "photos.jsonl", "pixels": "images.u8"}[lost]
    os.truncate(leftover / name, (leftover / name).stat().st_size - 9)
    cropped = count_crops(monkeypatch)
    assert same(prepare_crops(samples, SETTINGS, tmp_path), whole)
    assert len(cropped) == {"line": 1, "pixels": 6}[lost]


def interrupt(*args: object, **arrays: object) -> None:
    raise KeyboardInterrupt


def test_an_interruption_ends_the_work_at_once(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_crop", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare_crops(samples, SETTINGS, tmp_path, num_threads=1)
    assert all(folder.name.endswith(".unfinished") for folder in folders(tmp_path))
