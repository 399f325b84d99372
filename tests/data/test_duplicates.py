from __future__ import annotations

import hashlib
import itertools
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawing import draw_face
from PIL import Image

from facenet_demo.data import duplicates
from facenet_demo.data.crops import prepare_crops
from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.data.duplicates import exact_copies, near_duplicates
from facenet_demo.data.records import Sample
from facenet_demo.data.stored import Crops, CropSettings

SIDE = 96


def crops_of(images: np.ndarray, digests: list[str] | None = None) -> Crops:
    count = len(images)
    return Crops(
        images=images,
        people=["Ada"] * count,
        files=[f"{i}.png" for i in range(count)],
        digests=np.array(digests or range(count), "S32").view(np.uint8).reshape(-1, 32),
        detected=np.ones(count, bool),
        landmarks=np.zeros((count, 5, 2), np.float32),
        transforms=np.zeros((count, 2, 3)),
        num_faces=np.ones(count, np.int32),
        left_out=[],
    )


def look_alikes(count: int = 60) -> np.ndarray:
    """Versions of 6 pictures, more and less like each other."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(60, 190, (6, 12, 12, 3))
    pictures = []
    for i in range(count):
        big = cv2.resize(coarse[i % 6], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        blur = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE, 3)), (0, 0), 4)
        noise = rng.uniform(0, 12) * blur / blur.std()
        pictures.append((big * rng.uniform(0.7, 1.2) + noise).clip(0, 255))
    return np.stack(pictures).astype(np.uint8)


def correlations(images: np.ndarray) -> np.ndarray:
    """Of the middle two thirds, grey, 32 x 32: by hand."""
    middle = images[:, 16:-16, 16:-16].astype(float) @ [0.299, 0.587, 0.114]
    means = middle.reshape(-1, 32, 2, 32, 2).mean((2, 4)).reshape(len(images), -1)
    found = np.eye(len(images))
    for i, j in itertools.combinations(range(len(images)), 2):
        found[i, j] = np.corrcoef(means[i], means[j])[0, 1]
    return found


@pytest.mark.parametrize(("block", "part"), [(7, 3), (8, 16), (60, 7), (4096, 512)])
@pytest.mark.parametrize("threshold", [0.9, 0.98])
def test_near_duplicates_are_those_of_a_comparison_of_all_pairs(
    block: int, part: int, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = look_alikes()
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    monkeypatch.setattr(duplicates, "_PART", part)
    found = {(int(a), int(b)) for a, b in near_duplicates(crops_of(images), threshold)}
    truth = correlations(images)
    # Rounding to grey levels moves a correlation by less than a thousandth.
    surely, perhaps = (
        {(a, b) for a, b in np.argwhere(np.triu(truth, 1) > threshold + margin).tolist()}
        for margin in (1e-3, -1e-3)
    )
    assert 20 < len(surely) < 300
    assert surely <= found <= perhaps
    assert all(a < b for a, b in found)


def test_each_pair_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", 3)
    monkeypatch.setattr(duplicates, "_PART", 2)
    pairs = near_duplicates(crops_of(np.stack([draw_face(size=SIDE)] * 5)))
    assert pairs.tolist() == [list(pair) for pair in itertools.combinations(range(5), 2)]


def test_the_same_face_before_another_backdrop_and_in_other_light_is_a_pair() -> None:
    face = draw_face(size=SIDE)
    other = (face * 0.6 + 30).astype(np.uint8)
    other[:14] = other[-14:] = other[:, :14] = other[:, -14:] = [255, 0, 0]
    assert near_duplicates(crops_of(np.stack([face, other]))).tolist() == [[0, 1]]


def test_blank_photos_are_like_nothing() -> None:
    blank = np.full((3, SIDE, SIDE, 3), 128, np.uint8)
    assert near_duplicates(crops_of(blank)).shape == (0, 2)


def test_no_photos_have_no_pairs() -> None:
    none = crops_of(np.empty((0, SIDE, SIDE, 3), np.uint8))
    assert near_duplicates(none).shape == (0, 2)
    assert exact_copies(none) == {}


def test_copies_are_those_of_a_comparison_of_all_pairs() -> None:
    digests = list(np.random.default_rng(0).choice(list("abcdefgh"), 30))
    expected = {
        row: digests.index(digest) for row, digest in enumerate(digests) if digest in digests[:row]
    }
    copies = exact_copies(crops_of(np.empty((30, 1, 1, 3), np.uint8), digests))
    assert copies == expected
    assert len(copies) == 30 - 8


def test_a_copy_is_a_copy_under_any_name_and_a_new_encoding_is_only_near(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.png", "b.png", "copy of a.png", "a.jpg")]
    for person, path in enumerate(paths[:2]):
        Image.fromarray(draw_face(person)).save(path)
    shutil.copy(paths[0], paths[2])
    Image.open(paths[0]).save(paths[3], quality=85)
    settings = CropSettings(size=SIDE, window=64)
    crops = prepare_crops([Sample(path, "Ada") for path in paths], settings, tmp_path)
    expected = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    assert [row.tobytes() for row in crops.digests] == expected
    assert exact_copies(crops) == {2: 0}
    assert near_duplicates(crops).tolist() == [[0, 2], [0, 3], [2, 3]]


def test_no_two_people_of_orl_are_near_duplicates(orl: FaceDataModule) -> None:
    pairs = near_duplicates(orl.crops)
    assert 0 < len(pairs) < 200, "neighbours of one sitting are"
    assert all(orl.crops.people[a] == orl.crops.people[b] for a, b in pairs)
    assert exact_copies(orl.crops) == {}
