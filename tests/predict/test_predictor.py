from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facenet_demo import predict
from facenet_demo.faces.photos import read_image
from facenet_demo.predict import Predictor
from facenet_demo.predict.models import TorchModel
from facenet_demo.system.errors import UserError


def photos(root: Path, people: range, numbers: range) -> list[Path]:
    return [root / f"s{person}/{number}.pgm" for person in people for number in numbers]


@pytest.mark.parametrize("name", predict.__all__)
def test_the_room_says_what_it_offers(name: str) -> None:
    assert getattr(predict, name).__name__ == name
    assert name in dir(predict)


def test_the_room_offers_nothing_else() -> None:
    with pytest.raises(AttributeError, match=r"'facenet_demo\.predict' has no attribute"):
        predict.forecast  # noqa: B018


def test_people_are_named_and_strangers_are_not(predictor: Predictor, orl_root: Path) -> None:
    """On photos that set neither the head nor temperature and threshold."""
    known = predictor(photos(orl_root, range(1, 7), range(9, 11)))
    right = [r.faces[0].guesses[0].name == Path(r.file).parent.name for r in known]
    assert np.mean(right) >= 0.9
    strangers = predictor(photos(orl_root, range(10, 13), range(1, 11)))
    named = [face.name is not None for r in strangers for face in r.faces]
    assert np.mean(named) <= 0.25


def test_the_figures_are_those_of_network_and_calibration(
    predictor: Predictor, orl_root: Path
) -> None:
    path = orl_root / "s3/9.pgm"
    (face,) = predictor(path).faces
    model = predictor.model
    assert isinstance(model, TorchModel)
    windows = predictor.windows(path)
    _, logits = model.network.recognize(windows)
    probability = (logits / model.calibration.temperature).softmax(1)[0]
    best = probability.sort(descending=True)
    assert [g.name for g in face.guesses] == [f"s{i + 1}" for i in best.indices[:3].tolist()]
    expected = best.values[:3].tolist()
    assert [g.probability for g in face.guesses] == pytest.approx(expected, abs=1e-5)
    assert face.probability == face.guesses[0].probability
    assert face.certainty == pytest.approx(logits.softmax(1).max().item(), abs=1e-5)
    assert (face.name is not None) == (face.certainty > model.calibration.threshold)
    x1, y1, x2, y2 = face.box
    assert face.size == round(max(x2 - x1, y2 - y1))
    assert len(face.landmarks) == 5
    assert 0.7 < face.detector_score <= 1


def test_one_is_a_result_and_many_are_a_list(predictor: Predictor, orl_root: Path) -> None:
    paths = photos(orl_root, range(1, 3), range(1, 4))
    each = [predictor(path) for path in paths]
    assert predictor(paths) == predictor(tuple(map(str, paths))) == each
    images = np.stack([read_image(path) for path in paths])
    from_memory = [replace(result, file=None) for result in each]
    assert predictor(images) == from_memory
    assert predictor(torch.from_numpy(images).permute(0, 3, 1, 2)) == from_memory
    assert predictor(Image.open(paths[0])) == from_memory[0]
    assert predictor([]) == []


def test_results_are_frozen_and_hash(predictor: Predictor, orl_root: Path) -> None:
    result = predictor(orl_root / "s1/1.pgm")
    assert len({result, predictor(orl_root / "s1/1.pgm")}) == 1
    with pytest.raises(FrozenInstanceError):
        result.faces[0].name = "Ada"


def test_threads_get_the_answers_of_one(predictor: Predictor, orl_root: Path) -> None:
    paths = photos(orl_root, range(1, 5), range(1, 6))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(predictor, paths))
    assert together == [predictor(path) for path in paths]


def test_a_stream_takes_only_what_it_needs(predictor: Predictor) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield np.zeros((30, 30, 3), np.uint8)

    results = predictor.stream(endless(), num_threads=2)
    for _ in range(10):
        assert next(results).faces == ()
    results.close()
    assert taken <= 10 + 2 * 2 + 1


def test_a_bad_file_is_a_result_and_stops_nothing(
    predictor: Predictor, orl_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    results = predictor([tmp_path / "text.jpg", tmp_path / "gone.jpg", orl_root / "s1/1.pgm"])
    assert [r.error for r in results] == ["not an image", "no such file", None]
    assert [len(r.faces) for r in results] == [0, 0, 1]


def test_embeddings_have_length_1_and_bring_one_person_together(
    predictor: Predictor, orl_windows: torch.Tensor
) -> None:
    embeddings = predictor.embed(orl_windows)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(len(orl_windows)))
    similarity = embeddings @ embeddings.T
    same = torch.arange(len(embeddings)) // 10
    same = same[:, None] == same
    assert similarity[same].mean() > similarity[~same].mean() + 0.02
    assert predictor.embed(orl_windows[:0]).shape == (0, embeddings.shape[1])


@pytest.mark.parametrize(
    "faces",
    [torch.zeros(1, 3, 47, 48), torch.zeros(3, 48, 48), torch.full((1, 3, 48, 48), 2.0),
     torch.zeros(1, 3, 48, 48, dtype=torch.uint8)],
)  # fmt: skip
def test_what_are_no_faces_cannot_be_embedded(predictor: Predictor, faces: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="aces"):
        predictor.embed(faces)


# Strangers


def test_the_threshold_can_be_moved(run_folder: Path, orl_root: Path) -> None:
    path = orl_root / "s1/9.pgm"
    assert Predictor(run_folder, threshold=0.0)(path).faces[0].name == "s1"
    assert Predictor(run_folder, threshold=1.0)(path).faces[0].name is None


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_a_false_accept_rate_is_that_of_the_validation_strangers(
    run_folder: Path, orl_root: Path, rate: float
) -> None:
    predictor = Predictor(run_folder, false_accept_rate=rate)
    results = predictor(photos(orl_root, range(7, 10), range(1, 11)))
    accepted = [
        max(r.faces, key=lambda f: f.size).name is not None for r in results
    ]  # those 30 photos set the threshold
    assert sum(accepted) == pytest.approx(rate * 30, abs=1)
    # 30 photos can promise no less than one in 31.
    assert f"{max(rate, 1 / 31):.1%}" in predictor.namer.rule()


def test_a_checkpoint_without_strangers_says_so(predictor: Predictor, run_folder: Path) -> None:
    model = predictor.model
    bare = TorchModel.__new__(TorchModel)
    vars(bare).update(vars(model))
    bare.calibration = replace(model.calibration, threshold=None, outsider_certainty=())
    assert "Everybody gets a name" in Predictor(bare).namer.rule()
    with pytest.raises(UserError, match="no scores of strangers"):
        Predictor(bare, false_accept_rate=0.1)


def test_settings_that_contradict_each_other_are_an_error(run_folder: Path) -> None:
    with pytest.raises(UserError, match="not both"):
        Predictor(run_folder, threshold=0.5, false_accept_rate=0.1)
    for nowhere in (95, -0.1, float("nan")):
        with pytest.raises(UserError, match=rf"must be in \[0, 1\], not {nowhere}"):
            Predictor(run_folder, threshold=nowhere)
    with pytest.raises(UserError, match="gallery"):
        Predictor(run_folder, strangers="here")
    with pytest.raises(UserError, match="below 1"):
        Predictor(run_folder, false_accept_rate=1.5)
