"""What a report is made of takes few passes over the photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from facenet_demo.data.evidence import make_evidence
from facenet_demo.networks import FaceNetwork
from facenet_demo.training.cli import follow
from facenet_demo.training.train import TrainedRun
from facenet_demo.visualize.making import visualize

LAYERS = ["stages.0", "stages.1.0", "stages.2.1"]  # all blocks of the network below


@pytest.fixture(scope="module")
def run(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    return follow(
        [
            "--config=configs/folder.yaml",
            f"--data.source.root={people_folder}",
            f"--run.folder={tmp_path_factory.mktemp('runs')}",
            "--run.draw_every=0",
            "--trainer.max_epochs=2",
            "--trainer.enable_progress_bar=false",
            "--model.network.channels=[4,5,6]",
            "--model.network.convolutions=1",
        ]
    )


@pytest.fixture
def forwards() -> Iterator[Counter[str]]:
    """How often each network of ours was run while it was not edited, and nothing was learned."""
    counts: Counter[str] = Counter()

    def note(module: nn.Module, *_: object) -> None:
        if isinstance(module, FaceNetwork) and not torch.is_grad_enabled():
            counts["watched" if traced(module) else "alone"] += 1

    handle = nn.modules.module.register_module_forward_hook(note)
    yield counts
    handle.remove()


def traced(network: nn.Module) -> bool:
    """Whether somebody looks at all layers at once."""
    return all(network.get_submodule(layer)._forward_hooks for layer in LAYERS)


def test_photos_are_shown_once_for_all_that_look(
    run: TrainedRun, tmp_path: Path, forwards: Counter[str]
) -> None:
    """Once by each network: all instruments look on."""
    visualize(run.folder, tmp_path / "report", num_views=40)
    evidence = make_evidence(run.data, 40, seed=0)
    batches_of_views = len(list(evidence.train_views)) + len(list(evidence.test_views))
    batches_of_windows = 1 + 1  # of training and of test
    gratings, fields = 1 + 5 + 1, 2 * 2  # grey, gratings, faces; two batches on each axis
    each = batches_of_views + batches_of_windows + gratings + fields
    can_be_read, explained = 1, 3  # before any work; example faces
    assert forwards["watched"] == 2 * each + can_be_read + explained


def test_few_units_are_looked_at_closely_those_that_tell_most(
    run: TrainedRun, tmp_path: Path
) -> None:
    visualize(run.folder, tmp_path / "report", num_views=40, num_units=2)
    pictures = tmp_path / "report" / "pictures" / "trained"
    for layer in LAYERS:
        units = len(list((pictures / layer).glob("*-patches.webp")))
        assert units > 2, "all have their patches"
        assert len(list((pictures / layer).glob("*-synthesis.webp"))) == 2
    none = visualize(run.folder, tmp_path / "none", num_views=40, num_units=0)
    assert not list((none.parent / "pictures").rglob("*-synthesis.webp"))
