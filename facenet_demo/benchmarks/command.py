"""The command line of the benchmarks: scripts/benchmark.py."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from jsonargparse import auto_cli

from facenet_demo.cli import quieten_libraries
from facenet_demo.progress import console
from facenet_demo.records import UserError
from facenet_demo.runs import environment
from facenet_demo.storage import write_json

RESULTS = Path("benchmarks")


def accuracy(
    protocols: list[Literal["orl", "lfw", "lfw7"]] = ["orl", "lfw", "lfw7"],  # noqa: B006
    lfw_root: Path | None = None,
    num_seeds: int | None = None,
    output: Path = RESULTS / "accuracy.json",
) -> None:
    """Train the shipped configs over several splits and compare with hand-crafted features.

    An hour on 2 cores; after an interruption the same command goes on.

    Args:
        protocols: Which data sets.
        lfw_root: The folder lfw_funneled, if you have it already.
        num_seeds: Take so many splits instead of 20 (orl), 3 (lfw) and 5 (lfw7).
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import accuracy as benchmark

    for table in benchmark.tables(
        benchmark.run(protocols, output, lfw_root=lfw_root, num_seeds=num_seeds)
    ):
        console.print(table)


def startup(repeats: int = 5, output: Path = RESULTS / "startup.json") -> None:
    """Time `train.py --help` against importing Lightning alone.

    Args:
        repeats: How often both are run, in turn.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import cost

    _report(cost.startup(repeats), output)


def drawing(
    repeats: int = 5,
    runs: Path = Path("runs/benchmark"),
    output: Path = RESULTS / "drawing.json",
) -> None:
    """Time training and testing on ORL with TensorBoard's pictures against without.

    Args:
        repeats: How often both are run, in turn.
        runs: Where run folders go.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import cost

    _report(cost.drawing(repeats, runs), output)


def crashes(
    num_kills: int = 200,
    num_in_saves: int = 50,
    seed: int = 0,
    runs: Path = Path("runs/benchmark"),
    output: Path = RESULTS / "crashes.json",
) -> None:
    """Kill training on ORL at random moments, resume it, and count what was lost.

    Args:
        num_kills: How often.
        num_in_saves: How many of the kills come half-way through writing a checkpoint.
        seed: Of the moments.
        runs: Where run folders go; its folder crashes is emptied.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import crashes as benchmark

    _report(benchmark.run(num_kills, num_in_saves, runs, seed), output)


def speed(
    lfw_root: Path | None = None,
    repeats: int = 5,
    runs: Path = Path("runs/benchmark"),
    output: Path = RESULTS / "speed.json",
) -> None:
    """Time the Trainer against a loop of a few lines, and the crop cache against ImageFolder.

    Args:
        lfw_root: The folder lfw_funneled; without it the loaders are not compared.
        repeats: How often both sides are run, in turn.
        runs: Where run folders go.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import speed as benchmark

    trainer, same_weights = benchmark.trainer_against_loop(repeats, runs)
    results = {"trainer": asdict(trainer), "same_weights": same_weights}
    console.print(f"{trainer}\nThe weights at the end are {'' if same_weights else 'not '}equal.")
    if lfw_root is not None:
        loader = benchmark.loader_against_image_folder(repeats, lfw_root)
        results["loader"] = asdict(loader)
        console.print(str(loader))
    write_json(output, {"environment": environment(), **results})


def outsiders(
    lfw_root: Path | None = None,
    num_seeds: int = 3,
    runs: Path = Path("runs/benchmark"),
    output: Path = RESULTS / "outsiders.json",
) -> None:
    """Train on LFW and tell strangers from known people, over several seeds.

    Args:
        lfw_root: The folder lfw_funneled, if you have it already.
        num_seeds: How many trainings; each takes 7 minutes on 2 cores.
        runs: Where run folders go.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import outsiders as benchmark

    results = benchmark.run(num_seeds, lfw_root, runs)
    console.print(benchmark.table(results))
    write_json(output, {"environment": environment(), **asdict(results)})


def search(
    num_trials: int = 20,
    repeats: int = 3,
    runs: Path = Path("runs/benchmark/search"),
    output: Path = RESULTS / "search.json",
) -> None:
    """Search hyperparameters on ORL by grid, at random and Bayesian, at equal budgets.

    Args:
        num_trials: Budget of each search.
        repeats: Seeds.
        runs: Where the searches go; an interrupted benchmark goes on there.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import search as benchmark

    results = benchmark.run(num_trials, repeats, runs)
    console.print(benchmark.table(results))
    write_json(output, {"environment": environment(), **asdict(results)})


def _report(result, output: Path) -> None:  # noqa: ANN001
    console.print(str(result))
    write_json(output, {"environment": environment(), **asdict(result)})


def main() -> int:
    """Run the benchmark that the command line names; returns the exit code."""
    quieten_libraries()
    try:
        auto_cli([accuracy, startup, drawing, crashes, speed, outsiders, search])
    except UserError as error:
        console.print(f"[bold red]Error:[/] {error}")
        return 2
    except KeyboardInterrupt:
        console.print("[bold]Interrupted[/]; finished figures are kept.")
        return 130
    return 0
