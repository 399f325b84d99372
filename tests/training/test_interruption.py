"""A run that was stopped and goes on ends like one that never stopped."""

from __future__ import annotations

import io
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from drawing import draw_people
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, follow, main
from facenet_demo.training.history import History
from facenet_demo.training.interruption import WholeCheckpoints, read_progress

EPOCHS, STEPS = 4, 3


def arguments(people: Path, runs: Path, *more: str) -> list[str]:
    """12 photos teach, 4 in a step."""
    return [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        f"--run.folder={runs}", f"--trainer.max_epochs={EPOCHS}", "--data.batch_size=4",
        "--run.draw_every=2", "--model.network.channels=[4,8]",
        "--trainer.enable_progress_bar=false", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def whole(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing stopped; read only."""
    return follow(arguments(people_folder, tmp_path_factory.mktemp("whole"))).folder


def checkpoint(run: Path, name: str) -> dict[str, Any]:
    return torch.load(run / f"checkpoints/{name}.ckpt", "cpu", weights_only=True)


def history(content: dict[str, Any]) -> dict[str, Any]:
    (state,) = (v for k, v in content["callbacks"].items() if k.startswith("History"))
    return state


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    found = {}
    for stage in ("train", "val"):
        events = EventAccumulator(str(run / stage)).Reload()
        for tag in events.Tags()["scalars"]:
            found[f"{stage}/{tag}"] = [(e.step, e.value) for e in events.Scalars(tag)]
    return found


def assert_same_end(run: Path, whole: Path) -> None:
    for name in ("best", "last"):
        found, expected = checkpoint(run, name), checkpoint(whole, name)
        assert (found["epoch"], found["global_step"]) == (
            expected["epoch"],
            expected["global_step"],
        )
        for part in ("state_dict", "optimizer_states", "lr_schedulers"):
            torch.testing.assert_close(found[part], expected[part], rtol=0, atol=0)
        assert history(found)["epochs"] == history(expected)["epochs"]
        assert history(found)["num_photos"] == history(expected)["num_photos"]
    assert scalars(run) == scalars(whole)
    events = EventAccumulator(str(run), size_guidance={"images": 0}).Reload()
    assert [image.step for image in events.Images("kernels")] == [0, 2, 4]


def stop_at(
    monkeypatch: pytest.MonkeyPatch, epoch: int, step: int, act: Callable[[], None]
) -> None:
    count = History.on_train_batch_end

    def counted(self: History, trainer: Any, module: Any, *args: Any) -> None:
        count(self, trainer, module, *args)
        if (trainer.current_epoch, args[-1]) == (epoch, step):
            act()

    monkeypatch.setattr(History, "on_train_batch_end", counted)


# Python 3.12 warns of every fork in a process with threads; what is forked here only reads.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(
    ("number", "epoch", "step"),
    [(signal.SIGINT, 0, 0), (signal.SIGTERM, 2, 1), (signal.SIGINT, 1, STEPS - 1)],
    ids=["first step", "mid-epoch", "epoch's end"],
)
def test_a_signal_ends_the_run_and_resuming_ends_it_as_if_nothing_had_happened(
    whole: Path,
    people_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    number: int,
    epoch: int,
    step: int,
    num_workers: int,
) -> None:
    workers = f"--data.num_workers={num_workers}"
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        stop_at(patch, epoch, step, lambda: os.kill(os.getpid(), number))
        assert main(arguments(people_folder, tmp_path, workers)) == 128 + number
    assert signal.getsignal(number) == before
    (run,) = tmp_path.iterdir()
    said = "".join(capsys.readouterr().err.split())  # a long path goes on in the next line
    assert f"Togoon:facenet-train--resume{run}" in said
    done = checkpoint(run, "last")["global_step"]
    assert done == epoch * STEPS + step + 1
    assert main(["--resume", str(run)]) == 0
    assert_same_end(run, whole)
    assert [p.name for p in tmp_path.iterdir()] == [run.name], "the same run folder"


def test_crops_on_the_device_teach_the_same_also_if_interrupted(
    whole: Path, people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 2, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert main(arguments(people_folder, tmp_path, "--data.resident=always")) == 143
    (run,) = tmp_path.iterdir()
    assert main(["--resume", str(run)]) == 0
    assert_same_end(run, whole)


def test_metrics_of_an_interrupted_epoch_count_all_its_steps(
    whole: Path, people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (0, 1):
        with monkeypatch.context() as patch:
            stop_at(patch, 1, step, lambda: os.kill(os.getpid(), signal.SIGINT))
            args = arguments(people_folder, tmp_path)
            assert main(["--resume", str(next(tmp_path.iterdir()))] if step else args) == 130
    (run,) = tmp_path.iterdir()
    main(["--resume", str(run)])
    assert_same_end(run, whole)


def test_gradients_that_wait_for_the_next_batch_are_not_lost(
    people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def args(name: str) -> list[str]:
        return arguments(people_folder, tmp_path / name, "--trainer.accumulate_grad_batches=2")

    with monkeypatch.context() as patch:
        stop_at(patch, 2, 0, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert main(args("a")) == 130
    (run,) = (tmp_path / "a").iterdir()
    assert checkpoint(run, "last")["global_step"] == 2 * 2 + 1, "it stopped after two batches"
    assert main(["--resume", str(run)]) == 0
    assert_same_end(run, follow(args("b")).folder)


def test_loaders_made_anew_in_each_epoch_leave_out_steps_of_the_interrupted_one_only(
    people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = "--trainer.reload_dataloaders_every_n_epochs=1"
    with monkeypatch.context() as patch:
        stop_at(patch, 1, 1, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert main(arguments(people_folder, tmp_path / "a", anew)) == 130
    (run,) = (tmp_path / "a").iterdir()
    assert main(["--resume", str(run)]) == 0
    assert checkpoint(run, "last")["global_step"] == EPOCHS * STEPS
    assert_same_end(run, follow(arguments(people_folder, tmp_path / "b", anew)).folder)


def test_a_second_signal_does_not_wait(
    people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = []

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("after")

    stop_at(monkeypatch, 1, 1, twice)
    assert main(arguments(people_folder, tmp_path)) == 130
    assert not reached
    (run,) = tmp_path.iterdir()
    assert read_progress(run / "checkpoints/last.ckpt").epochs == 1


def test_a_run_that_was_moved_goes_on_with_its_best_epoch(
    whole: Path,
    people_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 3, 0, lambda: os.kill(os.getpid(), signal.SIGTERM))
        main(arguments(people_folder, tmp_path / "before"))
    (run,) = (tmp_path / "before").iterdir()
    # As if the first epoch had been the best one.
    last = checkpoint(run, "last")
    for name, state in last["callbacks"].items():
        if "'val/loss'" in name and name.startswith("MovableCheckpoint"):
            state["best_model_score"] = state["kth_value"] = torch.tensor(-1.0)
            state["best_k_models"] = dict.fromkeys(state["best_k_models"], torch.tensor(-1.0))
    torch.save(last, run / "checkpoints/last.ckpt")
    best = (run / "checkpoints/best.ckpt").read_bytes()
    moved = run.rename(tmp_path / "moved")
    assert main(["--resume", str(moved)]) == 0
    assert checkpoint(moved, "last")["epoch"] == EPOCHS - 1
    weights = torch.load(io.BytesIO(best), "cpu", weights_only=True)["state_dict"]
    torch.testing.assert_close(checkpoint(moved, "best")["state_dict"], weights, rtol=0, atol=0)
    assert main(["--resume", str(moved)]) == 0, "a finished run too"
    assert not (tmp_path / "before" / run.name).exists()


@pytest.mark.parametrize("val", [0, 1])
def test_with_fewer_validations_than_epochs_all_work_is_saved(
    val: int, people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rarely = ["--trainer.check_val_every_n_epoch=3", f"--data.split.val={val}"]
    with monkeypatch.context() as patch:
        # In the last step, after which the epoch ends.
        stop_at(patch, 1, STEPS - 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert main(arguments(people_folder, tmp_path, *rarely)) == 128 + signal.SIGTERM
    (run,) = tmp_path.iterdir()
    assert checkpoint(run, "last")["epoch"] == 1
    if not val:
        load_checkpoint(run)
        assert checkpoint(run, "best")["epoch"] == 1
    assert main(["--resume", str(run)]) == 0
    assert checkpoint(run, "last")["epoch"] == EPOCHS - 1
    assert checkpoint(run, "best")["epoch"] == (2 if val else EPOCHS - 1)


def test_a_clock_that_was_set_back_neither_stops_a_run_nor_mixes_its_curves(
    whole: Path, people_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 2, 1, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert main(arguments(people_folder, tmp_path)) == 130
    (run,) = tmp_path.iterdir()
    for path in list(run.rglob("events.out.tfevents.*")):
        head, stamp, rest = re.split(r"(\d{10})", path.name, maxsplit=1)
        path.rename(path.with_name(f"{head}{int(stamp) + 3 * 24 * 3600}{rest}"))
    assert main(["--resume", str(run)]) == 0
    assert_same_end(run, whole)


def test_more_epochs_after_the_last_one(whole: Path, people_folder: Path, tmp_path: Path) -> None:
    """A constant rate does not know how many epochs there will be."""
    constant = "--model.schedule.name=constant"
    follow(arguments(people_folder, tmp_path / "a", constant, "--trainer.max_epochs=2"))
    (run,) = (tmp_path / "a").iterdir()
    follow(["--resume", str(run), "--trainer.max_epochs=4"])
    expected = follow(arguments(people_folder, tmp_path / "b", constant)).folder
    assert_same_end(run, expected)
    assert "max_epochs: 4" in (run / "config.yaml").read_text()


def test_a_finished_run_is_tested_again(
    people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = follow(arguments(people_folder, tmp_path, "--trainer.max_epochs=1"))
    again = follow(["--resume", str(run.folder)])
    assert {k: v for k, v in again.metrics.items() if k != "photos_per_second"} == {
        k: v for k, v in run.metrics.items() if k != "photos_per_second"
    }
    events = EventAccumulator(str(run.folder), size_guidance={"images": 0}).Reload()
    for page in ("test/confusion_matrix", "test/reliability"):
        assert len(events.Images(page)) == 1, "it is not drawn again"


def test_a_run_does_not_go_on_with_other_photos(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    people = draw_people(tmp_path / "people", num_people=3, num_photos=6)
    run = follow(arguments(people, tmp_path / "runs", "--trainer.max_epochs=1")).folder
    recorded = (run / "splits.json").read_text()
    (people / "p1" / "0.png").rename(people / "p1" / "another.png")
    assert main(["--resume", str(run)]) == 2
    assert "The photos have changed since this run began" in capsys.readouterr().err
    assert (run / "splits.json").read_text() == recorded


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_what_is_no_run_cannot_go_on(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["--resume", str(tmp_path / folder)]) == 2
    assert "it has no config.yaml" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_checkpoint_is_named(
    people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = follow(arguments(people_folder, tmp_path, "--trainer.max_epochs=1")).folder
    last = run / "checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    assert main(["--resume", str(run)]) == 2
    assert "last.ckpt" in capsys.readouterr().err


# Checkpoints that cannot be written


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """What a full disk does, to files that grow past `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_where_a_checkpoint_does_not_fit_the_one_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    saver, first = WholeCheckpoints(), {"a": torch.arange(5)}
    saver.save_checkpoint(first, path)
    with files_at_most(10_000), pytest.raises(UserError, match=r"could not be written.*is whole"):
        saver.save_checkpoint({"a": torch.rand(100_000)}, path)
    assert torch.equal(torch.load(path, weights_only=True)["a"], first["a"])
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.usefixtures("whole")  # whose crops are in the cache
def test_a_run_whose_checkpoints_cannot_be_written_says_so(
    people_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with files_at_most(20_000):
        assert main(arguments(people_folder, tmp_path, "--model.network.channels=[32,64]",
                              "--run.draw_every=0")) == 2  # fmt: skip
    said = " ".join(capsys.readouterr().err.split())
    assert "could not be written" in said
    assert "There is none before" in said


# Killed


KILLED_WHILE_SAVING = """
import os, signal, sys, torch
from facenet_demo.training import cli as training

save, count = torch.save, 0

def killed(content, path):
    global count
    count += 1
    save(content, path)
    if count == int(sys.argv[1]):
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

torch.save = killed
training.main(sys.argv[2:])
"""


def test_a_run_killed_while_it_saved_goes_on_from_the_save_before(
    whole: Path, people_folder: Path, tmp_path: Path
) -> None:
    """Also where the system's temporary folder lies elsewhere: a move would then be a copy."""
    args = arguments(people_folder, tmp_path)
    for nth in ("4", "2"):
        command = [sys.executable, "-c", KILLED_WHILE_SAVING, nth, *args]
        env = {**os.environ, "TMPDIR": "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"}
        killed = subprocess.run(command, env=env, capture_output=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        (run,) = tmp_path.iterdir()
        for path in (run / "checkpoints").glob("[!.]*.ckpt"):
            load_checkpoint(path)
        args = ["--resume", str(run)]
    assert main(args) == 0
    assert_same_end(run, whole)
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
