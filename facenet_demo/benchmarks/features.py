"""Whether the progression holds, over several trainings and for networks that learned nothing.

    for trial in run([Path("runs/lfw-..."), Path("runs/lfw-...")], num_untrained=5):
        print(trial)
    memory()                             # MiB by number of views that are dissected

Every network is judged as `scripts/visualize.py` judges it: beside an untrained control, on photos
that it was not trained on. What the looking costs: `feature_costs.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from facenet_demo.data.evidence import make_evidence
from facenet_demo.features.causality import part_costs
from facenet_demo.features.dissection import dissect
from facenet_demo.features.measures.parts import peak_layer
from facenet_demo.features.observe import View
from facenet_demo.features.progression import measure
from facenet_demo.features.survey import Evidence
from facenet_demo.features.trace import IMAGES_AT_ONCE
from facenet_demo.features.verdicts import Judgement, judge
from facenet_demo.networks import FaceCNN, FaceNetwork, NetworkSettings
from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.networks.untrained import untrained_twin
from facenet_demo.training.cli import configured_data

NUM_VIEWS = 400


@dataclass(frozen=True)
class Trial:
    """A network, and how the claims about it were judged.

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


def run(folders: Sequence[Path], num_untrained: int, seed: int = 0) -> Iterator[Trial]:
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
) -> Trial:
    layers = network.blocks
    network.requires_grad_(False)
    twin = untrained_twin(network, settings, evidence.train_windows, seed + 1)
    measured, control = (measure(one, layers, evidence, seed) for one in (network, twin))
    causality = part_costs(network, measured, layers[peak_layer(measured.survey)], seed)
    overlap = measured.estimates["parts"].max(), control.estimates["parts"].max()
    return Trial(
        name,
        [*judge(measured, control), causality.judgement],
        (float(overlap[0]), float(overlap[1])),
    )


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
        for _ in range(0, self._number, IMAGES_AT_ONCE):
            images = torch.rand(IMAGES_AT_ONCE, 3, 64, 64, generator=generator)
            yield View(images, torch.randint(0, 8, (IMAGES_AT_ONCE, 32, 32), generator=generator))


def _dissect(number: int) -> None:
    network = FaceCNN().build(10)
    dissect(network, network.blocks, _Noise(number), num_parts=8)
    # Not getrusage: its peak is that of the parent process too.
    status = Path("/proc/self/status").read_text()
    print(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024)
