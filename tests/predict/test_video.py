from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facenet_demo.faces.photos import ImageError, read_image
from facenet_demo.predict import Predictor
from facenet_demo.predict.results import VideoResult
from facenet_demo.predict.video import frame_at, predict_video, read_frames, silence_opencv
from facenet_demo.system.errors import UserError

FPS, SECONDS = 10, 6
# Who is where when: person, from, to (seconds), x, y, pixels to the right each second.
SCENE = [(1, 0.0, 6.0, 20, 30, 30), (3, 1.0, 3.0, 300, 60, 0), (3, 5.0, 6.0, 300, 60, 0)]


@pytest.fixture(scope="module")
def video(orl_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """s1 walks through, s3 comes, goes and comes back."""
    path = tmp_path_factory.mktemp("video") / "party.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (480, 240))
    faces = {person: read_image(orl_root / f"s{person}/9.pgm") for person in (1, 3)}
    for number in range(FPS * SECONDS):
        time = number / FPS
        frame = np.full((240, 480, 3), 110, np.uint8)
        for person, start, end, x, y, speed in SCENE:
            if start <= time < end:
                left = round(x + speed * time)
                frame[y : y + 112, left : left + 92] = faces[person]
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="module")
def seen(predictor: Predictor, video: Path) -> VideoResult:
    return predict_video(Predictor(predictor.model, threshold=0.0), video, every=2)


def test_every_appearance_is_a_row_with_its_time(seen: VideoResult) -> None:
    assert seen.error is None
    assert seen.num_frames == FPS * SECONDS // 2
    assert [person.name for person in seen.appearances] == ["s1", "s3", "s3"]
    for person, (_, start, end, *_) in zip(seen.appearances, SCENE, strict=True):
        assert person.start == pytest.approx(start, abs=0.25)
        assert person.end == pytest.approx(end - 1 / FPS, abs=0.25)
        assert person.num_frames == pytest.approx((end - start) * FPS / 2, abs=2)


def test_rare_looks_do_not_cut_an_appearance_in_pieces(predictor: Predictor, video: Path) -> None:
    every = 11  # 1.1 seconds: a face moves by 33 of its 92 pixels
    seen = predict_video(Predictor(predictor.model, threshold=0.0), video, every)
    assert [(p.start, p.num_frames) for p in seen.appearances] == [(0, 6), (1.1, 2), (5.5, 1)]


def test_the_best_frame_shows_the_face_where_it_was(seen: VideoResult, video: Path) -> None:
    first = seen.appearances[0]
    left = 20 + 30 * first.best_time
    middle = (first.best.box[0] + first.best.box[2]) / 2
    assert middle == pytest.approx(left + 46, abs=12)
    assert first.best.name == first.name
    frame = frame_at(video, first.best_time)
    assert frame.shape == (240, 480, 3)
    darkest = frame[60, : round(left) - 3].astype(int)
    assert np.abs(darkest - 110).max() < 25, "the ground, left of the face"


def test_a_track_is_named_from_all_its_frames(
    predictor: Predictor, video: Path, seen: VideoResult
) -> None:
    logits = []
    for frame in read_frames(video, 2):
        read = predictor.reader(frame.pixels)
        logits += [
            predictor.model(read.windows[row : row + 1]).logits
            for row, face in enumerate(read.faces)
            if face.box[0] < 20 + 30 * frame.time + 60
        ]
    mean = sum(logits) / len(logits)
    expected = float(predictor.model.calibration.probability(mean).max())
    assert seen.appearances[0].probability == pytest.approx(expected, abs=1e-4)


def test_frames_are_every_nth_with_their_times(video: Path) -> None:
    times = [frame.time for frame in read_frames(video, 7)]
    assert times == pytest.approx([number / FPS for number in range(0, FPS * SECONDS, 7)], abs=0.01)


def test_a_video_without_faces_is_a_result_without(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    for _ in range(4):
        writer.write(np.full((48, 64, 3), 128, np.uint8))
    writer.release()
    assert predict_video(predictor, path, 1) == VideoResult(str(path), 4)


def test_what_is_no_video_is_a_result_that_says_so(
    predictor: Predictor, video: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:300])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    reasons = {
        "gone": "no such file",
        "empty": "empty file",
        "folder": "is a directory",
        "text": "not a video that can be read",
        "list": "not a video that can be read",
        "cut": "not a video that can be read",
    }
    for name, reason in reasons.items():
        assert predict_video(predictor, tmp_path / f"{name}.mp4").error == reason


def test_what_can_be_read_of_a_damaged_video_is_named(
    predictor: Predictor, video: Path, tmp_path: Path
) -> None:
    # An AVI's frames lie one after the other, and its head says how many there are.
    whole = tmp_path / "whole.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (480, 240))
    for frame in read_frames(video, 1):
        writer.write(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR))
    writer.release()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    seen = predict_video(predictor, cut, 10)
    assert len(seen.appearances) > 0
    assert seen.error is not None
    assert seen.error.startswith("damaged: ")
    assert predict_video(predictor, whole, 10).error is None


def test_wrong_use_is_said(predictor: Predictor, video: Path) -> None:
    with pytest.raises(UserError, match="not 0"):
        predict_video(predictor, video, every=0)
    with pytest.raises(ImageError, match="ends early"):
        frame_at(video, 99.0)


def test_older_versions_of_opencv_are_silenced_too(monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []
    monkeypatch.delattr(cv2.utils, "logging", raising=False)  # as up to 4.12
    monkeypatch.setattr(cv2, "setLogLevel", levels.append, raising=False)
    silence_opencv()
    assert levels == [0]
