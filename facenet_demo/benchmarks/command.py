"""The command line of the benchmarks: scripts/benchmark.py."""

from __future__ import annotations

import inspect
import sys
from argparse import Action
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser, auto_cli

from facenet_demo.system.exits import exit_code
from facenet_demo.system.files import write_json
from facenet_demo.system.spelling import as_flags, hyphenated, with_new_names
from facenet_demo.system.terminal import console
from facenet_demo.training.cli import quieten_libraries
from facenet_demo.training.run_folder import environment

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
    """Time `--help` of train.py against importing Lightning, and of others against Python alone.

    Args:
        repeats: How often both are run, in turn.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import cost

    found = cost.startup(repeats)
    for comparison in found.values():
        console.print(str(comparison))
    compared = {name: asdict(comparison) for name, comparison in found.items()}
    write_json(output, {"environment": environment(), **compared})


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

    After an interruption the same command goes on.

    Args:
        num_kills: How often.
        num_in_saves: How many of the kills come half-way through writing a checkpoint.
        seed: Of the moments.
        runs: Where run folders go; its folder crashes is emptied.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import crashes as benchmark

    console.print(str(benchmark.run(num_kills, num_in_saves, runs, output, seed)))


def speed(
    repeats: int = 5,
    lfw_root: Path | None = None,
    runs: Path = Path("runs/benchmark"),
    output: Path = RESULTS / "speed.json",
) -> None:
    """Time the Trainer against a loop of a few lines, and say where a step's time goes.

    Args:
        repeats: How often both sides are run, in turn.
        lfw_root: The folder lfw_funneled, to time the larger network on it, too.
        runs: Where run folders go.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import speed as benchmark

    results = {}
    for config in ("orl.yaml",) if lfw_root is None else ("orl.yaml", "lfw.yaml"):
        root = lfw_root if config == "lfw.yaml" else None
        found = benchmark.trainer_against_loop(config, repeats, runs, root)
        console.print(str(found))
        results[config] = asdict(found)
    write_json(output, {"environment": environment(), **results})


def loading(
    lfw_root: Path,
    repeats: int = 5,
    output: Path = RESULTS / "loading.json",
) -> None:
    """Time the crop cache against torchvision's ImageFolder, and making it with all cores.

    Args:
        lfw_root: The folder lfw_funneled.
        repeats: How often both sides are run, in turn.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import loading as benchmark

    results = {}
    for name, measure in (
        ("loader", benchmark.loader_against_image_folder),
        ("training", benchmark.training_against_image_folder),
        ("preparation", benchmark.threads_against_one),
    ):
        found = measure(repeats, lfw_root)
        console.print(str(found))
        results[name] = asdict(found)
        write_json(output, {"environment": environment(), **results})


def memory(
    num_photos: list[int] = [3_000, 13_000, 100_000],  # noqa: B006
    repeats: int = 3,
    output: Path = RESULTS / "memory.json",
) -> None:
    """Measure how much memory training takes, by the number of photos.

    Args:
        num_photos: How many each time; 100,000 take 3 GB of disk in the temporary folder.
        repeats: How often it trains on each number, in turn.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import memory as benchmark

    _report(benchmark.run(num_photos, repeats), output)


def outsiders(
    lfw_root: Path | None = None,
    config: Literal["lfw.yaml", "lfw_gpu.yaml"] = "lfw.yaml",
    num_seeds: int = 3,
    runs: Path = Path("runs/benchmark"),
    output: Path = RESULTS / "outsiders.json",
) -> None:
    """Train on LFW and tell strangers from known people, over several seeds.

    Args:
        lfw_root: The folder lfw_funneled, if you have it already.
        config: Which shipped config to train.
        num_seeds: How many trainings; each takes 6 to 11 minutes on 2 cores, lfw_gpu.yaml two
            minutes on a GPU.
        runs: Where run folders go.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import outsiders as benchmark

    results = benchmark.run(num_seeds, lfw_root, runs, config)
    console.print(benchmark.table(results))
    write_json(output, {"environment": environment(), **asdict(results)})


def features(
    runs: list[Path],
    parts: list[Literal["trials", "costs", "memory"]] = ["trials", "costs", "memory"],  # noqa: B006
    num_untrained: int = 5,
    repeats: int = 5,
    output: Path = RESULTS / "features.json",
) -> None:
    """Put the progression on trial for the networks of some runs, and time what it takes.

    A minute or two for each trial on 2 cores. Costs are those of the first run's network, and take
    three minutes for that of ORL, seven for that of LFW. What is measured is written after each.

    Args:
        runs: Run folders, of several seeds, or of a training on shuffled names.
        parts: What to measure: trials of all networks; costs, the time of dissecting, top patches,
            Gabor fits and ablations beside a forward pass and beside plainer ways; memory.
        num_untrained: How many untrained networks of the first run's shape are tried, too.
        repeats: How often both sides of a comparison are run, in turn.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import feature_costs
    from facenet_demo.benchmarks import features as benchmark

    results: dict[str, object] = {"environment": environment()}
    if "trials" in parts:
        trials = results["trials"] = []
        for trial in benchmark.run(runs, num_untrained):
            console.print(str(trial))
            trials.append(asdict(trial))
            write_json(output, results)
    if "costs" in parts:
        costs = results["costs"] = {}
        for name, cost in feature_costs.costs(runs[0], repeats):
            console.print(str(cost))
            costs[name] = asdict(cost)
            write_json(output, results)
    if "memory" in parts:
        results["memory"] = benchmark.memory()
        console.print(f"peak memory, MiB by number of views: {results['memory']}")
        write_json(output, results)


def predict(
    run: Path,
    lfw_root: Path | None = None,
    parts: list[Literal["accuracy", "speed", "mutations"]] = ["accuracy", "speed", "mutations"],  # noqa: B006
    repeats: int = 5,
    num_mutations: int = 10_000,
    output: Path = RESULTS / "predict.json",
) -> None:
    """Name a run's test photos as files, time it, and read thousands of damaged photos.

    Args:
        run: A run folder; train it with `data.split.outsiders` to measure a gallery, too.
        lfw_root: The folder lfw_funneled, to count the faces found in it.
        parts: What to measure.
        repeats: How often both sides of a comparison are run, in turn.
        num_mutations: How many damaged photos.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import mutations, pipeline, prediction
    from facenet_demo.predict import Predictor

    results: dict[str, object] = {}
    if "accuracy" in parts:
        found = prediction.run(run, lfw_root)
        results["accuracy"] = asdict(found)
        for table in prediction.tables(found):
            console.print(table)
    if "speed" in parts:
        predictor = Predictor(run)
        folder, grown = pipeline.folder(predictor, repeats)
        measured = {
            "stages": pipeline.stages(predictor, 10 * repeats),
            **{f"detector_{peer.peer}": peer for peer in pipeline.detectors(4 * repeats)},
            "network": pipeline.network(predictor, 10 * repeats),
            "folder": folder,
            "startup": pipeline.startup(run, repeats),
            "onnx_1": pipeline.onnx(predictor, 1, 10 * repeats),
            "onnx_32": pipeline.onnx(predictor, 32, 10 * repeats),
        }
        results["memory_grown_mib"] = grown
        for name, value in measured.items():
            if value is not None:
                results[name] = asdict(value)
                console.print(str(value))
        console.print(f"memory grown while naming the folder's second half: {grown:.1f} MiB")
    if "mutations" in parts:
        damaged = mutations.run(num_mutations, seed=0)
        results["mutations"] = asdict(damaged)
        console.print(str(damaged))
    write_json(output, {"environment": environment(), **results})


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


def gpu(
    lfw_root: Path | None = None,
    device: Literal["gpu", "cpu"] = "gpu",
    parts: list[
        Literal["orl", "lfw", "lfw_gpu", "epoch", "captured", "tests", "predict", "report"]
    ] = [],  # noqa: B006
    num_epochs: int = 3,
    repeats: int = 3,
    runs: Path = Path("runs/benchmark"),
    output: Path = RESULTS / "gpu.json",
) -> None:
    """Measure all that only a GPU can show: training, report, predict, and its tests.

    Some four minutes; what is measured is written after each part.

    Args:
        lfw_root: The folder lfw_funneled; without it ORL stands for LFW.
        device: cpu only tries out whether all parts run.
        parts: What to measure; all if none is named.
        num_epochs: Of each training that is timed; 2 or more.
        repeats: How often both sides of a comparison are run, in turn.
        runs: Where run folders go.
        output: Where the figures go.
    """
    from facenet_demo.benchmarks import gpu as benchmark

    bench = benchmark.Bench(runs, lfw_root, device, num_epochs, repeats)
    done = []
    for part in benchmark.run(bench, parts):
        if part.error is not None:
            part = replace(part, error=as_flags(part.error, _FLAGS.get))
        done.append(part)
        console.print(benchmark.table([part]))
        write_json(output, {"environment": environment(), "parts": [asdict(one) for one in done]})


def _report(result, output: Path) -> None:  # noqa: ANN001
    console.print(str(result))
    write_json(output, {"environment": environment(), **asdict(result)})


_BENCHMARKS = (
    accuracy, startup, drawing, crashes, speed, loading, memory, outsiders, features, predict,
    search, gpu,
)  # fmt: skip
_FLAGS = hyphenated({name for one in _BENCHMARKS for name in inspect.signature(one).parameters})
_OLD = {f"--{name}": flag for name, flag in _FLAGS.items()}


class _Parser(ArgumentParser):
    """Spells flags with hyphens."""

    def add_argument(self, *names: str, **settings: Any) -> Action:
        return super().add_argument(*(_OLD.get(name, name) for name in names), **settings)


def main() -> int:
    """Run the benchmark that the command line names; returns the exit code."""
    quieten_libraries()
    return exit_code(
        _run,
        ". accuracy, crashes and search go on where they were.",
        lambda text: as_flags(text, _FLAGS.get),
    )


def _run() -> int:
    auto_cli(list(_BENCHMARKS), with_new_names(sys.argv[1:], _OLD), parser_class=_Parser)
    return 0
