"""From a data set to batches of windows, the same way for every data set.

    data = DataSettings(ORL(), window=64).build()
    data.people                          # names in the order of the network's outputs
    trainer.fit(task, data)

Photos are cropped once (`faces.crops`), split per person (`splits`), loaded as stored, or kept on
the device where they fit (`resident`), and cut to windows there: at random in training, from the
centre otherwise.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from facenet_demo.data.batches import NO_PHOTO, EpochBatches, SameBatches, seed_device, step_seed
from facenet_demo.data.crops import find_crops, prepare_crops
from facenet_demo.data.facts import Facts
from facenet_demo.data.records import PADDED, STRANGER, Batch
from facenet_demo.data.resident import ResidentCrops, ResidentLoader, wanted
from facenet_demo.data.sources import ORL, FaceSource
from facenet_demo.data.splits import Split, SplitSettings
from facenet_demo.data.stored import Crops, CropSettings
from facenet_demo.data.targets import TARGETS, Target
from facenet_demo.data.windows import AugmentSettings, CentreWindow, RandomWindow
from facenet_demo.faces.align import MOST_SCALE, crop_size
from facenet_demo.system.errors import UserError
from facenet_demo.system.fields import check_fields
from facenet_demo.system.files import cache_folder

Loader: TypeAlias = DataLoader | ResidentLoader

_STATISTICS_ROWS = 2000


@dataclass(frozen=True)
class DataSettings:
    """The faces, which of them teach, and how they are shown.

    Args:
        source: Where the photos are: ORL, LFW, UTKFace or Folder.
        window: Side of the square that the network is shown, pixels.
        face_scale: How large the face is in the window: 1 shows it from brow to chin, 0.75 with
            hair and ears.
        split: Which photos teach, choose and judge.
        augment: How training windows vary.
        batch_size: Photos in a step, on each device.
        num_workers: Processes that read crops; 0 reads them in the training process, which is
            fastest as long as the crops fit into memory.
        resident: Whether the crops are copied once to the device that works on them: "auto" does
            so on a GPU where they take a quarter of its free memory at most, and no processes are
            to read them.
        undetected: What to do with a photo in which no face is found: "skip" leaves it out,
            "centre" takes its middle.
        target: What is learned: who it is, where the five landmarks are, or the number that the
            data set knows of each photo. For the last two, people are split rather than photos.
        shuffle_names: Deal the training photos' names out by lot: a control, which can learn photos
            by heart but nobody's face. Use it with `data.split.val` 0: no epoch is the best.
    """

    source: FaceSource = ORL()  # noqa: RUF009 - frozen
    window: int = 64
    face_scale: float = 1.0
    split: SplitSettings = SplitSettings()  # noqa: RUF009 - frozen
    augment: AugmentSettings = AugmentSettings()  # noqa: RUF009 - frozen
    batch_size: int = 32
    num_workers: int = 0
    resident: Literal["auto", "always", "never"] = "auto"
    undetected: Literal["skip", "centre"] = "skip"
    target: Literal["person", "landmarks", "number"] = "person"
    shuffle_names: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name, least in (("window", 8), ("batch_size", 1), ("num_workers", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, not {getattr(self, name)}.")
        if not 0 < self.face_scale < MOST_SCALE:
            raise ValueError(
                f"face_scale must be above 0 and below {MOST_SCALE:g}, not {self.face_scale}."
            )
        if self.num_workers and self.resident == "always":
            raise ValueError(
                f"num_workers {self.num_workers} has no effect with resident always: crops that "
                "lie on the device are read by no process. Set one of the two."
            )
        if TARGETS[self.target].needs_landmarks and self.undetected == "centre":
            raise ValueError(
                "undetected centre keeps photos whose landmarks nobody knows: not with target "
                f"{self.target}."
            )

    def build(self) -> FaceDataModule:
        """The data module; photos are read when they are first needed."""
        return FaceDataModule(self)


class FaceDataModule(pl.LightningDataModule):
    """Faces for the Trainer, as `DataSettings` describe them."""

    def __init__(self, settings: DataSettings) -> None:
        super().__init__()
        self.settings = settings
        self.source = settings.source
        self.window = settings.window
        self.batch_size = settings.batch_size
        self.crop_settings = CropSettings(
            crop_size(settings.window), settings.window, settings.face_scale, settings.undetected
        )
        self.random_window = RandomWindow(settings.window, settings.augment)
        self.centre_window = CentreWindow(settings.window)
        still = replace(settings.augment, flip=0, brightness=0, contrast=0, erase=0)
        self.moved_window = RandomWindow(settings.window, still)
        self._done = (0, 0)
        self._wanted: dict[str, bool] = {}  # device -> whether crops lie there
        self._placed: dict[tuple[str, str], ResidentCrops] = {}  # stage and device -> crops

    @cached_property
    def crops(self) -> Crops:
        """The aligned faces; made now if they are not in the cache yet."""
        self.source.fetch()
        made = find_crops(self.source.samples(), self.crop_settings, cache_folder())
        if made is not None:
            return made
        return prepare_crops(list(self.source.samples()), self.crop_settings, cache_folder())

    @cached_property
    def target(self) -> Target:
        """What is learned of these photos."""
        return TARGETS[self.settings.target](self.source, self.crops)

    @cached_property
    def split(self) -> Split:
        """Which photos teach, choose and judge."""
        try:
            return self.target.split(self.settings.split)
        except UserError as error:  # what is doubtful about the photos may be the reason
            raise UserError(" ".join([str(error), *self.source.doubts()])) from error

    @cached_property
    def facts(self) -> Facts:
        """What a task needs to know."""
        return Facts(
            self.target.outputs(self.split),
            self.window,
            self.settings.face_scale,
            self.pixel_statistics,
            None if self.target.names_people else self.target_statistics,
        )

    @cached_property
    def taught_labels(self) -> np.ndarray:
        """The labels `(N,)` that training is told: the true ones, unless names are shuffled.

        Strangers who teach are `STRANGER`.
        """
        rows, taught = self.split.rows["train"], self.split.labels.copy()
        taught[self.split.outsider_rows["train"]] = STRANGER
        if self.settings.shuffle_names:
            rng = np.random.default_rng(self.settings.split.seed)
            taught[rows] = rng.permutation(taught[rows])
        return taught

    @property
    def people(self) -> list[str]:
        """Names, in the order of the network's outputs."""
        return self.split.people

    @cached_property
    def pixel_statistics(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of the training windows' R, G and B, in [0, 1]."""
        rows = self.split.rows["train"]
        rows = rows[:: -(-len(rows) // _STATISTICS_ROWS)]
        pixels = self.windows(rows).double()
        return pixels.mean((0, 2, 3)).tolist(), pixels.std((0, 2, 3)).tolist()

    @cached_property
    def target_statistics(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of the targets of the training photos."""
        rows = self.split.rows["train"]
        _, theta = self.evaluation_windows(_to_tensor(self.crops.images[rows]), rows)
        values = self.target.values(rows, theta).double()
        return values.mean(0).tolist(), values.std(0).clamp_min(1e-3).tolist()

    def evaluation_windows(
        self, images: torch.Tensor, rows: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What a network is judged by: the centre, or a window moved off it where the target says.

        Each row has its own move, always the same.

        Args:
            images: crops `(B, 3, S, S)` uint8.
            rows: their rows.

        Returns:
            Windows `(B, 3, W, W)` and where they were cut, `(B, 2, 3)`.
        """
        if not self.target.moves_windows:
            return self.centre_window.cut(images)
        moved = []
        # Drawn on the CPU, wherever the network is: one seed gives other numbers on a GPU.
        for image, row in zip(images.cpu(), rows.tolist(), strict=True):
            with torch.random.fork_rng([]):
                seed_device(row, image.device)
                moved.append(self.moved_window.cut(image[None]))
        windows, theta = zip(*moved, strict=True)
        return torch.cat(windows).to(images.device), torch.cat(theta).to(images.device)

    def windows(self, rows: np.ndarray) -> torch.Tensor:
        """The centre windows `(len(rows), 3, W, W)`, float in [0, 1], of some rows of the crops."""
        return self.centre_window(_to_tensor(self.crops.images[rows]))

    def prepare_data(self) -> None:
        _ = self.split

    def setup(self, stage: str) -> None:
        # Lightning calls this before it hands back what an interrupted run had done.
        self._done = (0, 0)

    def train_dataloader(self) -> Loader:
        return self.loader("train")

    def val_dataloader(self) -> Loader | list:
        return self.loader("val") if len(self.split.rows["val"]) else []

    def test_dataloader(self) -> Loader | list:
        return self.loader("test") if len(self.split.rows["test"]) else []

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        # As Lightning does it, which looks at any collection for tensors, and at each for its kind.
        return Batch(*(values.to(device, non_blocking=True) for values in batch))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        trainer = self.trainer
        if trainer is not None and trainer.training:
            # What this step draws, windows first and dropout next, depends on no step before it.
            step = trainer.fit_loop.epoch_loop.batch_progress.current.ready
            seed_device(
                step_seed(_seed(), trainer.current_epoch, step, trainer.global_rank),
                batch.images.device,
            )
            images, theta = self.random_window.cut(batch.images)
        elif self.target.moves_windows:
            images, theta = self.evaluation_windows(batch.images, batch.rows.cpu().numpy())
        else:  # as there, without asking a GPU which rows these are
            images, theta = self.centre_window.cut(batch.images)
        images = images.contiguous(memory_format=torch.channels_last)
        if self.target.names_people:
            return batch._replace(images=images)
        targets = self.target.values(batch.rows.cpu().numpy(), theta)
        return batch._replace(images=images, targets=targets.to(images.device))

    def state_dict(self) -> dict[str, int]:
        """How much of training is done: whole epochs, and steps of the next one."""
        assert self.trainer is not None
        loop = self.trainer.fit_loop
        steps = loop.epoch_loop.batch_progress.current.ready
        return {
            "epochs": cast(Any, loop.epoch_progress.current).processed,
            "steps": steps if steps < self.trainer.num_training_batches else 0,
            "photos_per_step": self.batch_size * self.trainer.world_size,
        }

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._done = state_dict["epochs"], state_dict["steps"]

    def loader(self, stage: str, device: torch.device | None = None) -> Loader:
        """Batches of stored crops.

        Args:
            stage: "train", "val" or "test".
            device: that works on them; None: the Trainer's, or the CPU without one.

        Raises:
            UserError: if the crops are to lie on a device on which they do not fit.
        """
        rows, labels, trainer = self.split.rows[stage], self.split.labels, self.trainer
        if stage == "train":
            rows = np.sort(np.append(rows, self.split.outsider_rows["train"]))
            labels = self.taught_labels
        devices = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        done = self._done if stage == "train" else (0, 0)
        overfit = trainer is not None and cast(Any, trainer).overfit_batches and stage != "test"
        kind = SameBatches if overfit else EpochBatches
        batches = kind(len(rows), self.batch_size, stage == "train", _seed(), *devices, done)
        if device is None:
            device = torch.device("cpu") if trainer is None else trainer.strategy.root_device
        if self._is_resident(device):
            place = stage, str(device)
            if place not in self._placed:
                self._placed[place] = ResidentCrops(self.crops.images, labels, rows, device)
            return ResidentLoader(self._placed[place], batches)
        return DataLoader(
            CropDataset(self.crops, labels, rows),
            sampler=batches,
            batch_size=None,  # the sampler hands out whole batches
            num_workers=self.settings.num_workers,
            collate_fn=_as_is,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.settings.num_workers > 0,
            # A generator of its own: an iterator that is made must not move torch's.
            generator=torch.Generator(),
        )

    def _is_resident(self, device: torch.device) -> bool:
        if self.settings.num_workers:
            return False
        # Asked once: of what lies there already, too, a device says that it is not free.
        if str(device) not in self._wanted:
            num_rows = sum(map(len, self.split.rows.values()))
            num_rows += len(self.split.outsider_rows["train"])
            num_bytes = num_rows * self.crops.images[:1].nbytes
            self._wanted[str(device)] = wanted(self.settings.resident, num_bytes, device)
        return self._wanted[str(device)]


class CropDataset(Dataset):
    """Whole batches of stored crops, read at once.

    Args:
        crops: N of them. A worker process that does not share this one's memory opens their files.
        labels: `(N,)` int64.
        rows: those of the N that belong to the data set. A batch may hold `NO_PHOTO` in place of a
            position: a black crop with the label `PADDED`, to be left out of every result.
    """

    def __init__(self, crops: Crops, labels: np.ndarray, rows: np.ndarray) -> None:
        self.crops = crops
        self.labels = labels
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, positions: list[int]) -> Batch:
        rows = self.rows[positions]
        images, labels = self.crops.images[rows], self.labels[rows]
        if NO_PHOTO in positions:
            padded = np.array(positions) == NO_PHOTO
            images[padded], labels[padded] = 0, PADDED
        return Batch(_to_tensor(images), torch.from_numpy(labels), torch.from_numpy(rows))


def _seed() -> int:
    """The seed that Lightning's seed_everything was given."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def _to_tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)


def _as_is(batch: Any) -> Batch:
    return batch  # CropDataset gives whole batches
