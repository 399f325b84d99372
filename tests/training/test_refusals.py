"""Whatever is set under --trainer works, or ends in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import yaml
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted
from facenet_demo.training.cli import CONFIGS, follow, main
from facenet_demo.training.history import History
from facenet_demo.training.refusals import in_words
from facenet_demo.training.task import FaceTask


def arguments(people: Path, runs: Path, *more: str) -> list[str]:
    """2 epochs of 3 steps."""
    return [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        f"--run.folder={runs}", "--trainer.max_epochs=2", "--data.batch_size=4",
        "--model.network.channels=[4,8]", "--run.draw_every=0",
        "--trainer.enable_progress_bar=false", *more,
    ]  # fmt: skip


TRAINS = [
    "--trainer.enable_model_summary=true",
    "--trainer.use_distributed_sampler=true",
    "--trainer.enable_checkpointing=true",
    "--trainer.val_check_interval=2",
    "--trainer.val_check_interval=0.5",
    "--trainer.val_check_interval=00:00:00:01",
    "--trainer.val_check_interval=4 --trainer.check_val_every_n_epoch=null",
    "--trainer.val_check_interval=100 --trainer.check_val_every_n_epoch=null",
    "--trainer.check_val_every_n_epoch=5",
    "--trainer.limit_train_batches=1",
    "--trainer.limit_train_batches=0.5",
    "--trainer.limit_val_batches=0",
    "--trainer.limit_val_batches=0.0",
    "--trainer.limit_test_batches=0",
    "--trainer.overfit_batches=1",
    "--trainer.overfit_batches=1 --data.split.val=0",
    "--trainer.overfit_batches=2 --data.target=landmarks",
    "--trainer.max_steps=1",
    "--trainer.max_steps=4",
    "--trainer.min_epochs=1",
    "--trainer.min_steps=2",
    "--trainer.max_time=00:01:00:00",
    "--trainer.precision=bf16-true --run.draw_every=1",
    "--trainer.precision=16-true --run.draw_every=1",
    "--trainer.precision=bf16-true --data.target=landmarks",
    "--trainer.precision=64-true --run.draw_every=1",
    "--trainer.precision=16-mixed",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.num_sanity_val_steps=-1",
    "--trainer.gradient_clip_val=1 --trainer.gradient_clip_algorithm=value",
    "--trainer.gradient_clip_val=0",
    "--trainer.deterministic=true",
    "--trainer.benchmark=true",
    "--trainer.inference_mode=false --run.draw_every=1",
    "--trainer.detect_anomaly=true",
    "--trainer.profiler=simple",
    "--trainer.profiler=advanced",
    "--trainer.plugins=LightningEnvironment",
    "--trainer.plugins=[TorchSyncBatchNorm]",
    "--trainer.sync_batchnorm=true",
    "--trainer.reload_dataloaders_every_n_epochs=1",
    "--trainer.enable_autolog_hparams=false --run.draw_every=1",
    "--trainer.accumulate_grad_batches=100",
    "--trainer.accelerator=cpu --trainer.strategy=single_device",
    "--data.batch_size=1",
    "--trainer.logger=CSVLogger --trainer.callbacks=LearningRateMonitor "
    "--trainer.log_every_n_steps=1",
    "--trainer.callbacks=EarlyStopping --trainer.callbacks.monitor=train/loss",
    "--trainer.callbacks=EarlyStopping --trainer.callbacks.monitor=val/loss",
    "--trainer.callbacks=ModelCheckpoint",
    "--trainer.callbacks=BatchSizeFinder",
    "--trainer.callbacks=DeviceStatsMonitor",
    "--trainer.callbacks=ModelSummary",
    "--trainer.callbacks=EMAWeightAveraging",
    "--trainer.enable_progress_bar=true --trainer.callbacks=TQDMProgressBar",
]


@pytest.mark.filterwarnings("ignore:.*AMP with fp16 is not supported on CPU.*")
@pytest.mark.parametrize("flags", TRAINS)
def test_a_setting_that_works_leaves_a_whole_run(
    flags: str, people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    code = main(arguments(people_folder, tmp_path, *flags.split()))
    assert code == 0, capsys.readouterr().err
    (run,) = tmp_path.iterdir()
    for name in ("best", "last"):
        load_checkpoint(run / f"checkpoints/{name}.ckpt")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["epochs"] >= 1
    assert all(np.isfinite(v) for v in metrics.values() if isinstance(v, int | float))
    assert "accumulate" in flags or metrics["seconds"] < 100


REFUSED = [
    ("--trainer.default_root_dir=elsewhere", "default_root_dir has no effect"),
    ("--trainer.limit_predict_batches=3", "limit_predict_batches has no effect"),
    ("--trainer.model_registry=x", "model_registry has no effect"),
    ("--trainer.log_every_n_steps=5", "log_every_n_steps has no effect"),
    ("--trainer.gradient_clip_algorithm=norm", "gradient_clip_algorithm has no effect"),
    ("--trainer.limit_val_batches=1 --data.split.val=0", "limit_val_batches 1 has no effect"),
    ("--trainer.logger=false --run.measure_every=1", "measure_every has no effect"),
    ("--data.target=landmarks --run.measure_every=1", "measure_every has no effect"),
    ("--trainer.enable_checkpointing=false", "enable_checkpointing false would leave no"),
    ("--trainer.barebones=true", "barebones true would leave no checkpoint"),
    ("--trainer.val_check_interval=100", "more than the 3 steps of an epoch"),
    ("--trainer.val_check_interval=0", "val_check_interval must not be 0"),
    ("--trainer.limit_train_batches=0.1", "limit_train_batches 0.1 of 3 batches"),
    ("--trainer.limit_train_batches=0", "limit_train_batches must not be 0"),
    ("--trainer.limit_train_batches=-1", "invalid value -1 for limit_train_batches"),
    ("--trainer.limit_val_batches=0.1", "limit_val_batches 0.1 of 1 batches"),
    ("--trainer.limit_test_batches=0.1", "limit_test_batches 0.1 of 1 batches"),
    ("--trainer.overfit_batches=0.01", "overfit_batches 0.01 of 3 batches"),
    ("--trainer.max_epochs=0", "max_epochs must not be 0"),
    ("--trainer.max_steps=0", "max_steps must not be 0"),
    ("--trainer.max_steps=-5", "max_steps"),
    ("--trainer.min_epochs=3", "min_epochs 3 is more than --trainer.max_epochs 2"),
    ("--trainer.min_steps=3 --trainer.max_steps=2", "min_steps 3 is more than"),
    ("--trainer.min_epochs=-3", "min_epochs must be 0 or more"),
    ("--trainer.num_sanity_val_steps=-7", "num_sanity_val_steps must be -1 or more"),
    ("--trainer.num_nodes=0", "num_nodes must be 1 or more"),
    ("--trainer.gradient_clip_val=-1", "gradient_clip_val must be 0 or more"),
    ("--trainer.max_time=nonsense", "not a valid duration"),
    ("--trainer.max_time=00:00:00:00", "ended before its first step"),
    ("--trainer.profiler=nonsense", "profiler"),
    ("--trainer.precision=transformer-engine", "transformer_engine"),
    ("--trainer.plugins=AsyncCheckpointIO", "AsyncCheckpointIO: checkpoints are written beside"),
    ("--trainer.accelerator=nonsense", "invalid accelerator name"),
    ("--trainer.accelerator=tpu", "torch_xla"),
    ("--trainer.accelerator=cpu --trainer.devices=-1", "devices"),
    ("--trainer.strategy=nonsense", "invalid strategy name"),
    ("--trainer.strategy=deepspeed", "DeepSpeed"),
    pytest.param(
        "--trainer.logger=WandbLogger",
        "Requirement 'wandb",
        marks=pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is there"),
    ),
    ("--trainer.callbacks=EarlyStopping --trainer.callbacks.monitor=val/los", "`val/los`"),
    ("--trainer.callbacks=ModelCheckpoint --trainer.callbacks.monitor=val/los", "'val/los'"),
    ("--trainer.callbacks=LearningRateFinder", "LearningRateFinder cannot set"),
    ("--trainer.callbacks=BackboneFinetuning", "no attribute 'backbone'"),
    ("--trainer.callbacks=LearningRateMonitor --trainer.logger=false", "LearningRateMonitor"),
    (
        "--data.batch_size=1 --model.network=Torchvision --model.network.name=resnet18 "
        "--data.window=32",
        "set --data.batch_size 2 or more",
    ),
]


@pytest.mark.parametrize(("flags", "words"), REFUSED)
def test_a_setting_that_does_not_work_is_a_sentence(
    flags: str, words: str, people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    args = arguments(people_folder, tmp_path, *flags.split())
    if "Torchvision" in flags:
        args.remove("--model.network.channels=[4,8]")
    assert main(args) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    said = " ".join(printed.err.split())
    assert words in said[said.index("Error:") :]


@pytest.mark.parametrize("flag", ["accelerator=nonsense", "limit_test_batches=0.1", "max_epochs=0"])
def test_what_is_refused_at_once_leaves_no_folder(
    flag: str, people_folder: Path, tmp_path: Path
) -> None:
    assert main(arguments(people_folder, tmp_path, f"--trainer.{flag}")) == 2
    assert not list(tmp_path.iterdir())


def test_faults_of_this_program_stay_tracebacks(
    people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: FaceTask, batch: object, stage: str) -> None:
        raise ValueError("too many values to unpack")

    monkeypatch.setattr(FaceTask, "_step", broken)
    with pytest.raises(ValueError, match="too many values"):
        main(arguments(people_folder, tmp_path))


@pytest.mark.parametrize(
    ("last_line", "said"),
    [
        ("facenet_demo.system.errors.UserError: The disk is full.", "^The disk is full.$"),
        ("lightning.fabric.utilities.exceptions.MisconfigurationException: No.", "here: No.$"),
        ("ValueError: a fault", None),
    ],
)
def test_errors_of_other_processes(last_line: str, said: str | None) -> None:
    sent = f"\n\n-- Process 0 terminated with the following error:\nTraceback ...\n{last_line}\n"
    expected: Any = ProcessRaisedException if said is None else UserError
    with pytest.raises(expected, match=said or "a fault"), in_words():
        raise ProcessRaisedException(sent, 0, 1)


def test_other_processes_say_by_their_exit_code_that_they_were_interrupted() -> None:
    with pytest.raises(Interrupted) as stop, in_words():
        raise ProcessExitedException("ended", 0, 1, exit_code=143)
    assert stop.value.exit_code == 143
    with pytest.raises(ProcessExitedException), in_words():
        raise ProcessExitedException("ended", 0, 1, exit_code=1)


# What is kept where


def epochs_kept(run: Path) -> dict[str, int]:
    return {
        name: torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    }


def test_a_run_that_was_never_validated_keeps_its_last_epoch_until_it_is(
    people_folder: Path, tmp_path: Path
) -> None:
    rarely = ["--trainer.check_val_every_n_epoch=3", "--model.schedule.name=constant"]
    run = follow(arguments(people_folder, tmp_path, *rarely)).folder
    assert epochs_kept(run) == {"best": 1, "last": 1}
    assert load_checkpoint(run / "checkpoints/best.ckpt").calibration is not None
    follow(["--resume", str(run), "--trainer.max_epochs=4"])
    assert epochs_kept(run) == {"best": 2, "last": 3}


def test_only_time_in_training_is_counted() -> None:
    """Some callbacks save a checkpoint before training, to try something out."""
    assert History().state_dict()["seconds"] == 0


class RowsSeen(pl.Callback):
    """Remembers the photos of each step."""

    seen: list[list[int]]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        RowsSeen.seen = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, i: int):  # noqa: ANN201
        self.seen.append(batch.rows.tolist())


def test_overfitting_sees_the_same_photos_in_every_epoch(
    people_folder: Path, tmp_path: Path
) -> None:
    flags = [f"--trainer.callbacks={__name__}.RowsSeen", "--trainer.overfit_batches=1"]
    follow(arguments(people_folder, tmp_path, *flags, "--trainer.max_epochs=3"))
    first, *others = RowsSeen.seen
    assert len(first) == 4
    assert others == [first, first]


def test_figures_of_sixteen_bits_are_counted_in_full(people_folder: Path, tmp_path: Path) -> None:
    run = follow(arguments(people_folder, tmp_path, "--trainer.precision=bf16-true"))
    photos = len(run.data.split.rows["test"])
    right = run.metrics["test/accuracy"] * photos
    assert right == pytest.approx(round(right), abs=1e-5)
    assert run.task.network.first_kernels.dtype == torch.float32


def test_a_named_early_stopping_takes_the_place_of_patience(
    people_folder: Path, tmp_path: Path
) -> None:
    stopping = {
        "class_path": "EarlyStopping",
        "init_args": {"monitor": "val/accuracy", "mode": "max", "patience": 1},
    }
    flags = [f"--trainer.callbacks={json.dumps([stopping])}", "--model.optimizer.lr=0"]
    run = follow(arguments(people_folder, tmp_path, *flags, "--trainer.max_epochs=30"))
    assert run.metrics["stopped"] == "no better val/accuracy for 1 epochs"
    stopping["init_args"] = {"monitor": "val/loss", "patience": 1}
    flags[0] = f"--trainer.callbacks={json.dumps(stopping)}"
    run = follow(arguments(people_folder, tmp_path, *flags, "--trainer.max_epochs=30"))
    assert run.metrics["stopped"] == "no better validation loss for 1 epochs"
    saved = yaml.safe_load((run.folder / "config.yaml").read_text())
    assert saved["trainer"]["callbacks"]["init_args"]["patience"] == 1


def test_a_profile_is_written_to_the_run_folder(people_folder: Path, tmp_path: Path) -> None:
    run = follow(arguments(people_folder, tmp_path, "--trainer.profiler=simple"))
    assert "run_training_epoch" in (run.folder / "fit-profile.txt").read_text()


def test_processes_that_training_starts_tell_what_they_saw(
    people_folder: Path, tmp_path: Path
) -> None:
    """The epochs, why they ended, and the best network rather than the last one."""
    flags = ["--trainer.accelerator=cpu", "--trainer.max_epochs=50", "--run.patience=2",
             "--model.optimizer.lr=0"]  # fmt: skip
    here = follow(arguments(people_folder, tmp_path / "here", *flags)).metrics
    elsewhere = tmp_path / "elsewhere"
    args = arguments(people_folder, elsewhere, *flags, "--trainer.strategy=ddp_spawn")
    command = [sys.executable, str(CONFIGS.parent / "scripts/train.py"), *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (run,) = elsewhere.iterdir()
    found = json.loads((run / "metrics.json").read_text())
    assert found["stopped"] == here["stopped"] == "no better validation loss for 2 epochs"
    assert epochs_kept(run)["best"] == found["epochs"] - 3
    clocks = ("seconds", "photos_per_second")
    assert {k: v for k, v in found.items() if k not in clocks} == pytest.approx(
        {k: v for k, v in here.items() if k not in clocks}
    )
    assert found["photos_per_second"] > 0
    temperature = load_checkpoint(run / "checkpoints/best.ckpt").calibration.temperature
    assert temperature == pytest.approx(here["temperature"])
