"""How often the shipped configs name people rightly, beside hand-crafted features.

    rows = run(["orl"], output=Path("benchmarks/accuracy.json"))

Each protocol trains a shipped config on whole training parts, over several seeds that also choose
the split; its settings were chosen before, on validation photos. The peers see the same windows of
the same split. Every finished row is written at once, and a second call goes on where the first one
stopped.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml
from rich.table import Table
from rich.text import Text

from facenet_demo.benchmarks.finished import read_finished
from facenet_demo.benchmarks.peers import PEERS
from facenet_demo.features.filters import fit_gabors
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import write_json
from facenet_demo.system.terminal import console
from facenet_demo.training.cli import CONFIGS, follow
from facenet_demo.training.run_folder import environment
from facenet_demo.training.train import TrainedRun

NETWORK = "FaceCNN"


@dataclass(frozen=True)
class Protocol:
    """What is trained, and on which part of which photos.

    Attributes:
        title: what a reader calls it.
        config: file name of the shipped config.
        num_seeds: seeds 0, 1, ... each choose a split and a training.
    """

    title: str
    config: str
    num_seeds: int


PROTOCOLS = {
    "orl": Protocol("ORL, 40 people, 5 photos to train and 5 to test", "orl.yaml", 20),
    "lfw": Protocol("LFW, 62 people with >= 20 photos, 75/25", "lfw.yaml", 3),
    "lfw7": Protocol("LFW, 7 people with >= 70 photos, 75/25", "lfw7.yaml", 5),
}


@dataclass(frozen=True)
class Row:
    """One method on one split.

    Attributes:
        protocol: its name in `PROTOCOLS`.
        settings: digest of the config that was trained; another config, another row.
        seed: of split and training.
        method: `FaceCNN` or a name in `PEERS`.
        accuracy: share of test photos named rightly.
        seconds: training time; of a peer: features, choice of C, training and test.
        gabor_share: share of first-layer kernels that a Gabor function explains (R2 > 0.7), and
        untrained_gabor_share: the same before training; None for peers.
    """

    protocol: str
    settings: str
    seed: int
    method: str
    accuracy: float
    seconds: float
    gabor_share: float | None = None
    untrained_gabor_share: float | None = None


def run(
    protocols: Sequence[str],
    output: Path,
    lfw_root: Path | None = None,
    runs: Path = Path("runs/benchmark"),
    num_seeds: int | None = None,
) -> list[Row]:
    """Fill `output` with the rows that it lacks and return all rows of the protocols.

    Args:
        protocols: names in `PROTOCOLS`.
        output: the JSON file.
        lfw_root: folder lfw_funneled, if it need not be downloaded.
        runs: where run folders go.
        num_seeds: fewer (or more) seeds than the protocol has.

    Raises:
        UserError: for a protocol that does not exist, and for data that cannot be used.
    """
    unknown = sorted(set(protocols) - set(PROTOCOLS))
    if unknown:
        raise UserError(f"There is no protocol {unknown[0]}; there are: {', '.join(PROTOCOLS)}.")
    rows = read_finished(output, "rows", Row)
    wanted = []
    for name in protocols:
        protocol = PROTOCOLS[name]
        settings = _digest(CONFIGS / protocol.config)
        for seed in range(num_seeds or protocol.num_seeds):
            have = [row for row in rows if (row.protocol, row.settings, row.seed)
                    == (name, settings, seed)]  # fmt: skip
            if {row.method for row in have} != {NETWORK, *PEERS}:
                rows = [row for row in rows if row not in have]
                have = _measure(name, settings, seed, lfw_root, runs)
                rows += have
                content = {"environment": environment(), "rows": [asdict(row) for row in rows]}
                write_json(output, content)
            wanted += have
    return wanted


def tables(rows: Sequence[Row]) -> list[Table]:
    """A table for each protocol: accuracy by method over the seeds, the best first."""
    made = []
    for name in dict.fromkeys(row.protocol for row in rows):
        table = Table(title=PROTOCOLS[name].title, title_justify="left")
        for head in ("method", "mean", "lowest", "highest", "deviation", "seeds", "seconds each"):
            table.add_column(head, justify="left" if head == "method" else "right")
        methods = dict.fromkeys(row.method for row in rows if row.protocol == name)
        lines = []
        for method in methods:
            own = [row for row in rows if (row.protocol, row.method) == (name, method)]
            accuracy = 100 * np.array([row.accuracy for row in own])
            figures = (accuracy.mean(), accuracy.min(), accuracy.max(), accuracy.std())
            seconds = np.median([row.seconds for row in own])
            cells = [f"{value:.2f}" for value in figures]
            lines.append((figures[0], [method, *cells, str(len(own)), f"{seconds:.0f}"]))
        for _, cells in sorted(lines, reverse=True):
            table.add_row(*cells)
        trained, untrained = (
            [getattr(row, key) for row in rows if row.protocol == name and row.method == NETWORK]
            for key in ("gabor_share", "untrained_gabor_share")
        )
        table.caption = (
            f"First-layer kernels with Gabor R2 above .7: {np.mean(trained):.0%} "
            f"(lowest {min(trained):.0%}); untrained {np.mean(untrained):.0%} "
            f"(highest {max(untrained):.0%})"
        )
        made.append(table)
    return made


def _measure(name: str, settings: str, seed: int, lfw_root: Path | None, runs: Path) -> list[Row]:
    protocol = PROTOCOLS[name]
    console.print(Text.assemble((protocol.title, "bold"), f", seed {seed}"))
    args = [
        f"--config={CONFIGS / protocol.config}", f"--seed_everything={seed}",
        "--data.split.val=0", f"--data.split.seed={seed}",
        f"--run.folder={runs}", "--run.draw_every=0",
    ]  # fmt: skip
    if lfw_root is not None and protocol.config.startswith("lfw"):
        args.append(f"--data.source.root={lfw_root}")
    trained = follow(args)
    network = trained.task.network
    untrained = trained.task.network_settings.build(len(trained.data.people))
    rows = [
        Row(
            name, settings, seed, NETWORK,
            float(trained.metrics["test/accuracy"]), float(trained.metrics["seconds"]),
            fit_gabors(network.first_kernels.numpy()).share,
            fit_gabors(untrained.first_kernels.numpy()).share,
        )
    ]  # fmt: skip
    photos = [part for stage in ("train", "test") for part in _photos(trained, stage)]
    for peer, evaluate in PEERS.items():
        started = time.perf_counter()
        accuracy = evaluate(*photos)
        rows.append(Row(name, settings, seed, peer, accuracy, time.perf_counter() - started))
        console.print(f"{peer}: {accuracy:.1%}")
    return rows


def _photos(trained: TrainedRun, stage: str) -> tuple[np.ndarray, np.ndarray]:
    rows = trained.data.split.rows[stage]
    windows = trained.data.windows(rows).permute(0, 2, 3, 1).numpy()
    return windows, trained.data.split.labels[rows]


def _digest(config: Path) -> str:
    settings = yaml.safe_load(config.read_text("utf-8"))  # comments do not count
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
