"""What the crop cache saves against torchvision's ImageFolder, and many cores in making it.

loader_against_image_folder(repeats=5, lfw_root=Path("lfw_funneled"))
training_against_image_folder(repeats=5, lfw_root=Path("lfw_funneled"))
threads_against_one(repeats=5, lfw_root=Path("lfw_funneled"))
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from facenet_demo.benchmarks.cost import Comparison, compare
from facenet_demo.data.crops import prepare_crops
from facenet_demo.data.datamodule import DataSettings, FaceDataModule
from facenet_demo.data.sources import LFW
from facenet_demo.data.splits import SplitSettings
from facenet_demo.networks import FaceCNN
from facenet_demo.training.optimization import SGD

_MIN_PHOTOS = 20
_NUM_PREPARED = 1000
_BATCH_SIZE = 64


@dataclass(frozen=True)
class Training:
    """What came of it.

    Attributes:
        comparison: seconds of an epoch.
        waiting: share of its time, in [0, 1], in which the network waited for photos: from the crop
            cache, and
        peer_waiting: from ImageFolder.
    """

    comparison: Comparison
    waiting: float
    peer_waiting: float

    def __str__(self) -> str:
        return (
            f"{self.comparison}\nThe network waits for photos {self.waiting:.1%} of the time, with "
            f"ImageFolder {self.peer_waiting:.1%}."
        )


def loader_against_image_folder(repeats: int, lfw_root: Path) -> Comparison:
    """A pass over LFW's photos from the crop cache against torchvision's ImageFolder.

    ImageFolder decodes each photo, resizes it to the window and makes a batch of floats, in two
    worker processes; the crop cache hands out windows of the same size, in this process.
    """
    data = _data(lfw_root)
    photos = _image_folder(data, lfw_root, data.window, transforms.ToTensor())

    def from_cache() -> int:
        return sum(len(data.centre_window(batch.images)) for batch in data.train_dataloader())

    def from_folder() -> int:
        return sum(len(images) for images, _ in _loader(photos))

    return compare("crop cache", from_cache, "ImageFolder", from_folder, repeats)


def training_against_image_folder(repeats: int, lfw_root: Path) -> Training:
    """An epoch of a plain training loop on LFW, fed from either; all else is the same.

    ImageFolder's photos are resized to the size of a stored crop, and both are varied alike.
    """
    data = _data(lfw_root)
    photos = _image_folder(data, lfw_root, data.crop_settings.size, transforms.PILToTensor())
    network = FaceCNN().build(len(photos.classes)).to(memory_format=torch.channels_last)
    optimizer = SGD().build(network)
    waited = {"cache": 0.0, "folder": 0.0}

    def epoch(name: str, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
        since = time.perf_counter()
        for images, labels in batches:
            waited[name] += time.perf_counter() - since
            windows = data.random_window(images).contiguous(memory_format=torch.channels_last)
            loss = torch.nn.functional.cross_entropy(network(windows), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            since = time.perf_counter()

    comparison = compare(
        "training from the crop cache",
        lambda: epoch("cache", (batch[:2] for batch in data.train_dataloader())),
        "from ImageFolder",
        lambda: epoch("folder", _loader(photos)),
        repeats,
    )
    return Training(
        comparison,
        waited["cache"] / sum(comparison.seconds),
        waited["folder"] / sum(comparison.peer_seconds),
    )


def threads_against_one(repeats: int, lfw_root: Path) -> Comparison:
    """Finding and aligning the faces of some photos of LFW with a thread on each core, and one."""
    data = _data(lfw_root)
    samples = list(islice(data.source.samples(), _NUM_PREPARED))

    def prepare(num_threads: int | None) -> None:
        with tempfile.TemporaryDirectory() as cache:
            prepare_crops(samples, data.crop_settings, Path(cache), num_threads)

    return compare("all cores", lambda: prepare(None), "one", lambda: prepare(1), repeats)


def _data(lfw_root: Path) -> FaceDataModule:
    split = SplitSettings(val=0, test=0, min_photos=_MIN_PHOTOS)
    return DataSettings(LFW(lfw_root), split=split, batch_size=_BATCH_SIZE).build()


def _image_folder(
    data: FaceDataModule, lfw_root: Path, size: int, to_tensor: Callable[[Any], torch.Tensor]
) -> datasets.ImageFolder:
    """The photos of the people that `data` names."""
    resize = transforms.Resize((size, size))
    photos = datasets.ImageFolder(str(lfw_root), transforms.Compose([resize, to_tensor]))
    named = {photos.class_to_idx[person] for person in data.people}
    photos.samples = [sample for sample in photos.samples if sample[1] in named]
    return photos


def _loader(photos: datasets.ImageFolder) -> DataLoader:
    return DataLoader(photos, batch_size=_BATCH_SIZE, shuffle=True, num_workers=2)
