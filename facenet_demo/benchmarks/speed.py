"""What Lightning and the crop cache cost or save, against the plainest code that does the same.

comparison, same_weights = trainer_against_loop(repeats=5, runs=Path("runs/benchmark"))
loader_against_image_folder(repeats=5, lfw_root=Path("lfw_funneled"))
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from facenet_demo.batches import EpochBatches, seed_device, step_seed
from facenet_demo.benchmarks.cost import Comparison, compare
from facenet_demo.cli import CONFIGS, build
from facenet_demo.datamodule import FaceDataModule
from facenet_demo.datasets import LFW
from facenet_demo.splits import SplitSettings
from facenet_demo.training import train

_EPOCHS = 20
_MIN_PHOTOS = 20


def trainer_against_loop(repeats: int, runs: Path) -> tuple[Comparison, bool]:
    """Training on ORL through Lightning against a loop of a few lines, and whether both end alike.

    Same network, photos, seed, precision and schedule. The time is that of the epochs alone; the
    Trainer's includes its metrics, curves and checkpoints.
    """
    args = [
        f"--config={CONFIGS / 'orl.yaml'}", f"--run.folder={runs}", "--run.draw_every=0",
        "--data.split.val=0", "--data.split.test=0", f"--trainer.max_epochs={_EPOCHS}",
        "--trainer.enable_progress_bar=false",
    ]  # fmt: skip
    seconds: tuple[list[float], list[float]] = ([], [])
    same = True
    for _ in range(repeats):
        run = train(args)
        seconds[0].append(float(run.metrics["seconds"]))
        elapsed, weights = _loop(args)
        seconds[1].append(elapsed)
        trained = run.task.network.state_dict()
        same = same and all(torch.equal(trained[name], weights[name]) for name in trained)
    return Comparison("Trainer", "hand-written loop", *seconds), same


def _loop(args: list[str]) -> tuple[float, dict[str, torch.Tensor]]:
    with tempfile.TemporaryDirectory() as folder:
        cli = build([*args, f"--run.folder={folder}"])
    task, data, seed = cli.model, cli.datamodule, cli.config["seed_everything"]
    network = task.network.train()
    loader = data.train_dataloader()
    batches = loader.sampler
    assert isinstance(batches, EpochBatches)
    optimizer = task.optimizer_settings.build(network)
    scheduler = task.schedule.build(optimizer, _EPOCHS * len(batches))
    started = time.perf_counter()
    for epoch in range(_EPOCHS):
        batches.set_epoch(epoch)
        for step, batch in enumerate(loader):
            seed_device(step_seed(seed, epoch, step, 0), batch.images.device)
            windows = data.random_window(batch.images)
            scores = network(windows.contiguous(memory_format=torch.channels_last))
            loss = task.loss(scores, batch.labels).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    return time.perf_counter() - started, network.state_dict()


def loader_against_image_folder(repeats: int, lfw_root: Path) -> Comparison:
    """A pass over LFW's photos from the crop cache against torchvision's ImageFolder.

    ImageFolder decodes each photo, resizes it to the window and makes a batch of floats, in two
    worker processes; the crop cache hands out windows of the same size, in this process.
    """
    data = FaceDataModule(
        LFW(lfw_root), split=SplitSettings(val=0, test=0, min_photos=_MIN_PHOTOS), batch_size=64
    )
    photos = datasets.ImageFolder(
        str(lfw_root),
        transforms.Compose([transforms.Resize((data.window, data.window)), transforms.ToTensor()]),
    )
    named = {photos.class_to_idx[person] for person in data.people}
    photos.samples = [sample for sample in photos.samples if sample[1] in named]

    def from_cache() -> int:
        return sum(len(data.centre_window(batch.images)) for batch in data.train_dataloader())

    def from_folder() -> int:
        loader = DataLoader(photos, batch_size=64, shuffle=True, num_workers=2)
        return sum(len(images) for images, _ in loader)

    return compare("crop cache", from_cache, "ImageFolder", from_folder, repeats)
