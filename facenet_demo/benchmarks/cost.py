"""What comfort costs: the time to --help, and TensorBoard's share of training.

Both alternate two sides in one run, several times, so that a busy moment hits both.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from facenet_demo.training.cli import CONFIGS, follow

_ROOT = CONFIGS.parent


@dataclass(frozen=True)
class Comparison:
    """Seconds of two sides, one after the other, again and again.

    Attributes:
        name: what is measured.
        peer: against what.
        seconds: `(R)` of the side measured.
        peer_seconds: `(R)` of the other.
    """

    name: str
    peer: str
    seconds: list[float]
    peer_seconds: list[float]

    @property
    def ratios(self) -> np.ndarray:
        """`(R,)` seconds in units of the peer's beside them."""
        return np.array(self.seconds) / np.array(self.peer_seconds)

    def __str__(self) -> str:
        ratios = self.ratios
        ours, peers = (_readable(float(np.median(s))) for s in (self.seconds, self.peer_seconds))
        return (
            f"{self.name}: median {ours}; {self.peer}: {peers}; ratio {np.median(ratios):.3f} "
            f"({ratios.min():.3f} to {ratios.max():.3f}, {len(ratios)} repeats)"
        )


def _readable(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def startup(repeats: int) -> dict[str, Comparison]:
    """`--help` of each command: `train.py`'s against the import that it cannot do without.

    Those of `visualize.py` and `predict.py`, which import little, against starting Python.

    Args:
        repeats: how often both are run, in turn, after once for nothing.
    """
    return {
        name: compare(
            f"{name}.py --help",
            partial(_python, str(_ROOT / f"scripts/{name}.py"), "--help"),
            peer if peer != "pass" else "python -c pass",
            partial(_python, "-c", peer),
            repeats,
            warm_up=True,
        )
        for name, peer in (
            ("train", "import lightning.pytorch"), ("visualize", "pass"), ("predict", "pass"),
        )
    }  # fmt: skip


def drawing(repeats: int, runs: Path) -> Comparison:
    """Training and testing on ORL with all TensorBoard pictures against none.

    Both start after the imports, so matplotlib's and TensorBoard's are not in it; the crops are in
    the cache.
    """

    def run(draw_every: int) -> Callable[[], object]:
        args = [
            f"--config={CONFIGS / 'orl.yaml'}", f"--run.folder={runs}",
            f"--run.draw_every={draw_every}", "--run.patience=0",
        ]  # fmt: skip
        return lambda: follow(args)

    follow([f"--run.folder={runs}", "--trainer.max_epochs=1"])  # imports, caches
    return compare("with TensorBoard's pictures", run(10), "without", run(0), repeats)


def compare(
    name: str,
    side: Callable[[], object],
    peer: str,
    other: Callable[[], object],
    repeats: int,
    *,
    warm_up: bool = False,
) -> Comparison:
    """Time both sides in turn.

    Args:
        name: of the side measured.
        side: what is measured.
        peer: name of the other side.
        other: what it is compared with.
        repeats: how often both are timed.
        warm_up: run both once before, without timing them.
    """
    if warm_up:
        side()
        other()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for work, times in ((side, seconds[0]), (other, seconds[1])):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
    return Comparison(name, peer, *seconds)


def _python(*args: str) -> None:
    subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
