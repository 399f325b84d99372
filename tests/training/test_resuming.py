"""A run that goes on with other settings: they count, or are refused before anything is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, follow, main
from facenet_demo.training.interruption import RunProgress
from facenet_demo.training.optimization import Schedule
from facenet_demo.training.resuming import changed, check_step, notes

STEPS = 3


def arguments(people: Path, runs: Path, *more: str) -> list[str]:
    """12 photos teach, 4 in a step."""
    return [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        f"--run.folder={runs}", "--trainer.max_epochs=2", "--data.batch_size=4",
        "--run.draw_every=0", "--model.network.channels=[4,8]",
        "--trainer.enable_progress_bar=false", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def begun(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 2 epochs; read only."""
    return follow(arguments(people_folder, tmp_path_factory.mktemp("begun"))).folder


@pytest.fixture
def run(begun: Path, tmp_path: Path) -> Path:
    """The same, to go on with."""
    return shutil.copytree(begun, tmp_path / "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def last(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints/last.ckpt", "cpu", weights_only=True)


def rates(run: Path) -> list[float]:
    events = EventAccumulator(str(run / "train")).Reload()
    return [event.value for event in events.Scalars("learning_rate")]


def error_of(capsys: pytest.CaptureFixture, *args: str) -> str:
    capsys.readouterr()
    assert main(args) == 2
    return " ".join(capsys.readouterr().err.split())


# What stays


@pytest.mark.parametrize(
    ("setting", "old", "why"),
    [
        ("model.network.channels=[4,6]", "[4,8]", "weights are those of one network"),
        ("model.network=Torchvision", "FaceCNN", "weights are those of one network"),
        ("model.optimizer=AdamW", "SGD", "no use to another"),
        ("model.objective.label_smoothing=0.2", "0.1", "compared by their losses"),
        ("data.source=ORL", "Folder", "photos it began with"),
        ("data.window=48", "64", "photos it began with"),
        ("data.split.val=0.3", "0.15", "photos it began with"),
        ("data.augment.shift=0.0", "0.06", "photos it began with"),
        ("data.target=landmarks", "person", "photos it began with"),
        ("seed_everything=1", "0", "drawn by chance"),
        ("run.name=other", "folder", "its own folder"),
        ("run.folder=other", "", "its own folder"),
        ("trainer.accumulate_grad_batches=2", "1", "steps of an epoch"),
        ("trainer.limit_train_batches=2", "null", "steps of an epoch"),
        ("trainer.max_epochs=1", "2", "it has done 2"),
        ("trainer.max_steps=5", "-1", "it has done 6"),
    ],
)
def test_what_would_not_count_is_refused_before_anything_is_written(
    setting: str, old: str, why: str, run: Path, capsys: pytest.CaptureFixture
) -> None:
    before = contents(run)
    name, _, new = setting.partition("=")
    said = error_of(capsys, "--resume", str(run), f"--{setting}")
    assert f"cannot go on with --{name} {new}, which was {old}" in said
    assert why in said
    assert "begin another run: facenet-train --config" in said
    assert contents(run) == before


def test_after_a_refusal_the_run_goes_on_as_ever(
    run: Path, begun: Path, capsys: pytest.CaptureFixture
) -> None:
    error_of(capsys, "--resume", str(run), "--model.optimizer=AdamW")
    assert main(["--resume", str(run)]) == 0
    now, before = (yaml.safe_load((each / "config.yaml").read_text()) for each in (run, begun))
    assert now == before


def test_a_step_has_the_same_number_of_photos_on_any_number_of_devices(
    run: Path, capsys: pytest.CaptureFixture
) -> None:
    before = contents(run)
    said = error_of(capsys, "--resume", str(run), "--data.batch_size=2")
    assert "--data.batch_size 2 on 1 device: it has counted its steps by 4 photos" in said
    assert "Set --data.batch_size 4" in said
    assert contents(run) == before
    check_step(before=12, batch_size=4, num_devices=3)
    with pytest.raises(UserError, match=r"`data\.batch_size` 6"):
        check_step(before=12, batch_size=4, num_devices=2)
    with pytest.raises(UserError, match="devices that divides 12"):
        check_step(before=12, batch_size=3, num_devices=5)


def test_of_another_class_its_settings_are_not_named_too() -> None:
    before = {"optimizer": "SGD", "optimizer.lr": 0.1, "optimizer.momentum": 0.9, "seed": 1}
    now = {"optimizer": "AdamW", "optimizer.lr": 0.3, "seed": 2, "new": None}
    assert changed(before, now) == {"optimizer": ("SGD", "AdamW"), "seed": (1, 2)}


def test_a_note_is_one_line_whatever_a_setting_is() -> None:
    (note,) = notes({"data.source.root": ("a", "b\nrun:\n  name: x")}, RunProgress(3, 9, 4))
    assert note == r'# After epoch 3: data.source.root "b\nrun:\n  name: x", before a'


def test_config_yaml_stays_where_the_state_does_not_fit(
    run: Path, people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    other = follow(arguments(people_folder, tmp_path, "--model.network.channels=[4,6]")).folder
    shutil.copy(other / "checkpoints/last.ckpt", run / "checkpoints/last.ckpt")
    before = (run / "config.yaml").read_text()
    said = error_of(capsys, "--resume", str(run), "--run.patience=3", "--trainer.max_epochs=3")
    assert "do not fit these settings" in said
    assert (run / "config.yaml").read_text() == before


# What changes


def test_rate_decay_and_momentum_count_from_the_next_step_on(run: Path) -> None:
    before = last(run)["state_dict"]
    flags = [f"--model.optimizer.{name}=0" for name in ("lr", "momentum", "weight_decay")]
    flags += ["--model.optimizer.first_layer_weight_decay=0.5", "--trainer.max_epochs=3"]
    follow(["--resume", str(run), *flags])
    after = last(run)
    assert after["epoch"] == 2
    for name, value in after["state_dict"].items():
        if name.endswith((".weight", ".bias")):
            assert torch.equal(value, before[name]), "at a rate of 0 no weight moves"
    groups = after["optimizer_states"][0]["param_groups"]
    assert [group["weight_decay"] for group in groups] == [0.5, 0, 0]
    assert {(group["lr"], group["momentum"], group["nesterov"]) for group in groups} == {
        (0, 0, False)
    }
    assert after["lr_schedulers"][0]["base_lrs"] == [0, 0, 0]


def test_the_course_of_the_rate_is_that_of_all_epochs_there_will_be(run: Path) -> None:
    follow(["--resume", str(run), "--trainer.max_epochs=4", "--model.optimizer.lr=0.02"])
    course = Schedule()
    # After the last step of each epoch.
    expected = [0.05 * course.factor(0.5), 0.05 * course.factor(1)]
    expected += [0.02 * course.factor(0.75), 0.02 * course.factor(1)]
    assert rates(run) == pytest.approx(expected, rel=1e-5)


def test_another_course_of_the_rate(run: Path) -> None:
    follow(["--resume", str(run), "--trainer.max_epochs=3", "--model.schedule.name=constant"])
    assert rates(run)[-1] == pytest.approx(0.05)


@pytest.mark.parametrize("patience", [3, 0])
def test_patience(patience: int, people_folder: Path, tmp_path: Path) -> None:
    """With a rate of 0 only the batch statistics move, so the loss soon stops falling."""
    args = ["--run.patience=1", "--model.optimizer.lr=0", "--trainer.max_epochs=30"]
    run = follow(arguments(people_folder, tmp_path, *args))
    best = torch.load(run.folder / "checkpoints/best.ckpt", weights_only=True)["epoch"] + 1
    assert run.metrics["epochs"] == best + 1
    assert follow(["--resume", str(run.folder)]).metrics["epochs"] == best + 1, "it is at its end"
    assert main(["--resume", str(run.folder), f"--run.patience={patience}"]) == 0
    metrics = json.loads((run.folder / "metrics.json").read_text())
    if patience:
        best = torch.load(run.folder / "checkpoints/best.ckpt", weights_only=True)["epoch"] + 1
        assert metrics["epochs"] == best + patience
        assert metrics["stopped"] == f"no better validation loss for {patience} epochs"
    else:
        assert metrics["epochs"] == 30


def test_config_yaml_says_since_when(run: Path) -> None:
    follow(["--resume", str(run), "--model.optimizer.lr=0.02", "--trainer.max_epochs=3"])
    follow(["--resume", str(run), "--run.false_accept_rate=0.1"])
    text = (run / "config.yaml").read_text()
    assert text.splitlines()[:3] == [
        "# After epoch 2: model.optimizer.lr 0.02, before 0.05",
        "# After epoch 2: trainer.max_epochs 3, before 2",
        "# After epoch 3: run.false_accept_rate 0.1, before 0.01",
    ]
    config = yaml.safe_load(text)
    assert config["model"]["optimizer"]["init_args"]["lr"] == 0.02
    assert config["trainer"]["max_epochs"] == 3
    assert config["run"]["false_accept_rate"] == 0.1


def test_photos_may_have_moved(people_folder: Path, tmp_path: Path) -> None:
    people = shutil.copytree(people_folder, tmp_path / "people")
    run = follow(arguments(people, tmp_path / "runs")).folder
    people.rename(tmp_path / "moved")
    follow(["--resume", str(run), f"--data.source.root={tmp_path / 'moved'}"])
    assert f"root: {tmp_path / 'moved'}" in (run / "config.yaml").read_text()


def test_where_nothing_was_learned_yet_all_may_change(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    again = follow(["--resume", str(run), "--model.network.channels=[4,6]", "--data.batch_size=6",
                   "--seed_everything=1", "--model.optimizer=AdamW"])  # fmt: skip
    assert again.folder == run
    assert last(run)["global_step"] == 2 * 2
    text = (run / "config.yaml").read_text()
    assert yaml.safe_load(text)["model"]["network"]["init_args"]["channels"] == [4, 6]
    assert "# After" not in text


def test_on_two_devices_with_half_the_batch_each(run: Path) -> None:
    command = [
        sys.executable, str(CONFIGS.parent / "scripts/train.py"), "--resume", str(run),
        "--trainer.max_epochs=3", "--data.batch_size=2", "--trainer.devices=2",
        "--trainer.strategy=ddp", "--trainer.accelerator=cpu",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert last(run)["global_step"] == 3 * STEPS
    assert json.loads((run / "metrics.json").read_text())["epochs"] == 3
