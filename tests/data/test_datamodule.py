from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from drawing import draw_people
from PIL import Image

from facenet_demo.data import datamodule
from facenet_demo.data.datamodule import DataSettings, FaceDataModule
from facenet_demo.data.records import STRANGER, Batch, Sample
from facenet_demo.data.sources import FaceSource, Folder
from facenet_demo.data.splits import SplitSettings
from facenet_demo.data.windows import AugmentSettings

WINDOW, MARGIN = 32, 8
OFF = AugmentSettings(shift=0, scale=0, rotation=0, flip=0, brightness=0, contrast=0, erase=0)


def make_data(root: Path, **settings: object) -> FaceDataModule:
    """Of 3 people with 6 photos each 9 photos teach, 3 choose, 6 judge."""
    split = SplitSettings(val=1, test=2)
    return DataSettings(
        Folder(root), **{"window": WINDOW, "split": split, "batch_size": 4, **settings}
    ).build()


@pytest.fixture(scope="module")
def data(people_folder: Path) -> FaceDataModule:
    """Read only."""
    return make_data(people_folder)


def rows_of(batches: Iterable[Batch]) -> list[int]:
    return [row for batch in batches for row in batch.rows.tolist()]


def centres(data: FaceDataModule, rows: Iterable[int]) -> np.ndarray:
    inside = slice(MARGIN, MARGIN + WINDOW)
    images = np.stack([data.crops.images[row][inside, inside] for row in rows])
    return images.transpose(0, 3, 1, 2) / np.float32(255)


def test_the_crops_have_a_margin_around_the_window(data: FaceDataModule) -> None:
    assert data.crops.images.shape == (18, WINDOW + 2 * MARGIN, WINDOW + 2 * MARGIN, 3)
    assert data.people == ["p0", "p1", "p2"]


@pytest.mark.parametrize("stage", ["train", "val", "test"])
def test_a_batch_holds_the_crops_and_people_of_its_rows(data: FaceDataModule, stage: str) -> None:
    batches = list(getattr(data, f"{stage}_dataloader")())
    for images, labels, rows, _ in batches:
        assert images.dtype == torch.uint8
        assert labels.dtype == rows.dtype == torch.int64
        stored = data.crops.images[rows.numpy()]
        assert np.array_equal(images.numpy(), stored.transpose(0, 3, 1, 2))
        assert [data.people[i] for i in labels] == [data.crops.people[row] for row in rows]
    sizes = {"train": [4, 4], "val": [3], "test": [4, 2]}
    assert [len(batch.labels) for batch in batches] == sizes[stage]


@pytest.mark.parametrize(
    ("batch_size", "expected"), [(1, 9), (2, 8), (4, 8), (9, 9), (20, 9)], ids=str
)
def test_an_epoch_shows_each_training_photo_once_save_those_of_a_last_part_batch(
    people_folder: Path, batch_size: int, expected: int
) -> None:
    data = make_data(people_folder, batch_size=batch_size)
    seen = rows_of(data.train_dataloader())
    assert len(seen) == len(set(seen)) == expected
    assert set(seen) <= set(data.split.rows["train"])


def test_another_training_does_not_go_on_where_one_before_was_interrupted(
    people_folder: Path,
) -> None:
    data = make_data(people_folder)
    whole = rows_of(data.train_dataloader())
    data.load_state_dict({"epochs": 0, "steps": 1})
    assert rows_of(data.train_dataloader()) == whole[4:]
    data.setup("fit")  # as the next Trainer does
    assert rows_of(data.train_dataloader()) == whole


def test_each_epoch_has_its_own_order(data: FaceDataModule) -> None:
    loader = data.train_dataloader()
    first = rows_of(loader)
    loader.sampler.set_epoch(1)
    assert rows_of(loader) != first
    assert rows_of(data.train_dataloader()) == first


@pytest.mark.parametrize("stage", ["val", "test"])
def test_what_chooses_and_judges_comes_whole_and_in_order(data: FaceDataModule, stage: str) -> None:
    seen = rows_of(getattr(data, f"{stage}_dataloader")())
    assert seen == data.split.rows[stage].tolist()
    assert len(seen) == {"val": 3, "test": 6}[stage]


@pytest.mark.parametrize("stage", ["val", "test"])
def test_a_stage_without_photos_has_no_batches(people_folder: Path, stage: str) -> None:
    data = make_data(people_folder, split=SplitSettings(**{"val": 1, "test": 1, stage: 0}))
    assert getattr(data, f"{stage}_dataloader")() == []


# Python 3.12 warns of every fork in a process with threads; what is forked here only reads.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_worker_processes_give_the_same_batches(people_folder: Path) -> None:
    by_workers = []
    for num_workers in (0, 2):
        data = make_data(people_folder, num_workers=num_workers)
        torch.manual_seed(0)
        by_workers.append([*data.train_dataloader(), *data.test_dataloader()])
    for alone, shared in zip(*by_workers, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_a_spawned_worker_opens_the_crops_itself(people_folder: Path) -> None:
    here, there = (
        make_data(people_folder, num_workers=workers).test_dataloader() for workers in (0, 1)
    )
    there.multiprocessing_context = "spawn"  # as on macOS and Windows
    for alone, shared in zip(here, there, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_what_a_spawned_worker_is_sent_holds_no_pixels(people_folder: Path) -> None:
    data = make_data(people_folder)
    sent = pickle.dumps(data.train_dataloader().dataset)
    assert len(sent) < 3000 < data.crops.images.nbytes / 10
    crops = pickle.loads(pickle.dumps(data.crops))
    assert np.array_equal(crops.images, data.crops.images)
    assert [*crops.people] == [*data.crops.people]
    assert np.array_equal(crops.landmarks, data.crops.landmarks)


def test_crops_that_lie_in_no_file_are_pickled_whole(people_folder: Path) -> None:
    crops = replace(make_data(people_folder).crops, images=np.ones((18, 2, 2, 3), np.uint8))
    assert pickle.loads(pickle.dumps(crops)).images.shape == (18, 2, 2, 3)


# Windows


def test_windows_are_the_centres_of_the_crops(data: FaceDataModule) -> None:
    rows = np.array([5, 0, 17, 5])
    found = data.windows(rows)
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), centres(data, rows))


def test_pixel_statistics_are_those_of_the_training_windows(data: FaceDataModule) -> None:
    pixels = centres(data, data.split.rows["train"]).astype(float)
    mean, std = data.pixel_statistics
    assert mean == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-9)
    assert std == pytest.approx(pixels.std((0, 2, 3), ddof=1), rel=1e-9)


@pytest.mark.parametrize(("limit", "step"), [(8, 2), (4, 3), (1, 9)])
def test_of_many_photos_every_nth_gives_the_pixel_statistics(
    people_folder: Path, limit: int, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datamodule, "_STATISTICS_ROWS", limit)
    data = make_data(people_folder)
    rows = data.split.rows["train"][::step]
    assert len(rows) <= limit
    mean, _ = data.pixel_statistics
    assert mean == pytest.approx(centres(data, rows).astype(float).mean((0, 2, 3)), rel=1e-9)


class Witness(pl.LightningModule):
    """Learns nothing and remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.shown: dict[str, list[Batch]] = {"train": [], "val": [], "test": []}

    def training_step(self, batch: Batch) -> torch.Tensor:
        self.shown["train"].append(batch)
        return self.weight

    def validation_step(self, batch: Batch) -> None:
        self.shown["val"].append(batch)

    def test_step(self, batch: Batch) -> None:
        self.shown["test"].append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def shown_by_trainer(data: FaceDataModule, **settings: object) -> dict[str, list[Batch]]:
    witness = Witness()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.fit(witness, data)
    trainer.test(witness, data, verbose=False)
    return witness.shown


def test_a_network_is_shown_random_windows_in_training_and_centres_otherwise(
    people_folder: Path,
) -> None:
    data = make_data(people_folder)
    torch.manual_seed(0)
    shown = shown_by_trainer(data, num_sanity_val_steps=1)
    assert {stage: len(batches) for stage, batches in shown.items()} == {
        "train": 2,
        "val": 2,  # once more to see whether validation works
        "test": 2,
    }
    for batches in shown.values():
        for images, *_ in batches:
            assert images.shape[1:] == (3, WINDOW, WINDOW)
            assert images.dtype == torch.float32
            assert 0 <= images.min() <= images.max() <= 1
    for batch in shown["val"] + shown["test"]:
        assert np.array_equal(batch.images.numpy(), centres(data, batch.rows.tolist()))
    for batch in shown["train"]:
        difference = np.abs(batch.images.numpy() - centres(data, batch.rows.tolist()))
        assert (difference.mean((1, 2, 3)) > 0.01).all()


@pytest.mark.parametrize("window", [WINDOW, 33])
def test_without_changes_training_shows_what_evaluation_shows(
    people_folder: Path, window: int
) -> None:
    data = make_data(people_folder, window=window, augment=OFF)
    for images, _, rows, _ in shown_by_trainer(data)["train"]:
        torch.testing.assert_close(
            images.contiguous(), data.windows(rows.numpy()), atol=1e-5, rtol=0
        )


def test_without_a_trainer_a_batch_is_cut_at_the_centre(data: FaceDataModule) -> None:
    (batch,) = data.val_dataloader()
    cut = data.on_after_batch_transfer(batch, 0)
    assert torch.equal(cut.images, data.windows(batch.rows.numpy()))
    assert torch.equal(cut.rows, batch.rows)
    assert cut.images.is_contiguous(memory_format=torch.channels_last)


# Sources


@dataclass(frozen=True)
class Fetched(FaceSource):
    """A data set that is on disk only once it was fetched."""

    title: ClassVar[str] = "Fetched"
    terms: ClassVar[str] = "Free."
    citation: ClassVar[str] = "None."

    root: Path

    def fetch(self) -> None:
        draw_people(self.root, num_people=2, num_photos=3)

    def samples(self) -> list[Sample]:
        return [Sample(path, path.parent.name) for path in sorted(self.root.glob("*/*.png"))]


def test_a_source_is_fetched_before_it_is_read_and_only_once(tmp_path: Path) -> None:
    data = DataSettings(
        Fetched(tmp_path / "new"), window=WINDOW, split=SplitSettings(val=1, test=1)
    ).build()
    data.prepare_data()  # a second fetch would find its folders there and fail
    assert data.people == ["p0", "p1"]
    assert len(rows_of(data.train_dataloader())) == 2


def test_a_photo_without_a_face_is_left_out_or_cropped_at_its_centre(tmp_path: Path) -> None:
    root = draw_people(tmp_path / "people", num_people=2, num_photos=3)
    blank = root / "p0" / "blank.png"
    Image.new("RGB", (80, 80), "grey").save(blank)
    split = SplitSettings(val=0, test=1)
    skipping, keeping = (
        make_data(root, split=split, undetected=what) for what in ("skip", "centre")
    )
    assert [entry.file for entry in skipping.crops.left_out] == [str(blank)]
    assert len(skipping.crops) == 6
    (row,) = np.flatnonzero(~keeping.crops.detected)
    assert keeping.crops.files[row] == str(blank)
    assert len(keeping.crops) == 7


def test_strangers_of_the_background_teach_and_are_in_no_other_stage(people_folder: Path) -> None:
    split = SplitSettings(val=1, test=2, outsiders=1, background=1)
    data = make_data(people_folder, split=split, batch_size=1)
    (stranger,) = {"p0", "p1", "p2"} - set(data.people)
    taught = {row: int(label) for b in data.train_dataloader()
              for row, label in zip(b.rows.tolist(), b.labels, strict=True)}  # fmt: skip
    assert len(taught) == 2 * 3 + 6
    for row, label in taught.items():
        person = data.crops.people[row]
        assert label == (STRANGER if person == stranger else data.people.index(person))
    for loader in (data.val_dataloader(), data.test_dataloader()):
        assert {data.crops.people[row] for row in rows_of(loader)} == set(data.people)


def test_shuffled_names_are_the_same_names_in_another_order(people_folder: Path) -> None:
    split = SplitSettings(val=1, test=2)
    source = Folder(people_folder)
    plain, shuffled = (
        DataSettings(source, split=split, shuffle_names=on).build() for on in (False, True)
    )
    rows = plain.split.rows["train"]
    true, dealt = plain.taught_labels[rows], shuffled.taught_labels[rows]
    assert sorted(dealt) == sorted(true)
    assert (dealt != true).any()
    for stage in ("val", "test"):
        held = plain.split.rows[stage]
        assert (shuffled.taught_labels[held] == plain.split.labels[held]).all()
    batch = next(iter(shuffled.train_dataloader()))
    assert batch.labels.tolist() == shuffled.taught_labels[batch.rows].tolist()
