from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import torch
import yaml
from optuna.trial import FrozenTrial, TrialState
from small_search import make, params, played, small

import facenet_demo.search.study as study_module
from facenet_demo.search.command import main, tune
from facenet_demo.search.space import read_space
from facenet_demo.search.study import Search, best, counted
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted
from facenet_demo.training.cli import CONFIGS

# What is tried


def test_a_grid_visits_each_point_once(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch)
    search = make(people_folder, space_file, tmp_path / "s", sampler="grid", num_trials=None)
    study = search.open()
    search.work(study)
    tried = Counter(tuple(p.values()) for p in params(study))
    assert len(tried) == 9
    assert set(tried.values()) == {1}
    search.work(study)  # there is nothing left to do
    assert len(study.trials) == 9


@pytest.mark.parametrize("sampler", ["grid", "random", "bayesian"])
def test_a_seeded_search_repeats_also_when_it_was_interrupted(
    sampler: str, people_folder: Path, space_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    played(monkeypatch)
    found = []
    n = 12 if sampler == "bayesian" else 8  # the first 10 of bayesian are random
    for name, stops, seed in (("a", (), 0), ("b", (2, n - 2), 0), ("c", (), 1)):
        search = make(people_folder, space_file, tmp_path / name, sampler=sampler, num_trials=n,
                      seed=seed)  # fmt: skip
        calls = iter(range(100))

        def told(trial: FrozenTrial | None, calls=calls, stops=stops) -> None:  # noqa: ANN001
            if trial is None and next(calls) in stops:
                raise KeyboardInterrupt

        study = search.open()
        for _ in range(1 + len(stops)):
            try:
                search.take_over(study)
                search.work(study, told)
            except Interrupted:
                continue
        assert len(params(study)) == n
        found.append(sorted(tuple(p.values()) for p in params(study)))
    assert found[0] == found[1]
    assert found[0] != found[2] or sampler == "grid"


def test_no_trial_is_lost_wherever_a_search_is_stopped(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch)
    search = make(people_folder, space_file, tmp_path / "s", sampler="random")
    study = search.open()
    for signalled in (KeyboardInterrupt, SystemExit):  # Lightning turns the one into the other

        def while_drawing(*args: object, error: type[BaseException] = signalled) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(study_module, "suggest", while_drawing)
            with pytest.raises(Interrupted):
                search.work(study)

    def while_closing_a_file(*args: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("unexpected end of file")

    with monkeypatch.context() as patched:
        patched.setattr(study_module, "suggest", while_closing_a_file)
        with pytest.raises(Interrupted):
            search.work(study)

    def killed(*args: object, **settings: object) -> None:
        raise GeneratorExit

    study.ask()
    for step in ("enqueue_trial", "tell"):
        with monkeypatch.context() as patched:
            patched.setattr(study, step, killed)
            with pytest.raises(GeneratorExit):
                search.take_over(study)
    search.take_over(study)
    search.work(study)
    assert [t.state for t in counted(study)] == [TrialState.COMPLETE] * 4
    assert sorted(t.user_attrs["index"] for t in counted(study)) == [0, 1, 2, 3]


def test_bayesian_search_finds_the_valley_that_is_there(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch)
    search = make(people_folder, space_file, tmp_path / "s", num_trials=24)
    study = search.open()
    search.work(study)
    assert best(study).params["model.network.dropout"] == 0
    assert best(study).value < 0.02


def test_several_seeds_count_by_their_mean(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch)
    search = make(people_folder, space_file, tmp_path / "s", num_seeds=3)
    study = search.open()
    search.work(study)
    for trial in study.trials:
        values = trial.user_attrs["values"]
        assert [v - values[0] for v in values] == pytest.approx([0, 1, 2])
        assert trial.value == pytest.approx(values[1])


# Real trainings


def test_from_command_to_winner(people_folder: Path, space_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    args = [f"--space={space_file}", f"--folder={folder}", "--trials=3", *small(people_folder)]
    assert main(args) == 0
    result = json.loads((folder / "result.json").read_text())
    config = yaml.safe_load((folder / "winner.yaml").read_text())
    optimizer = config["model"]["optimizer"]["init_args"]
    assert optimizer["lr"] == pytest.approx(result["settings"]["model.optimizer.lr"])
    metrics = json.loads((Path(result["run"]) / "metrics.json").read_text())
    assert result["test/accuracy"] == metrics["test/accuracy"]
    # The winner, trained anew, is the network of its trial.
    winner = torch.load(Path(result["run"]) / "checkpoints/last.ckpt", "cpu", weights_only=True)
    (history,) = (v for name, v in winner["callbacks"].items() if name.startswith("History"))
    losses = [epoch["val/loss"] for epoch in history["epochs"]]
    assert min(losses) == pytest.approx(result["val/loss"], rel=1e-5)
    page = (folder / "index.html").read_text()
    for name in ("history.png", "importance.png", "parallel.png", "slices.png"):
        assert (folder / name).stat().st_size > 5000
        assert name in page
    # No trial saw the test photos, and none left its weights.
    assert not list((folder / "trials").rglob("metrics.json"))
    assert not list((folder / "trials").rglob("*.ckpt"))
    # The same command has nothing more to do.
    made = (folder / "result.json").stat().st_mtime_ns
    assert main(args) == 0
    assert (folder / "result.json").stat().st_mtime_ns == made
    assert len(list((folder / "trials").iterdir())) == 3


def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = study_module.parse

    def out_of_memory(args: list[str], typed: list[str] | None = None) -> object:
        if "0001" in " ".join(args):
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")
        # A rate at which weights overflow in the first step.
        wild = ["--model.optimizer.lr=1e30", "--model.network.normalization=none"]
        return parse([*args, *wild] if "0002" in " ".join(args) else args, typed)

    monkeypatch.setattr(study_module, "parse", out_of_memory)
    search = make(people_folder, space_file, tmp_path / "s")
    study = search.open()
    search.work(study)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "FAIL", "FAIL", "COMPLETE"]
    reasons = [trial.user_attrs.get("reason") for trial in study.trials]
    assert reasons[1] == "OutOfMemoryError: CUDA out of memory."
    assert "diverged" in reasons[2]


def test_hopeless_trainings_end_early(people_folder: Path, tmp_path: Path) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("model.optimizer.lr: {choice: [0.05, 0.0000001]}")
    folder = tmp_path / "s"
    folder.mkdir()
    search = Search(small(people_folder, epochs=6), read_space(space), folder, num_trials=10,
                    sampler="random")  # fmt: skip
    study = search.open()
    search.work(study)
    pruned = [t for t in study.trials if t.state == TrialState.PRUNED]
    assert pruned
    assert all(t.params["model.optimizer.lr"] < 0.01 for t in pruned)
    assert all(len(t.intermediate_values) < 6 for t in pruned)
    assert best(study).params["model.optimizer.lr"] == 0.05


def test_a_training_with_a_bad_start_and_a_good_end_is_not_hopeless(
    people_folder: Path, space_file: Path, tmp_path: Path
) -> None:
    search = make(people_folder, space_file, tmp_path / "s", prune=True)
    study = optuna.create_study(pruner=search._pruner())
    curves = {"usual": [4 - 0.1 * step for step in range(1, 21)],
              "late": [7.0] * 11 + [2.6 - 0.1 * step for step in range(9)],
              "hopeless": [7.0] * 20}  # fmt: skip
    lengths = {}
    for name in ["usual"] * 5 + ["late", "hopeless"]:
        trial = study.ask()
        for step, loss in enumerate(curves[name], 1):
            trial.report(loss, step)
            if trial.should_prune():
                break
        lengths[name] = step
        study.tell(trial, loss)
    assert lengths["usual"] == lengths["late"] == 20
    assert 10 < lengths["hopeless"] < 16


def test_after_a_kill_the_same_command_goes_on(
    people_folder: Path, space_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "search"
    args = [f"--space={space_file}", f"--folder={folder}", "--trials=4", "--no-pruning",
            *small(people_folder, epochs=4)]  # fmt: skip
    command = [sys.executable, str(CONFIGS.parent / "scripts/tune.py"), *args]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while len(list(folder.glob("trials/*"))) < 2 and process.poll() is None:
            time.sleep(0.01)  # waits for an event, whenever it comes
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    tune(args)
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{folder}/trials.sqlite3")
    assert [t.state for t in counted(study)] == [TrialState.COMPLETE] * 4
    assert len(study.trials) <= 5
    assert len({tuple(p.values()) for p in params(study)}) == 4


# Mistakes


@pytest.mark.parametrize(
    ("objective", "higher"),
    [("val/loss", False), ("val/accuracy", True), ("val/rmse", False), ("val/nme", False)],
)
def test_of_errors_the_lowest_is_the_best(
    objective: str, higher: bool, people_folder: Path, space_file: Path, tmp_path: Path
) -> None:
    search = make(people_folder, space_file, tmp_path / "s", objective=objective)
    assert search.higher_is_better == higher
    direction = optuna.study.StudyDirection.MAXIMIZE if higher else (
        optuna.study.StudyDirection.MINIMIZE
    )  # fmt: skip
    assert search.open().direction == direction


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--objective=test/accuracy"], "goes by validation photos"),
        (["--objective=val/nix"], "There is no figure val/nix; there are val/loss"),
        (["--seed=-1"], "--seed must be 0 or more"),
        (["--trainer.max_epox=3"], "unrecognized arguments: --trainer.max_epox=3"),
        (["--storage=postgres"], "The storage postgres cannot be used"),
        (["--data.split.val=0"], "needs validation photos"),
        (["--resume", "runs/orl"], "--resume goes on with one training"),
    ],
)
def test_what_cannot_be_is_explained(
    more: list[str], message: str, people_folder: Path, space_file: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    args = [f"--space={space_file}", f"--folder={tmp_path / 's'}", "--trials=1",
            *small(people_folder, epochs=1)]  # fmt: skip
    assert main([*args, *more]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model.optimiser.lr: {float: [0.1, 0.2]}", "line 2: model.optimiser.lr=0.1: unrecognized"),
        ("data.batch_size: {choice: [8, many]}", "line 2: data.batch_size=many: .*Expected"),
        ("model.optimizer.momentum: {float: [0, 1], when: {data.window: 64}}",
         "depends on data.window"),
    ],
)  # fmt: skip
def test_a_setting_that_does_not_exist_is_named_with_its_line(
    text: str, message: str, people_folder: Path, tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(f"# first\n{text}")
    with pytest.raises(UserError, match=message):
        tune([f"--space={space}", f"--folder={tmp_path / 's'}", *small(people_folder)])


def test_a_search_does_not_go_on_after_its_config_was_edited(
    people_folder: Path, space_file: Path, tmp_path: Path
) -> None:
    config = tmp_path / "mine.yaml"

    def search() -> Search:
        made = make(people_folder, space_file, tmp_path / "s")
        return replace(made, args=[*made.args, f"--config={config}"])

    config.write_text("model: {objective: {class_path: Naming, init_args: {label_smoothing: 0.1}}}")
    search().open()
    search().open()
    config.write_text("model: {objective: {class_path: Naming, init_args: {label_smoothing: 0.2}}}")
    with pytest.raises(UserError, match="another training config"):
        search().open()


def test_a_folder_of_another_search_is_left_alone(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch)
    make(people_folder, space_file, tmp_path / "s").open()
    with pytest.raises(UserError, match="another sampler, seed"):
        make(people_folder, space_file, tmp_path / "s", sampler="random", seed=3).open()
    with pytest.raises(UserError, match="No trial came to its end"):
        best(make(people_folder, space_file, tmp_path / "s").open())


@pytest.mark.parametrize("name", ["a?b", "{c}", "x%20y#&", "sqlite:", "Zoë"])
def test_a_search_in_a_folder_of_any_name_keeps_its_trials_there(
    name: str, people_folder: Path, space_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    played(monkeypatch)
    folder = tmp_path / "searches" / name
    search = make(people_folder, space_file, folder, num_trials=2)
    search.work(search.open())
    assert len(params(search.open())) == 2
    assert [path.name for path in folder.parent.iterdir()] == [name]
    with closing(sqlite3.connect(folder / "trials.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM trials").fetchone() == (2,)


def test_braces_in_a_storage_are_no_template(
    people_folder: Path, space_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "{trials}.sqlite3"
    make(people_folder, space_file, tmp_path / "s", storage=f"sqlite:///{file}").open()
    assert file.is_file()
