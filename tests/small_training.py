"""Trainings that take a second or two."""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as pl
from jsonargparse import Namespace

from facenet_demo.training.cli import CONFIGS, parse
from facenet_demo.training.parser import to_config

SMALL = ["--model.network.channels=[4,8]", "--trainer.enable_progress_bar=false"]


def quick(people: Path, runs: Path, *more: str) -> list[str]:
    return [
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
        f"--run.folder={runs}", "--trainer.max_epochs=2", *SMALL, *more,
    ]  # fmt: skip


def make_trainer(**settings: object) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


def config_of(args: list[str]) -> Namespace:
    """All settings of a command line."""
    return to_config(parse(args).recipe)
