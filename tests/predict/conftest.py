"""A network that knows six of the ORL people, made in a second: random features, a fitted head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facenet_demo.data.crops import prepare_crops
from facenet_demo.data.sources import ORL
from facenet_demo.data.stored import Crops, CropSettings
from facenet_demo.data.windows import CentreWindow
from facenet_demo.faces.align import crop_size
from facenet_demo.networks import FaceCNN
from facenet_demo.networks.calibration import calibrate
from facenet_demo.networks.checkpoints import KEY, describe
from facenet_demo.predict import Predictor

WINDOW, FACE_SCALE = 48, 0.8
KNOWN, STRANGERS = 6, 6
SETTINGS = FaceCNN(channels=(8, 16, 32), grid=6, normalization="none")


@pytest.fixture(scope="session")
def orl_root() -> Path:
    """The folder with s1/1.pgm and the others."""
    return ORL().samples()[0].path.parent.parent


@pytest.fixture(scope="session")
def orl_crops(cache: Path) -> Crops:
    """The first people of ORL, known ones and strangers, as training prepares them."""
    samples = ORL().samples()[: (KNOWN + STRANGERS) * 10]
    return prepare_crops(samples, CropSettings(crop_size(WINDOW), WINDOW, FACE_SCALE), cache)


@pytest.fixture(scope="session")
def orl_windows(orl_crops: Crops) -> torch.Tensor:
    """What training shows a network of them, `(N, 3, W, W)`."""
    stored = torch.from_numpy(orl_crops.images.copy()).permute(0, 3, 1, 2)
    return CentreWindow(WINDOW)(stored)


@pytest.fixture(scope="session")
def run_folder(orl_windows: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that knows s1 to s6, from the first five photos of each; s7 to s12 are strangers."""
    torch.manual_seed(0)
    network = SETTINGS.build(KNOWN).eval()
    windows = orl_windows.view(KNOWN + STRANGERS, 10, 3, WINDOW, WINDOW)
    known, strangers = windows[:KNOWN], windows[KNOWN:].flatten(0, 1)
    with torch.no_grad():
        features = network.recognize(known[:, :5].flatten(0, 1))[0].double()
        features = torch.cat([features, torch.ones(len(features), 1)], 1)
        target = torch.eye(KNOWN).repeat_interleave(5, 0).double()
        gram = features @ features.T + 0.01 * torch.eye(len(features))
        fitted = (features.T @ torch.linalg.solve(gram, target)).float().T  # ridge regression
        network.classifier.weight.copy_(10 * fitted[:, :-1])
        network.classifier.bias.copy_(10 * fitted[:, -1])
        _, logits = network.recognize(known[:, 5:8].flatten(0, 1))
        _, outside = network.recognize(strangers[:30])
    calibration = calibrate(logits, torch.arange(KNOWN).repeat_interleave(3), outside, 0.1)
    described = describe(SETTINGS, [f"s{i + 1}" for i in range(KNOWN)], WINDOW, FACE_SCALE)
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    folder = tmp_path_factory.mktemp("runs") / "orl-1"
    (folder / "checkpoints").mkdir(parents=True)
    content = {KEY: {**described, "calibration": vars(calibration)}, "state_dict": weights}
    torch.save(content, folder / "checkpoints/best.ckpt")
    return folder


@pytest.fixture(scope="session")
def predictor(run_folder: Path) -> Predictor:
    """Names s1 to s6."""
    return Predictor(run_folder)
