from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from facenet_demo.predict import Predictor
from facenet_demo.predict.export import check, export
from facenet_demo.predict.export_command import main
from facenet_demo.predict.models import OnnxModel, Scores, TorchModel, load_model
from facenet_demo.system.errors import UserError

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def onnx_path(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert main([str(run_folder), str(path)]) == 0
    return path


def test_the_file_alone_answers_as_the_network(
    onnx_path: Path, predictor: Predictor, orl_windows: torch.Tensor
) -> None:
    """Read by onnxruntime with no help of ours, in batches of several sizes."""
    session = onnxruntime.InferenceSession(onnx_path.read_bytes())
    ours = predictor.model(orl_windows)
    for batch in (1, 5, 32):
        probabilities, logits, embedding = session.run(
            ["probabilities", "logits", "embedding"], {"windows": orl_windows[:batch].numpy()}
        )
        assert np.abs(logits - ours.logits[:batch].numpy()).max() <= 1e-4
        assert np.array_equal(logits.argmax(1), ours.logits[:batch].argmax(1).numpy())
        expected = (ours.logits[:batch] / predictor.model.calibration.temperature).softmax(1)
        np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)


def test_it_says_what_one_must_know(onnx_path: Path, predictor: Predictor) -> None:
    exported, model = load_model(onnx_path), predictor.model
    assert isinstance(exported, OnnxModel)
    for name in ("people", "window", "face_scale", "calibration", "digest"):
        assert getattr(exported, name) == getattr(model, name)


def test_photos_get_the_same_names(onnx_path: Path, predictor: Predictor, orl_root: Path) -> None:
    files = [orl_root / f"s{person}/10.pgm" for person in range(1, 9)]
    for ours, theirs in zip(predictor(files), Predictor(onnx_path)(files), strict=True):
        assert [f.name for f in ours.faces] == [f.name for f in theirs.faces]
        for a, b in zip(ours.faces, theirs.faces, strict=True):
            assert a.probability == pytest.approx(b.probability, abs=1e-4)
            assert a.box == b.box


def test_a_gallery_is_of_both(onnx_path: Path, predictor: Predictor, orl_root: Path) -> None:
    people = orl_root  # any folder of people does; enrolled with one, used with the other
    gallery = Predictor(onnx_path, gallery=_two_people(people, onnx_path.parent)).namer
    (face,) = Predictor(predictor.model, gallery=gallery, threshold=-1.0)(
        orl_root / "s31/4.pgm"
    ).faces
    assert face.name == "s31"


def _two_people(root: Path, folder: Path) -> Path:
    people = folder / "people"
    for person in ("s31", "s32"):
        (people / person).mkdir(parents=True)
        for number in (1, 2):
            (people / person / f"{number}.pgm").symlink_to(root / person / f"{number}.pgm")
    return people


class Off(TorchModel):
    """Answers a little differently, or names another person."""

    def __init__(self, model: TorchModel, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        vars(self).update(vars(model))
        self.change = change

    def __call__(self, windows: torch.Tensor) -> Scores:
        scores = super().__call__(windows)
        return scores._replace(logits=self.change(scores.logits))


@pytest.mark.parametrize(
    "change", [lambda x: x + 2e-4, lambda x: x * float("nan"), lambda x: x.flip(1)]
)
def test_a_file_that_answers_differently_is_told(
    change: Callable, onnx_path: Path, predictor: Predictor
) -> None:
    exported = load_model(onnx_path)
    assert isinstance(exported, OnnxModel)
    assert check(predictor.model, exported).difference <= 1e-4
    with pytest.raises(UserError, match="answers differently"):
        check(Off(predictor.model, change), exported)


def test_it_is_then_not_kept(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = predictor.model
    assert isinstance(model, TorchModel)
    with pytest.raises(UserError, match="answers differently"):
        export(Off(model, lambda x: x + 1), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_without_its_packages_it_names_them(
    predictor: Predictor, onnx_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime", "onnx"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(UserError, match=r"pip install onnx.*the extra onnx"):
        export(predictor.model, tmp_path / "a.onnx")
    with pytest.raises(UserError, match="pip install onnxruntime"):
        load_model(onnx_path)


def test_wrong_use_is_exit_code_2(
    run_folder: Path, onnx_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for args, says in (
        ([str(tmp_path / "gone")], "no checkpoint"),
        ([str(onnx_path)], "already"),
        ([str(run_folder), str(tmp_path / "a.pt")], ".onnx"),
        ([str(run_folder), "/proc/none/a.onnx"], "cannot be written"),
    ):
        assert main(args) == 2
        assert says in capsys.readouterr().err.replace("\n", " ")
