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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import numpy as np

from facenet_demo.data.crops import crops_folder
from facenet_demo.data.datamodule import DataSettings, FaceDataModule
from facenet_demo.data.sources import ORL, Folder
from facenet_demo.data.stored import IMAGES, PHOTO, Crops, write_index
from facenet_demo.networks import FaceCNN
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text, write_json
from facenet_demo.training.cli import quieten_libraries
from facenet_demo.training.task import FaceTask

_EVERY = 0.05  # seconds between two looks


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
    crops = DataSettings(ORL()).build().crops
    megabytes: list[list[float]] = [[] for _ in num_photos]
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / str(count) for count in num_photos]
        for folder, count in zip(folders, num_photos, strict=True):
            _fill(folder, crops, count)
        trainings = list(zip(folders, num_photos, megabytes, strict=True))
        for _ in range(repeats):
            for folder, count, found in trainings:
                found.append(_training(folder, count, channels))
    return Growth(list(num_photos), megabytes)


def _training(folder: Path, count: int, channels: tuple[int, ...]) -> float:
    """The megabytes of one training, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(folder, channels, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise UserError(f"Training on {count} photos failed; see above.") from None
    finally:
        process.join()


def _fill(folder: Path, crops: Crops, count: int) -> None:
    """Make a folder of the photos of ORL again and again, and a cache with its crops."""
    if shutil.disk_usage(folder.parent).free < count * crops.images[0].nbytes:
        raise UserError(f"{count} crops do not fit into {folder}. Set TMPDIR to a larger folder.")
    for number, row in enumerate(itertools.islice(itertools.cycle(range(len(crops))), count)):
        link = folder / "photos" / crops.people[row] / f"{number}.pgm"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(crops.files[row])
    data = _data(folder)
    samples, settings = list(data.source.samples()), data.crop_settings
    made = crops_folder(samples, settings, folder)
    made.mkdir(parents=True)
    rounds, rows = np.divmod([int(sample.path.stem) for sample in samples], len(crops))
    # Lines and columns in another order each round, or all would be near duplicates.
    sides = np.tile(np.arange(settings.size), (rounds.max() + 1, 2, 1))
    orders = np.random.default_rng(0).permuted(sides, axis=2)
    with (made / IMAGES).open("wb") as file:
        for row, (lines, columns) in zip(rows, orders[rounds], strict=True):
            crops.images[row, lines][:, columns].tofile(file)
    photos = np.zeros(count, PHOTO)
    for name in PHOTO.names or ():
        photos[name] = getattr(crops, name)[rows]
    photos["digests"] = np.random.default_rng(0).integers(0, 256, (count, 32))
    people, files = (s.person for s in samples), (as_text(s.path) for s in samples)
    write_index(made, settings, photos, people, files, [])


def _data(folder: Path) -> FaceDataModule:
    return DataSettings(Folder(folder / "photos")).build()


def _train(
    folder: Path, channels: tuple[int, ...], result: multiprocessing.connection.Connection
) -> None:
    quieten_libraries()
    os.environ["FACENET_DEMO_CACHE"] = str(folder)
    with _Peak() as peak:
        data = _data(folder)
        write_json(folder / "splits.json", data.split.record(data.crops))
        task = FaceTask(data.facts, FaceCNN(channels))
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
