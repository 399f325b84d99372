from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from facenet_demo.data import resident
from facenet_demo.data.batches import EpochBatches
from facenet_demo.data.datamodule import CropDataset, DataSettings, FaceDataModule
from facenet_demo.data.records import PADDED
from facenet_demo.data.resident import ResidentCrops, ResidentLoader, wanted
from facenet_demo.data.sources import Folder
from facenet_demo.data.splits import SplitSettings
from facenet_demo.system.errors import UserError

CPU = torch.device("cpu")


def make_data(root: Path, **settings: object) -> FaceDataModule:
    """Of 3 people with 6 photos each 9 photos teach, 3 choose, 6 judge."""
    split = SplitSettings(val=1, test=2)
    return DataSettings(
        Folder(root), **{"window": 32, "split": split, "batch_size": 4, **settings}
    ).build()


@pytest.fixture(scope="module")
def data(people_folder: Path) -> FaceDataModule:
    """Read only."""
    return make_data(people_folder)


@pytest.mark.parametrize("num_devices", [1, 2])
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_are_those_that_are_read_from_disk(
    data: FaceDataModule, shuffle: bool, num_devices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "_ROWS_AT_ONCE", 4)
    rows, labels = data.split.rows["train"], data.split.labels
    padded = 0
    for rank in range(num_devices):
        samplers = [
            EpochBatches(len(rows), 4, shuffle, rank=rank, num_devices=num_devices, done=(1, 1))
            for _ in range(2)
        ]
        read = DataLoader(
            CropDataset(data.crops, labels, rows), sampler=samplers[0], batch_size=None,
            collate_fn=lambda batch: batch,
        )  # fmt: skip
        kept = ResidentLoader(ResidentCrops(data.crops.images, labels, rows, CPU), samplers[1])
        assert len(kept) == len(read)
        for epoch in (1, 2):  # an epoch that goes on, and a whole one
            for sampler in samplers:
                sampler.set_epoch(epoch)
            for one, other in zip(kept, read, strict=True):
                for found, expected in zip(one, other, strict=True):
                    assert torch.equal(found, expected)
                    assert found.dtype == expected.dtype
                assert one.images.stride() == other.images.stride(), "or sums would differ"
                padded += (one.labels == PADDED).sum()
    assert (padded > 0) == (not shuffle and num_devices == 2)


def test_no_batch_reads_a_crop_again(data: FaceDataModule) -> None:
    images = np.array(data.crops.images)
    batches = EpochBatches(len(images), 4)
    loader = ResidentLoader(
        ResidentCrops(images, data.split.labels, np.arange(len(images)), CPU), batches
    )
    before = images.copy()
    images[:] = 0
    found = torch.cat([batch.images for batch in loader])
    assert np.array_equal(found.permute(0, 2, 3, 1).numpy(), before)


def test_a_quarter_of_a_gpus_free_memory_at_most_is_taken_unasked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not wanted("auto", 1, CPU), "a CPU reads them from disk"
    assert wanted("always", 1, CPU)
    monkeypatch.setattr(resident, "free_memory", lambda device: 4000)
    assert wanted("auto", 1000, CPU)
    assert not wanted("auto", 1001, CPU)
    assert wanted("always", 4000, CPU)
    assert not wanted("never", 1, CPU)
    with pytest.raises(UserError, match=r"`data.resident` always.*cpu has"):
        wanted("always", 4001, CPU)


def test_where_there_is_room_for_the_crops_of_all_stages_all_lie_on_the_device(
    people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room, kind in ((18, ResidentLoader), (17, DataLoader)):
        data = make_data(people_folder)
        free = 4 * room * data.crops.images[0].nbytes
        monkeypatch.setattr(resident, "free_memory", lambda device, free=free: free)
        loaders = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
        assert all(isinstance(loader, kind) for loader in loaders)
    monkeypatch.setattr(resident, "free_memory", lambda device: 10**9)
    workers = make_data(people_folder, num_workers=1)
    assert isinstance(workers.train_dataloader(), DataLoader), "they would have nothing to do"


def test_what_lies_on_the_device_is_neither_copied_nor_asked_for_again(
    people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_data(people_folder, resident="always")
    size = data.crops.images[0].nbytes
    rooms = iter([18 * size, 0])  # all of it is taken by the first
    monkeypatch.setattr(resident, "free_memory", lambda device: next(rooms))
    first, val, again = data.train_dataloader(), data.val_dataloader(), data.train_dataloader()
    assert first._crops is again._crops
    assert first._crops is not val._crops


def test_processes_that_would_read_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="num_workers 2 has no effect with resident always"):
        DataSettings(num_workers=2, resident="always")
