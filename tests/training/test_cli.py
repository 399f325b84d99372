from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from drawing import draw_people
from PIL import Image
from small_training import SMALL, config_of, quick

from facenet_demo.faces.detect import FaceDetector
from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, follow, main, parse

ROOT = CONFIGS.parent


@pytest.fixture(scope="module")
def run_folder(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on drawn people; read only."""
    return follow(quick(people_folder, tmp_path_factory.mktemp("runs"))).folder


# What a run leaves behind


def test_a_run_folder_holds_all_that_made_it(run_folder: Path) -> None:
    names = {path.name for path in run_folder.iterdir()}
    assert {"config.yaml", "environment.json", "splits.json", "metrics.json", "curves.png"} <= names
    assert {p.name for p in (run_folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    config = yaml.safe_load((run_folder / "config.yaml").read_text())
    assert config["model"]["network"]["init_args"]["channels"] == [4, 8]
    assert config["trainer"]["max_epochs"] == 2
    with Image.open(run_folder / "curves.png") as picture:
        assert picture.width > picture.height > 300


def test_metrics_are_flat_and_finite(run_folder: Path) -> None:
    metrics = json.loads((run_folder / "metrics.json").read_text())
    scores = {f"{stage}/{name}" for stage in ("val", "test")
              for name in ("loss", "accuracy", "top5_accuracy", "macro_f1")}  # fmt: skip
    assert scores <= metrics.keys()
    assert all(np.isfinite(v) for v in metrics.values() if isinstance(v, int | float))
    assert metrics["epochs"] == 2
    assert metrics["stopped"] == "all epochs done"


def test_the_saved_config_repeats_the_run(run_folder: Path, tmp_path: Path) -> None:
    again = follow([f"--config={run_folder / 'config.yaml'}", f"--run.folder={tmp_path}"])
    first, second = (
        torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for folder in (run_folder, again.folder)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_is_another_network(run_folder: Path, tmp_path: Path) -> None:
    config = run_folder / "config.yaml"
    other = follow([f"--config={config}", f"--run.folder={tmp_path}", "--seed_everything=1"])
    first = load_checkpoint(run_folder / "checkpoints/last.ckpt").network.first_kernels
    assert not torch.equal(first, other.task.network.first_kernels.cpu())


def test_the_checkpoint_alone_repeats_the_test_score(run_folder: Path, people_folder: Path) -> None:
    from facenet_demo.data.datamodule import DataSettings
    from facenet_demo.data.sources import Folder
    from facenet_demo.data.splits import SplitSettings

    trained = load_checkpoint(run_folder / "checkpoints/best.ckpt")
    metrics = json.loads((run_folder / "metrics.json").read_text())
    data = DataSettings(
        Folder(people_folder), window=trained.window, split=SplitSettings(val=0.15, test=0.2)
    ).build()
    rows = data.split.rows["test"]
    with torch.no_grad():
        named = trained.network.recognize(data.windows(rows))[1].argmax(1).numpy()
    truth = [data.crops.people[row] for row in rows]
    right = np.mean([trained.people[n] == person for n, person in zip(named, truth, strict=True)])
    assert right == pytest.approx(metrics["test/accuracy"])


def test_the_split_that_is_saved_is_the_one_used(run_folder: Path, people_folder: Path) -> None:
    split = json.loads((run_folder / "splits.json").read_text())
    files = split["train"] + split["val"] + split["test"]
    assert sorted(files) == sorted(str(path) for path in people_folder.glob("*/*.png"))


# Settings


@pytest.mark.parametrize(
    "config", ["orl.yaml", "lfw.yaml", "lfw_gpu.yaml", "lfw7.yaml", "folder.yaml"]
)
def test_every_shipped_config_trains(
    config: str, tmp_path: Path, people_folder: Path, request: pytest.FixtureRequest
) -> None:
    args = [f"--config={CONFIGS / config}", f"--run.folder={tmp_path}", "--trainer.max_epochs=1"]
    if config == "folder.yaml":
        args.append(f"--data.source.root={people_folder}")
    elif config.startswith("lfw"):
        args.append(f"--data.source.root={request.getfixturevalue('lfw_folder')}")
        args += ["--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1"]
        args += ["--trainer.limit_test_batches=1"]
    run = follow([*args, "--trainer.enable_progress_bar=false"])
    people = {
        "orl.yaml": 40, "lfw.yaml": 62, "lfw_gpu.yaml": 62, "lfw7.yaml": 7, "folder.yaml": 3
    }  # fmt: skip
    assert len(run.data.people) == people[config]
    assert (run.folder / "metrics.json").exists()


def test_every_shipped_config_says_command_time_and_score() -> None:
    for config in CONFIGS.glob("*.yaml"):
        header = [line for line in config.read_text().splitlines() if line.startswith("#")]
        text = " ".join(header)
        assert f"configs/{config.name}" in text or config.name == "orl.yaml"
        assert all(word in text for word in ("Command", "Time", "Score")), config


@pytest.mark.parametrize("flags_first", [True, False])
def test_a_flag_wins_over_a_file_wherever_it_stands(
    flags_first: bool, people_folder: Path, tmp_path: Path
) -> None:
    config, *flags = quick(people_folder, tmp_path, "--model.network.dropout=0.125",
                           "--run.draw_every=0")  # fmt: skip
    run = follow([*flags, config] if flags_first else [config, *flags])
    assert run.task.network_settings.dropout == 0.125
    assert run.task.network_settings.channels == (4, 8)


def test_a_torchvision_network_takes_face_cnns_place(people_folder: Path, tmp_path: Path) -> None:
    args = quick(people_folder, tmp_path)
    args.remove(SMALL[0])
    run = follow([*args, "--model.network=Torchvision", "--model.network.name=resnet18",
                 "--trainer.max_epochs=1"])  # fmt: skip
    assert type(load_checkpoint(run.folder / "checkpoints/best.ckpt").network.body).__name__ == (
        "ResNet"
    )


def test_early_stopping_ends_the_run_and_keeps_the_best(
    people_folder: Path, tmp_path: Path
) -> None:
    args = ["--trainer.max_epochs=50", "--run.patience=2", "--run.draw_every=0",
            "--model.optimizer.lr=0.0"]  # fmt: skip
    run = follow(quick(people_folder, tmp_path, *args))
    best, last = (
        torch.load(run.folder / f"checkpoints/{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    )
    assert last - best == 2
    assert run.metrics["epochs"] == last + 1
    # With a rate of 0 only the batch statistics move, so the loss soon stops falling.
    assert run.metrics["epochs"] < 50
    assert run.metrics["stopped"] == "no better validation loss for 2 epochs"


def test_without_validation_photos_the_last_epoch_is_kept(
    people_folder: Path, tmp_path: Path
) -> None:
    run = follow(quick(people_folder, tmp_path, "--data.split.val=0"))
    best, last = (
        torch.load(run.folder / f"checkpoints/{name}.ckpt", weights_only=True)
        for name in ("best", "last")
    )
    assert best["epoch"] == last["epoch"] == 1
    assert "val/accuracy" not in run.metrics


def test_a_trial_run_goes_through_and_leaves_no_scores(people_folder: Path, tmp_path: Path) -> None:
    run = follow(quick(people_folder, tmp_path, "--trainer.fast_dev_run=true"))
    assert run.metrics["epochs"] == 1
    assert not (run.folder / "metrics.json").exists()


# What goes wrong


def error_of(capsys: pytest.CaptureFixture, *args: str) -> str:
    capsys.readouterr()
    assert main(args) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    return " ".join(printed.err.split())


def test_a_folder_that_is_not_there(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    error = error_of(capsys, *quick(tmp_path / "nobody", tmp_path))
    assert "does not exist" in error
    assert not list(tmp_path.iterdir()), "no run folder without a run"


def test_a_folder_without_faces(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    for person in ("a", "b"):
        (tmp_path / person).mkdir()
        Image.new("RGB", (64, 64), "grey").save(tmp_path / person / "0.png")
        (tmp_path / person / "notes.txt").write_text("no photo")
    error = error_of(capsys, *quick(tmp_path, tmp_path / "runs"))
    assert "No faces found" in error
    assert "one folder of photos per person" in error


def test_one_person_cannot_be_told_apart(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    draw_people(tmp_path / "people", num_people=1, num_photos=4)
    error = error_of(capsys, *quick(tmp_path / "people", tmp_path / "runs"))
    assert "At least two people" in error


@pytest.mark.parametrize(
    "setting",
    ["model.network.dropout=1.5", "data.batch_size=0", "data.window=0", "data.num_workers=-1",
     "run.patience=-1", "run.draw_every=-2", "run.false_accept_rate=1", "seed_everything=-1",
     "data.face_scale=0", "data.augment.scale=-1", "data.augment.flip=2",
     "model.schedule.warmup=1", "model.optimizer.lr=-1", "model.optimizer.momentum=1",
     "model.objective.label_smoothing=2", "trainer.accumulate_grad_batches=0",
     "trainer.check_val_every_n_epoch=0"],
)  # fmt: skip
def test_a_setting_that_its_class_refuses(
    setting: str, capsys: pytest.CaptureFixture, people_folder: Path, tmp_path: Path
) -> None:
    name = setting.partition("=")[0].rpartition(".")[2]
    assert f"{name} must be" in error_of(capsys, *quick(people_folder, tmp_path, f"--{setting}"))


@pytest.mark.parametrize("setting", ["max_epochs=-5", "devices=0"])
def test_a_setting_that_the_trainer_refuses(
    setting: str, capsys: pytest.CaptureFixture, people_folder: Path, tmp_path: Path
) -> None:
    error = error_of(capsys, *quick(people_folder, tmp_path, f"--trainer.{setting}"))
    assert "settings under --trainer do not work here" in error


def test_landmarks_that_nobody_knows_are_not_learned(
    capsys: pytest.CaptureFixture, people_folder: Path, tmp_path: Path
) -> None:
    args = ["--data.target=landmarks", "--data.undetected=centre"]
    assert "landmarks nobody knows" in error_of(capsys, *quick(people_folder, tmp_path, *args))


def test_a_network_too_deep_for_the_window(
    capsys: pytest.CaptureFixture, people_folder: Path, tmp_path: Path
) -> None:
    error = error_of(capsys, *quick(people_folder, tmp_path, "--data.window=8"), SMALL[0],
                     "--model.network.channels=[4,4,4,4,4]")  # fmt: skip
    assert "does not take windows of 8 x 8 pixels" in error


def test_without_an_end_only_a_constant_rate_is_possible(
    capsys: pytest.CaptureFixture, people_folder: Path, tmp_path: Path
) -> None:
    endless = quick(people_folder, tmp_path, "--trainer.max_epochs=-1", "--trainer.max_steps=4")
    assert main([*endless, "--model.schedule.name=constant"]) == 0
    endless[endless.index("--trainer.max_steps=4")] = "--trainer.max_time=00:00:00:02"
    assert "set --trainer.max_epochs" in error_of(capsys, *endless)


def test_a_torchvision_name_that_does_not_exist(
    capsys: pytest.CaptureFixture, people_folder: Path, tmp_path: Path
) -> None:
    args = quick(people_folder, tmp_path)
    args.remove(SMALL[0])
    args += ["--model.network=Torchvision", "--model.network.name=resnet19"]
    assert "Did you mean: resnet18" in error_of(capsys, *args)


@pytest.mark.parametrize("args", [["--no.such.setting=1"], ["--trainer.max_epochs=many"]])
def test_an_unknown_or_misfit_setting_is_wrong_use(
    capsys: pytest.CaptureFixture, args: list[str]
) -> None:
    assert "See --help" in error_of(capsys, *args)


def test_bad_files_are_named_and_skipped(
    capsys: pytest.CaptureFixture, people_folder: Path, tmp_path: Path
) -> None:
    people = draw_people(tmp_path / "people", num_people=3, num_photos=6)
    (people / "p0" / "empty.jpg").touch()
    (people / "p1" / "text.jpg").write_text("hello")
    whole = (people / "p2" / "0.png").read_bytes()
    (people / "p2" / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (64, 64), "grey").save(people / "p2" / "nobody.png")
    run = follow(quick(people, tmp_path / "runs", "--run.draw_every=0"))
    left_out = json.loads((run.folder / "splits.json").read_text())["left_out"]
    reasons = {Path(entry["file"]).name: entry["reason"] for entry in left_out}
    assert reasons.keys() == {"empty.jpg", "text.jpg", "cut.png", "nobody.png"}
    assert reasons["empty.jpg"] == "empty file"
    assert reasons["text.jpg"] == "not an image"
    assert reasons["nobody.png"] == "no face found"
    assert "4 photos" in capsys.readouterr().err


def test_ctrl_c_while_faces_are_found_is_no_traceback(
    capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = draw_people(tmp_path / "people", num_people=2, num_photos=4, size=80)

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FaceDetector, "__call__", interrupt)
    assert main(quick(people, tmp_path / "runs")) == 130
    assert "Interrupted" in capsys.readouterr().err


# The script


def test_the_script_trains_in_a_process_of_its_own(people_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/train.py"), *quick(people_folder, tmp_path)]
    env = {**os.environ, "COLUMNS": "120"}
    result = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    for word in ("Device", device, "3 people", "Accuracy", "Macro F1", "tensorboard --logdir"):
        assert word in result.stderr


def test_help_teaches() -> None:
    command = [sys.executable, str(ROOT / "scripts/train.py"), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for word in ("configs/lfw.yaml", "--model.network.dropout", "--trainer.max_epochs",
                 "--data.source.root", "Naming tells people apart"):  # fmt: skip
        assert word in text
    lines = text.splitlines()
    assert lines[0] == "usage: train.py [--config FILE] [--SETTING VALUE ...]"
    assert max(map(len, lines[:16])) > 79, "the examples keep their lines"
    assert text.index("--run.folder") < text.index("--trainer.accelerator")


@pytest.mark.parametrize("resident", ["auto", "always"])
def test_two_processes_share_one_run(resident: str, people_folder: Path, tmp_path: Path) -> None:
    """Each photo counts once: 3 validate and test, which two devices cannot share evenly."""
    args = quick(people_folder, tmp_path / "runs", "--data.batch_size=4", "--trainer.devices=2",
                 "--trainer.strategy=ddp", "--trainer.accelerator=cpu",
                 f"--data.resident={resident}")  # fmt: skip
    env = {**os.environ, "FACENET_DEMO_CACHE": str(tmp_path / "cache")}
    result = subprocess.run(
        [sys.executable, str(ROOT / "scripts/train.py"), *args],
        capture_output=True, text=True, env=env, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("Finding faces") == 1
    (run,) = (tmp_path / "runs").iterdir()
    metrics = json.loads((run / "metrics.json").read_text())
    trained = load_checkpoint(run / "checkpoints/best.ckpt")
    from facenet_demo.data.datamodule import DataSettings
    from facenet_demo.data.sources import Folder
    from facenet_demo.data.splits import SplitSettings

    data = DataSettings(Folder(people_folder), split=SplitSettings(val=0.15, test=0.2)).build()
    for stage in ("val", "test"):
        rows = data.split.rows[stage]
        labels = torch.from_numpy(data.split.labels[rows])
        with torch.no_grad():
            _, scores = trained.network.recognize(data.windows(rows))
        loss = torch.nn.functional.cross_entropy(scores, labels, label_smoothing=0.1)
        assert metrics[f"{stage}/loss"] == pytest.approx(float(loss), abs=1e-5)
        right = (scores.argmax(1) == labels).float().mean()
        assert metrics[f"{stage}/accuracy"] == pytest.approx(float(right))
    projector = next(run.glob("**/metadata.tsv")).read_text().splitlines()
    assert sorted(projector) == ["p0", "p1", "p2"]


def test_torchrun_makes_one_run_folder(people_folder: Path, tmp_path: Path) -> None:
    """Also where it is started by a process that trained before, such as a notebook's kernel."""
    before = follow(quick(people_folder, tmp_path / "runs", "--run.draw_every=0")).folder
    checkpoint = (before / "checkpoints/last.ckpt").read_bytes()
    args = quick(people_folder, tmp_path / "runs", "--data.batch_size=4", "--trainer.devices=2",
                 "--trainer.strategy=ddp", "--trainer.accelerator=cpu",
                 "--run.draw_every=0")  # fmt: skip
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*launch, str(ROOT / "scripts/train.py"), *args],
        capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    (run,) = (folder for folder in (tmp_path / "runs").iterdir() if folder != before)
    assert json.loads((run / "metrics.json").read_text())["epochs"] == 2
    assert (before / "checkpoints/last.ckpt").read_bytes() == checkpoint


@pytest.mark.parametrize("setting", ["precision=bf16-mixed", "accumulate_grad_batches=2"])
def test_lightnings_settings_work(setting: str, people_folder: Path, tmp_path: Path) -> None:
    args = quick(people_folder, tmp_path, "--data.batch_size=4", "--run.draw_every=1")
    run = follow([*args, f"--trainer.{setting}"])
    saved = torch.load(run.folder / "checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == (4 if "accumulate" in setting else 6)
    assert run.task.network.first_kernels.dtype == torch.float32
    assert np.isfinite(run.metrics["test/loss"])


@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="no C++ compiler")
def test_a_compiled_network_trains_alike_and_its_checkpoint_loads(
    people_folder: Path, tmp_path: Path
) -> None:
    plain, compiled = (
        follow(
            quick(people_folder, tmp_path, "--run.draw_every=0", "--model.network.dropout=0", *more)
        )
        for more in ((), ("--model.torch_compile=true",))
    )
    expected, found = (
        load_checkpoint(run.folder / "checkpoints/last.ckpt").network.state_dict()
        for run in (plain, compiled)
    )
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)


def test_without_a_compiler_the_message_says_what_to_do(
    people_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def broken(function: object, mode: object = None) -> object:
        def fails(*args: object) -> None:
            raise RuntimeError("No working C++ compiler found\nand much more")

        return fails

    monkeypatch.setattr(torch, "compile", broken)
    assert main(quick(people_folder, tmp_path, "--model.torch_compile=true")) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "No working C++ compiler found. It needs a C++ compiler" in said
    assert "train without --model.torch_compile" in said


def test_a_step_cannot_be_captured_on_a_cpu(
    people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    flags = ["--model.torch_compile=reduce-overhead", "--trainer.accelerator=cpu"]
    assert main(quick(people_folder, tmp_path, *flags)) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "--model.torch_compile reduce-overhead has no effect on a CPU" in said
    assert "Set it true or false, or train on a GPU: --trainer.accelerator gpu." in said


def test_captured_steps_cannot_accumulate_gradients(
    people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    flags = ["--model.torch_compile=reduce-overhead", "--trainer.accelerator=cpu"]
    several = "--trainer.accumulate_grad_batches=2"
    assert main(quick(people_folder, tmp_path, *flags, several)) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "--model.torch_compile reduce-overhead cannot accumulate gradients" in said


def test_compiling_is_switched_on_or_asked_for_by_its_mode() -> None:
    for text, value in (("true", True), ("false", False), ("reduce-overhead", "reduce-overhead")):
        assert parse([f"--model.torch_compile={text}"]).recipe.torch_compile == value
    with pytest.raises(UserError, match="torch_compile"):
        parse(["--model.torch_compile=fast"])


def test_one_device_unless_more_are_asked_for() -> None:
    assert config_of([])["trainer"]["devices"] == 1
    assert config_of(["--trainer.devices=auto"])["trainer"]["devices"] == "auto"


@pytest.mark.parametrize("val", [0, 1])
def test_a_training_that_diverges_says_so(
    val: int, people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    args = [
        "--model.network.normalization=none", "--model.optimizer.lr=1e30",
        "--model.schedule.name=constant", f"--data.split.val={val}",
    ]  # fmt: skip
    assert main(quick(people_folder, tmp_path, *args)) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "The training diverged: the loss of epoch" in said
    assert "Lower --model.optimizer.lr" in said
    (run,) = tmp_path.iterdir()
    assert not (run / "metrics.json").exists()


def test_threads_may_parse_at_the_same_time(tmp_path: Path) -> None:
    """Each of them changes the working folder for a moment, and must find its way back."""
    configs = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        configs.append(tmp_path / str(number) / "c.yaml")
        configs[-1].write_text(f"seed_everything: {number}")
    before = Path.cwd()
    with ThreadPoolExecutor(4) as pool:
        parsed = list(pool.map(lambda config: parse([f"--config={config}"]), configs * 3))
    assert [command.recipe.seed for command in parsed] == [0, 1, 2, 3] * 3
    assert Path.cwd() == before
