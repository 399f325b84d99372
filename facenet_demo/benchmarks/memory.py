"""How much memory training takes, by the number of photos.

    growth = run([3_000, 13_000, 100_000], repeats=3)
    growth.megabytes

What is stored lies in files that are mapped, and pages of them that were read can be dropped at any
time: what counts is anonymous memory, which cannot. Each training is one epoch in a process of its
own, from the list of photos on.
"""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.connection
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import lightning.pytorch as pl
import numpy as np

from facenet_demo.cli import quieten_libraries
from facenet_demo.datamodule import FaceDataModule
from facenet_demo.datasets import ORL, FaceSource
from facenet_demo.faces.crops import IMAGES, PHOTO, Crops, crops_folder, write_index
from facenet_demo.networks import FaceCNN
from facenet_demo.records import Sample, UserError
from facenet_demo.storage import as_text, write_json
from facenet_demo.tasks.classification import ClassificationTask

_EVERY = 0.05  # seconds between two looks


@dataclass(frozen=True)
class Repeated(FaceSource):
    """The photos of ORL again and again, each time under names of their own.

    Args:
        num_photos: how many.
    """

    title: ClassVar[str] = f"{ORL.title}, repeated"
    terms: ClassVar[str] = ORL.terms
    citation: ClassVar[str] = ORL.citation

    num_photos: int

    def samples(self) -> Iterator[Sample]:
        photos = itertools.cycle(ORL().samples())
        for number, photo in enumerate(itertools.islice(photos, self.num_photos)):
            yield Sample(photo.path.with_name(f"{number} {photo.path.name}"), photo.person)


@dataclass(frozen=True)
class Growth:
    """What came of it.

    Attributes:
        num_photos: trained on.
        megabytes: for each of them, each time, the most anonymous memory of the process at any
            time, 2^20 bytes.
    """

    num_photos: list[int]
    megabytes: list[list[float]]

    def __str__(self) -> str:
        least = float(np.median(self.megabytes[0]))
        return "\n".join(
            f"{count} photos: {np.median(sizes):.0f} MB ({min(sizes):.0f} to {max(sizes):.0f}), "
            f"{np.median(sizes) - least:+.0f}"
            for count, sizes in zip(self.num_photos, self.megabytes, strict=True)
        )


def run(
    num_photos: Sequence[int], repeats: int, channels: tuple[int, ...] = (16, 24, 48, 96)
) -> Growth:
    """Train on each number of photos, in turn; they are those of ORL again and again.

    Args:
        num_photos: how many each time.
        repeats: how often.
        channels: of the network.

    Raises:
        UserError: where the system does not tell a process its memory.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        raise UserError("Only Linux tells a process how much memory is its own: no smaps_rollup.")
    crops = FaceDataModule(ORL()).crops
    megabytes: list[list[float]] = [[] for _ in num_photos]
    with tempfile.TemporaryDirectory() as folder:
        caches = [Path(folder) / str(count) for count in num_photos]
        for cache, count in zip(caches, num_photos, strict=True):
            _fill(cache, crops, count)
        trainings = list(zip(caches, num_photos, megabytes, strict=True))
        for _ in range(repeats):
            for cache, count, found in trainings:
                found.append(_training(cache, count, channels))
    return Growth(list(num_photos), megabytes)


def _training(cache: Path, count: int, channels: tuple[int, ...]) -> float:
    """The megabytes of one training, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(cache, count, channels, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise UserError(f"Training on {count} photos failed; see above.") from None
    finally:
        process.join()


def _fill(cache: Path, crops: Crops, count: int) -> None:
    """Put the crops of `Repeated(count)` into a cache, without looking for 100,000 faces."""
    if shutil.disk_usage(cache.parent).free < count * crops.images[0].nbytes:
        raise UserError(f"{count} crops do not fit into {cache}. Set TMPDIR to a larger folder.")
    data = FaceDataModule(Repeated(count))
    samples, settings = list(data.source.samples()), data.crop_settings
    folder = crops_folder(samples, settings, cache)
    folder.mkdir(parents=True)
    with (folder / IMAGES).open("wb") as file:
        for start in range(0, count, len(crops)):
            # Lines and columns in another order each time, or all would be near duplicates.
            lines, columns = (
                np.random.default_rng([start, axis]).permutation(settings.size) for axis in (0, 1)
            )
            crops.images[: count - start, lines][:, :, columns].tofile(file)
    photos = np.zeros(count, PHOTO)
    for name in PHOTO.names or ():
        photos[name] = np.resize(getattr(crops, name), photos[name].shape)
    photos["digests"] = np.random.default_rng(0).integers(0, 256, (count, 32))
    people, files = (s.person for s in samples), (as_text(s.path) for s in samples)
    write_index(folder, settings, photos, people, files, [])


def _train(
    cache: Path,
    count: int,
    channels: tuple[int, ...],
    result: multiprocessing.connection.Connection,
) -> None:
    quieten_libraries()
    os.environ["FACENET_DEMO_CACHE"] = str(cache)
    with _Peak() as peak:
        data = FaceDataModule(Repeated(count))
        write_json(cache / "splits.json", data.split.record(data.crops))
        task = ClassificationTask(data.people, data.window, network=FaceCNN(channels))
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(task, data)
    result.send(peak.megabytes)


class _Peak:
    """The most anonymous memory of this process while the block runs."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
            (kilobytes,) = (line.split()[1] for line in lines if line.startswith("Anonymous:"))
            self.megabytes = max(self.megabytes, int(kilobytes) / 1024)
            if self._done.wait(_EVERY):
                return
