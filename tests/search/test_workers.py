from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from small_search import make, params, played, small

import facenet_demo.search.command as command_module
import facenet_demo.search.study as study_module
from facenet_demo.search.command import tune
from facenet_demo.search.study import Search, counted
from facenet_demo.training.cli import CONFIGS


def _runs(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_two_jobs_share_trials_and_cores_and_go_on_after_ctrl_c(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch)
    alone = make(people_folder, space_file, tmp_path / "alone", sampler="random", num_trials=6)
    of_one = alone.open()
    alone.work(of_one)
    monkeypatch.undo()

    folder = tmp_path / "search"
    args = [f"--space={space_file}", f"--folder={folder}", "--trials=6", "--no-pruning",
            "--sampler=random", "--jobs=2", *small(people_folder, epochs=3)]  # fmt: skip
    command = [sys.executable, str(CONFIGS.parent / "scripts/tune.py"), *args]
    # A session of its own is what a terminal's Ctrl-C goes to: all jobs get it. Tests run in the
    # background may have been told to ignore it, which their processes inherit.
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)  # fmt: skip
    signal.signal(signal.SIGINT, heeded)
    try:
        while len(list(folder.glob("trials/*"))) < 3 and process.poll() is None:
            time.sleep(0.01)  # waits for an event, whenever it comes
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate()[1].decode()
    finally:
        process.kill()
    assert process.returncode == 130
    assert "the same command goes on" in " ".join(said.split())
    # No job outlives it, but for the moment until the system has buried it.
    assert any(not _runs(process.pid) or time.sleep(0.01) for _ in range(3000))
    storage = f"sqlite:///{folder}/trials.sqlite3"
    before = optuna.load_study(study_name="search", storage=storage).trials
    assert sum(trial.state == TrialState.COMPLETE for trial in before) < 6

    shares = []

    def employed(*args: Any, env: dict[str, str], **settings: Any) -> subprocess.Popen:
        shares.append(env["OMP_NUM_THREADS"])
        return started(*args, env=env, **settings)

    started = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", employed)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(command_module, "_finish", lambda search, study: search.folder)
    tune(args)
    assert shares == ["3", "3"]
    study = optuna.load_study(study_name="search", storage=storage)
    assert [t.state for t in counted(study)] == [TrialState.COMPLETE] * 6
    assert sorted(t.user_attrs["index"] for t in counted(study)) == list(range(6))
    assert len({t.user_attrs["worker"] for t in counted(study)}) >= 2
    # What they tried is what one job alone would have tried, each once.
    tried = sorted(tuple(p.values()) for p in params(study))
    assert tried == sorted(tuple(p.values()) for p in params(of_one))


def test_a_queued_trial_is_taken_by_one_worker_only(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make(people_folder, space_file, tmp_path / "s").open()
    study.enqueue_trial({})
    check = RDBStorage.check_trial_is_updatable
    refused = []

    def check_while_another_takes_it(*args: object) -> None:
        other = sqlite3.connect(tmp_path / "s/trials.sqlite3", timeout=0)
        try:
            other.execute("UPDATE trials SET state = 'RUNNING'")
        except sqlite3.OperationalError as error:
            refused.append(str(error))
        other.close()
        check(*args)

    monkeypatch.setattr(RDBStorage, "check_trial_is_updatable", check_while_another_takes_it)
    assert study.ask().number == 0
    assert refused == ["database is locked"]


def test_two_workers_share_a_database(
    people_folder: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = os.environ.get("FACENET_DEMO_POSTGRES")
    if not url:
        pytest.skip("needs a PostgreSQL database: name it in FACENET_DEMO_POSTGRES")
    played(monkeypatch)
    name = f"search-{uuid.uuid4().hex}"
    searches = [
        make(people_folder, space_file, tmp_path / str(i) / name, storage=url, num_trials=20,
             sampler="random")
        for i in range(2)
    ]  # fmt: skip
    study = searches[0].open()
    # One worker died at its first trial: its heart beats no more.
    monkeypatch.setattr(study_module, "_GRACE", 2)
    monkeypatch.setattr(study_module, "_HEARTBEAT", 1)
    storage = study._storage
    storage.record_heartbeat(storage.create_new_trial(study._study_id))
    done = []

    def work(search: Search) -> None:
        own = search.open()
        end = time.monotonic() + 30
        while len(params(own)) < 20 and time.monotonic() < end:
            search.work(own, lambda trial: done.append(trial) if trial else None)
        own._storage._backend.engine.dispose()

    workers = [threading.Thread(target=work, args=(search,)) for search in searches]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    tried = params(study)
    assert len(tried) == 20
    assert len({tuple(p.values()) for p in tried}) == 20
    assert sorted(t.user_attrs["index"] for t in counted(study)) == list(range(20))
    storage._backend.engine.dispose()
