"""What tests share: a cache of their own, drawn people, and the real data sets where they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: threads would only wait
    os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import pytest
import torch
from drawing import draw_people

from facenet_demo.data.datamodule import DataSettings, FaceDataModule
from facenet_demo.data.sources import ORL
from facenet_demo.data.splits import SplitSettings

# In a shell's background it is ignored, here and in all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of this test session; the user's own is never touched."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["FACENET_DEMO_CACHE"] = str(folder)
    return folder


@pytest.fixture(autouse=True)
def _own_number_of_threads() -> Iterator[None]:
    """Sums depend on it in their last bit; a command that chooses another must not pass it on."""
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(torch_threads)
    cv2.setNumThreads(cv2_threads)


@pytest.fixture
def deep_folder(tmp_path: Path) -> Iterator[Path]:
    """1,100 folders, one in the other, deeper than Python calls functions."""
    folders = [tmp_path / "deep"]
    while len(folders) < 1100:
        folders.append(folders[-1] / "d")
    for folder in folders:
        folder.mkdir()
    yield folders[-1]
    for folder in filter(Path.is_dir, reversed(folders)):  # pytest would call itself as often
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


@pytest.fixture(scope="session")
def people_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 drawn people, 6 photos each; read only."""
    return draw_people(tmp_path_factory.mktemp("people"), num_people=3, num_photos=6)


@pytest.fixture(scope="session")
def orl() -> FaceDataModule:
    """The ORL faces, prepared, 1 photo to validate and 5 to test per person; read only."""
    return DataSettings(ORL(), split=SplitSettings(val=1, test=5)).build()


@pytest.fixture(scope="session")
def lfw_folder() -> Path:
    """The folder lfw_funneled, from $FACENET_DEMO_LFW or beside the project."""
    named = os.environ.get("FACENET_DEMO_LFW")
    shared = Path(__file__).parents[2] / "shared/datasets/lfw_funneled"
    folder = Path(named) if named else shared
    if not folder.is_dir():
        pytest.skip(f"needs LFW: {folder} does not exist; name it in FACENET_DEMO_LFW")
    return folder
