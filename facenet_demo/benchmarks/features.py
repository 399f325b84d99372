"""Whether the progression holds, over several trainings and for networks that learned nothing.

    for tried in run([Path("runs/lfw-..."), Path("runs/lfw-...")], num_untrained=5):
        print(tried)
    for comparison in costs(Path("runs/lfw-..."), repeats=5): ...

Every network is judged as `scripts/visualize.py` judges it: beside an untrained control, on photos
that it was not trained on.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facenet_demo.benchmarks.cost import Comparison, compare
from facenet_demo.data.evidence import make_evidence
from facenet_demo.features.causality import part_costs
from facenet_demo.features.dissection import dissect
from facenet_demo.features.measures.parts import peak_layer
from facenet_demo.features.observe import View
from facenet_demo.features.patches import top_patches
from facenet_demo.features.progression import measure
from facenet_demo.features.survey import Evidence
from facenet_demo.features.trace import evaluating
from facenet_demo.features.verdicts import Judgement, judge
from facenet_demo.networks import FaceCNN, FaceNetwork, NetworkSettings
from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.networks.untrained import untrained_twin
from facenet_demo.training.cli import configured_data

NUM_VIEWS = 400
_BATCH = 64


@dataclass(frozen=True)
class Tried:
    """One network and what came of its trial.

    Attributes:
        network: the run folder, or "untrained" and a seed.
        judgements: of the four claims.
        part_overlap: part score of the best layer, of the network and of its control.
    """

    network: str
    judgements: list[Judgement]
    part_overlap: tuple[float, float]

    def __str__(self) -> str:
        verdicts = ", ".join(
            f"{j.claim}: {'supported' if j.supported else 'not supported'}" for j in self.judgements
        )
        ours, control = self.part_overlap
        return f"{self.network}: {verdicts}; best part overlap {ours:.3f}, control {control:.3f}"


def run(folders: Sequence[Path], num_untrained: int, seed: int = 0) -> Iterator[Tried]:
    """Try the networks of some runs, and untrained ones of the first run's shape.

    Args:
        folders: run folders.
        num_untrained: how many of those.
        seed: of all that is drawn.
    """
    for number, folder in enumerate(folders):
        trained = load_checkpoint(folder)
        evidence = make_evidence(configured_data(folder / "config.yaml"), NUM_VIEWS, seed)
        yield _try(str(folder), trained.network, trained.settings, evidence, seed)
        for other in range(num_untrained if number == 0 else 0):
            untrained = untrained_twin(
                trained.network, trained.settings, evidence.train_windows, 100 + other
            )
            yield _try(f"untrained, seed {other}", untrained, trained.settings, evidence, seed)


def _try(
    name: str, network: FaceNetwork, settings: NetworkSettings, evidence: Evidence, seed: int
) -> Tried:
    layers = network.blocks
    network.requires_grad_(False)
    twin = untrained_twin(network, settings, evidence.train_windows, seed + 1)
    measured, control = (measure(one, layers, evidence, seed) for one in (network, twin))
    causality = part_costs(network, measured, layers[peak_layer(measured.survey)], seed)
    overlap = measured.estimates["parts"].max(), control.estimates["parts"].max()
    return Tried(
        name,
        [*judge(measured, control), causality.judgement],
        (float(overlap[0]), float(overlap[1])),
    )


def costs(folder: Path, repeats: int) -> list[Comparison]:
    """Time of dissecting and of finding top patches against that of the forward pass alone.

    Dissecting runs through the photos twice, so it is compared with two passes.

    Args:
        folder: a run folder.
        repeats: how often all are run, in turn.
    """
    network = load_checkpoint(folder).network.requires_grad_(False)
    evidence = make_evidence(configured_data(folder / "config.yaml"), NUM_VIEWS, 0)
    views = list(evidence.test_views)
    batches = [(view.images, np.arange(len(view.images))) for view in views]

    def forward(times: int) -> None:
        with evaluating(network):
            for _ in range(times):
                for view in views:
                    network(view.images)

    layers, num_parts = network.blocks, len(evidence.part_names)
    return [
        compare(
            "dissection", lambda: dissect(network, layers, views, num_parts),
            "two forward passes", lambda: forward(2), repeats,
        ),
        compare(
            "top patches", lambda: top_patches(network, layers, batches),
            "a forward pass", lambda: forward(1), repeats,
        ),
    ]  # fmt: skip


def memory(num_views: Sequence[int] = (1_000, 10_000)) -> dict[int, float]:
    """Peak memory in MiB of dissecting so many views, each in a process of its own, on Linux."""
    module = "facenet_demo.benchmarks.features"
    return {
        number: float(
            subprocess.run(
                [sys.executable, "-c", f"from {module} import _dissect; _dissect({number})"],
                check=True, capture_output=True, text=True,
            ).stdout
        )
        for number in num_views
    }  # fmt: skip


class _Noise:
    """Views of noise, made when they are asked for."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __iter__(self) -> Iterator[View]:
        generator = torch.Generator().manual_seed(0)
        for _ in range(0, self._number, _BATCH):
            images = torch.rand(_BATCH, 3, 64, 64, generator=generator)
            yield View(images, torch.randint(0, 8, (_BATCH, 32, 32), generator=generator))


def _dissect(number: int) -> None:
    network = FaceCNN().build(10)
    dissect(network, network.blocks, _Noise(number), num_parts=8)
    # Not getrusage: its peak is that of the parent process too.
    status = Path("/proc/self/status").read_text()
    print(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024)
