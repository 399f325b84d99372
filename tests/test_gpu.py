"""What only a machine with a GPU can show; elsewhere these are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn

from facenet_demo.data import resident
from facenet_demo.data.datamodule import DataSettings, FaceDataModule
from facenet_demo.data.records import Batch
from facenet_demo.features.ablation import right_without
from facenet_demo.features.dissection import PartOverlaps
from facenet_demo.features.effective import effective_kernels
from facenet_demo.features.observe import View, observe
from facenet_demo.features.patches import Patches
from facenet_demo.features.receptive_field import receptive_fields
from facenet_demo.features.selectivity import Pooling
from facenet_demo.features.synthesis import synthesize
from facenet_demo.networks import FaceCNN
from facenet_demo.training.cli import CONFIGS, follow
from facenet_demo.training.objectives.naming import NamingLoss
from facenet_demo.training.task import FaceTask

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
]


def arguments(people: Path, runs: Path, *more: str) -> list[str]:
    """12 photos teach, 4 in a step."""
    return [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        f"--run.folder={runs}", "--trainer.max_epochs=3", "--data.batch_size=4",
        "--model.network.channels=[4,8]", "--trainer.accelerator=gpu", *more,
    ]  # fmt: skip


@pytest.fixture
def unwaiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """From each epoch's second step on, whatever waits for the device raises an error.

    From before the batch is copied until after the callbacks have seen the step's end. From the
    second epoch on also in the steps of validation.
    """

    def before_transfer(self: FaceDataModule, batch: Batch, dataloader_idx: int) -> Batch:
        assert batch.images.is_cuda or batch.images.is_pinned()
        trainer = self.trainer
        if trainer is not None and trainer.training and not trainer.is_last_batch:
            done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
            torch.cuda.set_sync_debug_mode("error" if done else "default")
        elif trainer is not None and trainer.validating and trainer.state.fn == TrainerFn.FITTING:
            torch.cuda.set_sync_debug_mode("error" if trainer.current_epoch else "default")
        return batch

    validate = FaceTask.validation_step

    def validation_step(self: FaceTask, *args: Any) -> None:
        validate(self, *args)
        torch.cuda.set_sync_debug_mode("default")

    at_end = FaceTask.on_train_batch_end

    def batch_end(self: FaceTask, *args: Any) -> None:
        torch.cuda.set_sync_debug_mode("default")
        at_end(self, *args)

    monkeypatch.setattr(FaceDataModule, "on_before_batch_transfer", before_transfer)
    monkeypatch.setattr(FaceTask, "on_train_batch_end", batch_end)
    monkeypatch.setattr(FaceTask, "validation_step", validation_step)
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.usefixtures("unwaiting")
@pytest.mark.parametrize("kept", ["always", "never"])
@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["--data.split.val=1"],
        ["--trainer.precision=bf16-mixed", "--trainer.gradient_clip_val=1"],
        ["--trainer.accumulate_grad_batches=2", "--model.optimizer=AdamW"],
    ],
    ids=["float32", "validated", "bf16-mixed, clipped", "accumulated"],
)
def test_the_host_never_waits_for_the_device_in_a_step(
    people_folder: Path, tmp_path: Path, settings: list[str], kept: str
) -> None:
    flags = ["--data.split.val=0", f"--data.resident={kept}", *settings]
    run = follow(arguments(people_folder, tmp_path, *flags))
    assert run.metrics["epochs"] == 3


@pytest.mark.usefixtures("unwaiting")
def test_a_step_that_waits_would_be_seen(
    people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = NamingLoss.forward

    def waiting(self: NamingLoss, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        losses = forward(self, logits, labels)
        losses.sum().item()
        return losses

    monkeypatch.setattr(NamingLoss, "forward", waiting)
    with pytest.raises(RuntimeError, match="synchroniz"):
        follow(arguments(people_folder, tmp_path, "--data.split.val=0"))


@pytest.fixture
def _any_algorithm_afterwards() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("_any_algorithm_afterwards")
@pytest.mark.parametrize("deterministic", [[], ["--trainer.deterministic=true"]])
def test_one_seed_gives_the_same_weights(
    people_folder: Path, tmp_path: Path, deterministic: list[str]
) -> None:
    args = arguments(people_folder, tmp_path, *deterministic)
    first, second = (follow(args).task.network.state_dict() for _ in range(2))
    for name, weights in first.items():
        assert torch.equal(weights, second[name]), name


def test_crops_on_the_device_give_the_weights_that_those_on_disk_do(
    people_folder: Path, tmp_path: Path
) -> None:
    assert resident.wanted("auto", 1, torch.device("cuda"))
    args = arguments(people_folder, tmp_path)
    disk, device = (
        follow([*args, f"--data.resident={kind}"]).task.network.state_dict()
        for kind in ("never", "auto")
    )
    for name, weights in disk.items():
        assert torch.equal(weights, device[name]), name


@pytest.mark.parametrize("value", ["true", "reduce-overhead"])
def test_a_compiled_network_learns_the_same(
    people_folder: Path, tmp_path: Path, value: str
) -> None:
    args = arguments(people_folder, tmp_path, "--model.network.dropout=0")
    plain, compiled = (
        follow([*args, f"--model.torch_compile={one}"]).metrics for one in ("false", value)
    )
    assert compiled["val/loss"] == pytest.approx(plain["val/loss"], rel=0.02)


@pytest.mark.parametrize("precision", ["32-true", "16-mixed"])
def test_captured_steps_draw_what_the_seed_says(
    people_folder: Path, tmp_path: Path, precision: str
) -> None:
    flags = ["--model.torch_compile=reduce-overhead", f"--trainer.precision={precision}"]
    args = arguments(people_folder, tmp_path, *flags)
    first, second = (follow(args).task.network.state_dict() for _ in range(2))
    for name, weights in first.items():
        assert torch.equal(weights, second[name]), name


def test_landmarks_are_judged_in_the_same_windows_as_on_the_cpu(orl: FaceDataModule) -> None:
    data = DataSettings(orl.source, target="landmarks").build()
    rows = np.arange(5)
    crops = torch.from_numpy(data.crops.images[rows]).permute(0, 3, 1, 2)
    found, expected = (data.evaluation_windows(x, rows) for x in (crops.cuda(), crops))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other)
        assert one.is_cuda


@pytest.mark.parametrize("deterministic", [False, True])
def test_what_is_seen_inside_is_the_same_as_on_the_cpu(deterministic: bool) -> None:
    torch.manual_seed(0)
    network = FaceCNN(channels=[8, 12, 16]).build(5).eval().requires_grad_(False)
    views = [View(torch.rand(16, 3, 32, 32), torch.randint(0, 4, (16, 16, 16))) for _ in range(4)]
    images, labels = torch.cat([view.images for view in views]), np.arange(64) % 5
    layers, found = network.blocks, {}
    torch.use_deterministic_algorithms(deterministic)
    try:
        for device in ("cpu", "cuda"):
            own = deepcopy(network).to(device)
            parts, top, pooled = PartOverlaps(4), Patches(3), Pooling()
            moved = [View(*(values.to(device) for values in view)) for view in views]
            observe(own, layers, moved, [parts, top, pooled])
            fields = receptive_fields(own, layers, 32)
            found[device] = {}
            for layer in layers:
                means, count = pooled.result()[layer].mean(0), parts.result()[layer].iou.shape[0]
                groups = [[unit] for unit in range(count)]
                kernels = effective_kernels(own, layer, images[:8], fields[layer], [0, 3, 5])
                found[device][layer] = (
                    parts.result()[layer],
                    top.result()[layer].scores,
                    kernels,
                    right_without(own, images, labels, layer, groups, means),
                    synthesize(own, layer, [0, 3], 32, steps=2, field=fields[layer]),
                )
    finally:
        torch.use_deterministic_algorithms(False)
    for layer in layers:
        cpu, gpu = found["cpu"][layer], found["cuda"][layer]
        assert gpu[0].iou == pytest.approx(cpu[0].iou, abs=0.01), "rounding moves a few cells"
        assert gpu[0].auc == pytest.approx(cpu[0].auc, abs=0.01)
        assert gpu[1] == pytest.approx(cpu[1], rel=1e-3)
        assert np.allclose(gpu[2], cpu[2], atol=1e-3 * np.abs(cpu[2]).max())
        assert (gpu[3] == cpu[3]).mean() > 0.98, "some answers are close calls"
        assert torch.allclose(gpu[4], cpu[4], atol=0.05)
