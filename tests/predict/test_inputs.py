"""Which files are read: by the end of their names, or by their first bytes."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawing import draw_face
from PIL import Image

from facenet_demo.data.sources import Folder
from facenet_demo.faces.photos import read_image
from facenet_demo.predict.inputs import find_files, kind_of

PHOTOS = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp",
          "PPM": "ppm", "JPEG2000": "jp2"}  # fmt: skip
HEADS = {
    "a.3gp": b"\0\0\0\x18ftyp3gp4\0\0\0\0",
    "a.mp4": b"\0\0\0\x18ftypisom\0\0\0\0",
    "a.mov": b"\0\0\0\x14ftypqt  \0\0\0\0",
    "a.mkv": b"\x1a\x45\xdf\xa3\x01",
    "a.avi": b"RIFF\x24\0\0\0AVI LIST",
    "a.flv": b"FLV\x01\x05\0\0\0\t",
    "a.ts": (b"G" + b"\xff" * 187) * 3,
    "a.m2ts": b"\0\0\0\0" + (b"G" + b"\xff" * 191) * 3,
    "a.mpg": b"\0\0\x01\xba\x44",
    "a.wmv": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6",
}
NEITHER = {
    "program.ts": b"const G = 1;\n" * 40,
    "song.m4a": b"\0\0\0\x20ftypM4A \0\0\0\0",
    "song.wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "text": b"BMW\nhas a name that begins like a bitmap",
    "P5.txt": b"P5 is a name",
    "empty": b"",
    "short": b"G",
}


@pytest.mark.parametrize("kind", PHOTOS)
@pytest.mark.parametrize("name", ["photo", "photo.JPG~", "photo.2024", "photo.dat"])
def test_a_photo_is_one_whatever_its_name(kind: str, name: str, tmp_path: Path) -> None:
    Image.fromarray(draw_face(size=64)).save(tmp_path / name, kind)
    assert kind_of(tmp_path / name) == "photo"
    assert find_files([tmp_path]).files == [tmp_path / name]


@pytest.mark.parametrize("name", HEADS)
def test_a_video_is_one_by_its_first_bytes(name: str, tmp_path: Path) -> None:
    (tmp_path / "video").write_bytes(HEADS[name])
    (tmp_path / name).write_bytes(HEADS[name])
    found = find_files([tmp_path, tmp_path / "video"])
    assert found.videos == {tmp_path / "video", tmp_path / name}
    assert found.photos == []


@pytest.mark.parametrize("name", NEITHER)
def test_what_is_neither_is_ignored_in_a_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(NEITHER[name])
    found = find_files([tmp_path])
    assert (found.files, found.ignored) == ([], 1)
    named = find_files([tmp_path / name])
    assert named.photos == [tmp_path / name], "it was named: that it is no photo is said"


@pytest.mark.parametrize("name", ["a.MP4", "a.3GP", "a.flv", "b.JPEG", "c.Tiff"])
def test_the_end_of_a_name_is_enough(name: str, tmp_path: Path) -> None:
    """Also of what is empty, damaged or not there: that is for its row to say."""
    assert kind_of(tmp_path / name) == ("video" if name.startswith("a") else "photo")


def test_pipes_folders_and_dead_links_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("pipe", "link", "loop", "nothing", "n\0l"):
        assert kind_of(tmp_path / name) is None
    assert find_files([tmp_path]).ignored == 3


def test_a_video_of_a_telephone_is_read(tmp_path: Path) -> None:
    """OpenCV does not go by the name, either."""
    file = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 96))
    for photo in range(4):
        writer.write(np.ascontiguousarray(draw_face(photo=photo)[..., ::-1]))
    writer.release()
    file.rename(tmp_path / "video")
    assert find_files([tmp_path]).videos == {tmp_path / "video"}
    assert cv2.VideoCapture(str(tmp_path / "video")).read()[0]


def test_folders_may_lie_deeper_than_functions_are_called(deep_folder: Path) -> None:
    Image.fromarray(draw_face(size=32)).save(deep_folder / "a.png")
    top = next(folder for folder in deep_folder.parents if folder.name == "deep")
    found = find_files([top])
    assert found.files == [deep_folder / "a.png"]
    assert found.places == [Path("deep", *["d"] * 1099, "a.png")]
    (sample,) = Folder(top.parent).samples()
    assert (sample.path, sample.person) == (deep_folder / "a.png", "deep")


def test_a_folder_too_deep_for_the_system_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made it went down step by step."""
    monkeypatch.chdir(tmp_path)
    for _ in range(20):
        Path("x" * 250).mkdir()
        os.chdir("x" * 250)
    Path("a.png").touch()
    found = find_files([tmp_path])
    assert found.files == []
    assert [reason for _, reason in found.unreadable] == ["file name too long"]
    os.chdir(tmp_path)


def test_order_is_that_of_names_with_folders_in_their_places(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.png", "c.png", "b.png", ".hidden/x.png", "b/.y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/up").symlink_to(tmp_path)
    found = [str(file.relative_to(tmp_path)) for file in find_files([tmp_path]).files]
    assert found == ["a.png", "b/1.png", "b/2.png", "b.png", "c.png"]


@pytest.mark.parametrize("name", ["photo", "PHOTO.JPG", "photo.jpg.1", "photo.heic"])
def test_training_reads_photos_whatever_their_names(name: str, tmp_path: Path) -> None:
    (tmp_path / "Ada").mkdir()
    Image.fromarray(draw_face(size=64)).save(tmp_path / "Ada" / name, "PNG")
    (sample,) = Folder(tmp_path).samples()
    assert read_image(sample.path).shape == (64, 64, 3)
