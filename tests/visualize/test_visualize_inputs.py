from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawing import draw_face
from PIL import Image

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.networks import FaceCNN
from facenet_demo.networks.checkpoints import TrainedNetwork
from facenet_demo.system.errors import UserError
from facenet_demo.visualize.inputs import example_faces, find_faces, measured_on, run_folder

SETTINGS = FaceCNN((4, 5), convolutions=1)
TRAINED = TrainedNetwork(SETTINGS.build(2), SETTINGS, ["Ada", "Grace"], 48, 0.8)


def test_a_run_is_named_by_its_folder_or_a_file_in_it(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints" / "best.ckpt"
    file.parent.mkdir()
    file.touch()
    assert run_folder(tmp_path) == run_folder(file.parent) == run_folder(file) == tmp_path
    alone = tmp_path / "alone.ckpt"
    alone.touch()
    assert run_folder(alone) == tmp_path


def test_without_a_config_it_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"has no config\.yaml.* `config`, such as configs/orl\.yaml"
    ):
        measured_on(tmp_path, None, TRAINED)


def test_photos_are_cut_as_the_network_was_shown_them(tmp_path: Path) -> None:
    """Whatever window their config says."""
    data = measured_on(tmp_path, Path("configs/orl.yaml"), TRAINED)
    assert (data.window, data.crop_settings.face_scale) == (48, 0.8)
    assert data.windows(data.split.rows["test"][:2]).shape == (2, 3, 48, 48)


def test_faces_are_counted_from_the_left(tmp_path: Path) -> None:
    two = np.concatenate([draw_face(0), draw_face(1)], axis=1)
    Image.fromarray(two).save(tmp_path / "a.png")
    Image.fromarray(draw_face(2)).save(tmp_path / "b.png")
    Image.fromarray(np.full((80, 80, 3), 90, np.uint8)).save(tmp_path / "nobody.png")
    (tmp_path / "text.jpg").write_text("no photo")
    faces, notes = find_faces([tmp_path], TRAINED)
    titles = ["a.png, face 1 from the left", "a.png, face 2 from the left", "b.png"]
    assert [title for title, _ in faces] == titles
    (alone,), _ = find_faces([tmp_path / "b.png"], TRAINED)
    assert torch.equal(faces[2][1], alone[1])
    assert alone[1].shape == (3, 48, 48)
    assert notes == ["nobody.png: no face was found.", "text.jpg could not be read: not an image."]


def test_examples_are_the_first_test_photos_of_people(orl: FaceDataModule) -> None:
    faces = example_faces(orl)
    assert [title for title, _ in faces] == [
        f"{orl.people[person]} (test photo)" for person in (0, 13, 26)
    ]
    rows = orl.split.rows["test"]
    for person, (_, window) in zip((0, 13, 26), faces, strict=True):
        first = rows[orl.split.labels[rows] == person][:1]
        assert torch.equal(window, orl.windows(first)[0])
