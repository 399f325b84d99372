"""The command line of the search: scripts/tune.py."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState
from rich.live import Live
from rich.table import Table

from facenet_demo.search.figures import write_page
from facenet_demo.search.space import Setting, flags, read_space
from facenet_demo.search.study import Search, best, counted
from facenet_demo.system.commands import as_called
from facenet_demo.system.errors import UserError
from facenet_demo.system.exits import Interrupted, exit_code, positive
from facenet_demo.system.files import new_file, write_json
from facenet_demo.system.registry import NotImportedError
from facenet_demo.system.spelling import as_flags, hyphenated
from facenet_demo.system.terminal import console
from facenet_demo.training.cli import follow, parse, quieten_libraries
from facenet_demo.training.configs import SPACES, find_config
from facenet_demo.training.flags import flag
from facenet_demo.training.parser import as_yaml, to_config

_KEPT = ". Finished trials are kept; the same command goes on."
# Nothing else that the command line takes: a file imports no module, and goes on with no run.
_SETTINGS = re.compile(r"(run|data|model|trainer)\.[\w.]+\+?|seed_everything")
_SHOWN = 12  # trials in the live table
_EXAMPLES = """
  python scripts/tune.py --config configs/orl.yaml --space configs/search/orl.yaml
  python scripts/tune.py --space mine.yaml --sampler grid --trainer.max_epochs 20

What tune.py does not know is a setting of train.py, for all trials. After Ctrl-C, or worse, the
same command goes on. Several machines share a search through a database:
  --storage postgresql+psycopg://USER@HOST/DATABASE
"""


def main(args: Sequence[str] | None = None) -> int:
    """Search with the settings of a command line; returns the exit code."""
    quieten_libraries()
    args = sys.argv[1:] if args is None else args
    return exit_code(lambda: _run(args), _KEPT, _readable)


def _readable(text: str) -> str:
    own = _parser().parse_args(["--space="])
    return as_flags(as_flags(text, flag), hyphenated(vars(own)).get)


def _run(args: Sequence[str]) -> int:
    tune(args)
    return 0


def tune(args: Sequence[str]) -> Path:
    """Search, write the winner as a config, and measure its test score once.

    Returns:
        The search's folder, with winner.yaml, result.json and index.html.

    Raises:
        UserError: for settings, a space or a storage that cannot be used.
    """
    options, rest = _parser().parse_known_args(args)
    search = _search(options, rest)
    if options.worker:
        _work_for(search, options.worker)
        return search.folder
    try:
        search.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(search.folder / ".lock", timeout=0):
            study = search.open()
            if search.storage is None:
                search.take_over(study)
            if options.jobs > 1:
                _employ(list(args), options.jobs, search, study)
            else:
                with Live(console=console, auto_refresh=False) as live:

                    def told(trial: FrozenTrial | None) -> None:
                        live.update(table(study, search), refresh=True)

                    search.work(study, told)
            return _finish(search, study)
    except Timeout:
        raise UserError(
            f"Another tune.py works in {search.folder}. Wait for it, name another --folder, or let "
            "it use more cores with --jobs."
        ) from None
    except OSError as error:
        raise UserError(f"{search.folder} cannot be written: {error.strerror or error}.") from error


def table(study: optuna.Study, search: Search) -> Table:
    """The latest trials and the best one so far."""
    trials = counted(study)
    done = [t for t in trials if t.state.is_finished()]
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    winner = [best(study)] if complete else []
    latest = trials[-_SHOWN:]
    shown = [*(trial for trial in winner if trial not in latest), *latest]
    made = Table(
        title=f"{len(done)} of {search.budget} trials", title_justify="left", title_style="bold"
    )
    made.add_column("trial", justify="right")
    made.add_column(search.objective, justify="right")
    made.add_column("time", justify="right")
    made.add_column("settings", overflow="fold")
    for trial in shown:
        seconds = trial.user_attrs.get("seconds")
        settings = ", ".join(
            f"{_short(name)} {value:.4g}" if isinstance(value, float) else f"{_short(name)} {value}"
            for name, value in trial.params.items()
        )
        made.add_row(
            str(trial.number),
            _outcome(trial),
            "" if seconds is None else f"{seconds:.0f} s",
            settings,
            style="bold green" if trial in winner else None,
        )
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Search for settings that do well on validation photos; any setting of "
        "train.py can be searched.",
        epilog=as_called(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", help="config that every trial starts from (default: configs/orl.yaml)")
    add("--space", required=True, type=Path, help="what is varied: configs/search/orl.yaml")
    add("--sampler", choices=["grid", "random", "bayesian"], default="bayesian",
        help="how settings are drawn (default: bayesian)")  # fmt: skip
    add("--trials", type=positive, metavar="N",
        help="how many settings are tried (default: 30, a grid all)")  # fmt: skip
    add("--seeds", type=positive, default=1, metavar="N",
        help="trainings in each trial, whose mean counts (default: 1)")  # fmt: skip
    add("--objective", default="val/loss", metavar="NAME",
        help="validation figure to go by, such as val/accuracy (default: val/loss)")  # fmt: skip
    add("--no-pruning", action="store_true", help="let hopeless trainings run to their end")
    add("--jobs", type=positive, default=1, metavar="N",
        help="trials at once, which share the cores (default: 1)")  # fmt: skip
    add("--folder", type=Path, help="where it all goes (default: runs/search-NAME-SAMPLER)")
    add("--storage", metavar="URL", help="database of the trials (default: a file in the folder)")
    add("--seed", type=int, default=0, help="another seed, other trials (default: 0)")
    add("--worker", type=int, help=argparse.SUPPRESS)  # the process it works for
    return parser


def _search(options: argparse.Namespace, rest: list[str]) -> Search:
    if any(arg.partition("=")[0] == "--resume" for arg in rest):
        raise UserError(
            "--resume goes on with one training. A search goes on by itself: give the same command "
            "again."
        )
    args = [f"--config={options.config}"] if options.config else []
    args += rest
    space = read_space(find_config(options.space, SPACES))
    if not options.objective.startswith("val/"):
        raise UserError(
            f"A search goes by validation photos, not by {options.objective}: --objective val/loss."
        )
    if any(s.name.endswith("label_smoothing") for s in space) and options.objective == "val/loss":
        raise UserError("label_smoothing changes the loss itself: take --objective val/accuracy.")
    if options.seed < 0:
        raise UserError(f"--seed must be 0 or more, not {options.seed}.")
    parse(args)
    for setting in space:
        _check(setting, args)
    folder = options.folder or Path("runs") / f"search-{options.space.stem}-{options.sampler}"
    return Search(
        args=args,
        space=space,
        folder=folder,
        num_trials=options.trials,
        sampler=options.sampler,
        prune=not options.no_pruning,
        num_seeds=options.seeds,
        objective=options.objective,
        seed=options.seed,
        storage=options.storage,
    )


def _check(setting: Setting, args: list[str]) -> None:
    """Let the training's own command line look at the setting's values."""
    if not _SETTINGS.fullmatch(setting.name):
        raise UserError(f"{setting.where}: {setting.name} is no setting of a training.")
    for value in setting.choices or setting.ends():
        try:
            parse([*args, *flags({**setting.when, setting.name: value})], typed=args)
        except UserError as error:
            reason = " ".join(str(error).split())
            text = f"{setting.where}: {setting.name}={value}: {reason}"
            if isinstance(error, NotImportedError):
                raise NotImportedError(text, error.module) from error
            raise UserError(text) from error


def _work_for(search: Search, employer: int) -> None:
    def told(trial: FrozenTrial | None) -> None:
        if os.getppid() != employer:  # it was killed
            raise Interrupted(signal.SIGTERM)

    study = search.open()
    search.work(study, told)


def _employ(args: list[str], jobs: int, search: Search, study: optuna.Study) -> None:
    """Run workers, each with its share of the cores, and show how far they are."""
    share = max(1, (os.cpu_count() or 1) // jobs)
    command = [
        sys.executable,
        "-P",  # nothing that lies in the current folder
        "-m",
        "facenet_demo.search.command",
        *args,
        f"--worker={os.getpid()}",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(share)}
    workers = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(jobs)
    ]
    try:
        with Live(console=console, auto_refresh=False) as live:
            while any(worker.poll() is None for worker in workers):
                live.update(table(study, search), refresh=True)
                time.sleep(1)
            live.update(table(study, search), refresh=True)
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()
        said = [worker.communicate()[1].decode(errors="replace") for worker in workers]
    failed = [text for worker, text in zip(workers, said, strict=True) if worker.returncode]
    if failed:
        raise UserError(f"{len(failed)} of {jobs} workers ended early: {failed[0].strip()[-500:]}")


def _finish(search: Search, study: optuna.Study) -> Path:
    elsewhere = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if elsewhere:
        names = ", ".join(str(trial.user_attrs.get("worker", "?")) for trial in elsewhere)
        console.print(f"Trials still run elsewhere ({names}); the last worker names the winner.")
        return search.folder
    trial = best(study)
    chosen = {s.name: trial.params[s.name] for s in search.space if s.name in trial.params}
    config, result = search.folder / "winner.yaml", search.folder / "result.json"
    facts = {"trial": trial.number, "settings": chosen, search.objective: trial.value}
    known = _known(result)
    if {key: known.get(key) for key in facts} != facts:
        with new_file(config) as temporary:
            winner = parse([*search.args, *flags(chosen)], typed=search.args)
            temporary.write_text(as_yaml(to_config(winner.recipe)), "utf-8")
        console.print(f"Trial {trial.number} is the winner: {config}. Its test score, once:")
        own = [
            f"--run.folder={search.folder}", "--run.name=winner",
            "--trainer.enable_progress_bar=false",
        ]  # fmt: skip
        run = follow([f"--config={config}", *own], typed=[*search.args, *own])
        known = {
            **facts,
            **{name: value for name, value in run.metrics.items() if name.startswith("test/")},
            "run": str(run.folder),
        }
        write_json(result, known)
    write_page(search.folder, study, search.space, search.objective, known)
    console.print(
        f"Settings: {config}\nResult:   {result}\nPage:     {search.folder / 'index.html'}\n"
        f"Compare:  tensorboard --logdir {search.folder / 'trials'}"
    )
    return search.folder


def _known(result: Path) -> dict[str, Any]:
    """What an earlier end of the search wrote of its winner; nothing if it did not."""
    try:
        known = json.loads(result.read_text("utf-8")) if result.exists() else {}
        if isinstance(known, dict):
            return known
    except (ValueError, RecursionError):
        pass
    raise UserError(f"{result} is not the result of a search. Move it away; it is made anew.")


def _outcome(trial: FrozenTrial) -> str:
    if trial.state == TrialState.COMPLETE:
        return f"{trial.value:.4f}"
    if trial.state == TrialState.PRUNED:
        return "hopeless"
    if trial.state == TrialState.FAIL:
        return str(trial.user_attrs.get("reason", "failed"))[:60]
    return "..."


def _short(name: str) -> str:
    return name.rpartition(".")[2]


if __name__ == "__main__":
    raise SystemExit(main())
