"""How much memory training takes, by the number of photos.

    growth = run([3_000, 13_000, 100_000])
    growth.megabytes

Crops lie in a file that is mapped, and pages of it that were read can be dropped at any time: what
counts is anonymous memory, which cannot. Each training is one epoch in a process of its own.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import numpy as np

from facenet_demo.cli import quieten_libraries
from facenet_demo.datamodule import FaceDataModule
from facenet_demo.datasets import ORL
from facenet_demo.faces.crops import Crops
from facenet_demo.networks import FaceCNN
from facenet_demo.records import UserError
from facenet_demo.splits import Split, SplitSettings, make_split
from facenet_demo.tasks.classification import ClassificationTask

_EVERY = 0.05  # seconds between two looks


@dataclass(frozen=True)
class Growth:
    """What came of it.

    Attributes:
        num_photos: trained on.
        megabytes: most anonymous memory of the process at any time, 2^20 bytes.
    """

    num_photos: list[int]
    megabytes: list[float]

    def __str__(self) -> str:
        return "; ".join(
            f"{count} photos: {size:.0f} MB ({size - self.megabytes[0]:+.0f})"
            for count, size in zip(self.num_photos, self.megabytes, strict=True)
        )


def run(num_photos: Sequence[int], channels: tuple[int, ...] = (16, 24, 48, 96)) -> Growth:
    """Train once for each number of photos, which are those of ORL again and again.

    Args:
        num_photos: how many each time.
        channels: of the network.

    Raises:
        UserError: where the system does not tell a process its memory.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        raise UserError("Only Linux tells a process how much memory is its own: no smaps_rollup.")
    crops = FaceDataModule(ORL()).crops
    context = multiprocessing.get_context("spawn")
    found = []
    for count in num_photos:
        with tempfile.TemporaryDirectory() as folder:
            _fill(Path(folder) / "images.u8", crops.images, count)
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_train, args=(Path(folder), count, channels, theirs))
            process.start()
            theirs.close()
            try:
                found.append(ours.recv())
            except EOFError:
                raise UserError(f"Training on {count} photos failed; see above.") from None
            finally:
                process.join()
    return Growth(list(num_photos), found)


def _fill(path: Path, images: np.ndarray, count: int) -> None:
    if shutil.disk_usage(path.parent).free < count * images[0].nbytes:
        raise UserError(
            f"{count} crops do not fit into {path.parent}. Set TMPDIR to a folder with more space."
        )
    with path.open("wb") as file:
        for start in range(0, count, len(images)):
            images[: count - start].tofile(file)


def _train(
    folder: Path,
    count: int,
    channels: tuple[int, ...],
    result: multiprocessing.connection.Connection,
) -> None:
    quieten_libraries()
    data = FaceDataModule(ORL())
    crops, split = _repeated(data.crops, folder / "images.u8", count)
    vars(data)["crops"], vars(data)["split"] = crops, split  # instead of what would be made
    task = ClassificationTask(data.people, data.window, network=FaceCNN(channels))
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    with _Peak() as peak:
        trainer.fit(task, data)
    result.send(peak.megabytes)


def _repeated(crops: Crops, images: Path, count: int) -> tuple[Crops, Split]:
    """The crops again and again, each with a name of its own, and all of them to train on."""
    own = np.resize(np.arange(len(crops)), count)
    split = make_split(crops, SplitSettings(val=0, test=0))
    many = Crops(
        images=np.memmap(images, np.uint8, "r", shape=(count, *crops.images.shape[1:])),
        people=[crops.people[row] for row in own],
        files=[f"{crops.files[row]} {number}" for number, row in enumerate(own)],
        digests=[f"{number:064x}" for number in range(count)],
        detected=crops.detected[own],
        landmarks=crops.landmarks[own],
        transforms=crops.transforms[own],
        num_faces=crops.num_faces[own],
        left_out=[],
    )
    rows = {"train": np.arange(count), "val": np.arange(0), "test": np.arange(0)}
    return many, Split(split.people, split.labels[own], rows, {})


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
