"""What a person reads in the terminal before and after training."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.networks import NetworkSettings
from facenet_demo.system.texts import printable, some
from facenet_demo.training.metrics import Score
from facenet_demo.training.task import FaceTask


def introduction(trainer: pl.Trainer, task: FaceTask, data: FaceDataModule) -> RenderableType:
    """What will be trained, on what, with what."""
    crops, split = data.crops, data.split
    parts = [
        f"{len(split.rows[stage])} to {use}"
        for stage, use in (("train", "train"), ("val", "validate"), ("test", "test"))
    ]
    lines = [
        ("Device", _device(trainer)),
        ("Data", data.source.title),
        ("", f"{len(split.people)} people; photos: {', '.join(parts)}"),
    ]
    left_out = crops.left_out + split.left_out
    if left_out:
        named = some([printable(f"{Path(e.file).name}: {e.reason}") for e in left_out])
        lines.append(("Left out", f"{len(left_out)} photos ({named}); all in splits.json"))
    if split.too_few:
        named = some([printable(f"{name} {count}") for name, count in split.too_few.items()])
        lines.append(("Not named", f"{len(split.too_few)} people with too few photos ({named})"))
    if any(len(rows) for rows in split.outsider_rows.values()):
        counts = [
            f"{len(split.outsider_rows[stage])} to {use}"
            for stage, use in (
                ("train", "teach what to be unsure of"),
                ("val", "set the threshold"),
                ("test", "test it"),
            )
            if stage != "train" or len(split.outsider_rows["train"])
        ]
        lines.append(("Strangers", f"photos of people not named: {', '.join(counts)}"))
    lines += [("Doubtful", doubt) for doubt in data.source.doubts()]
    if (crops.num_faces > 1).any():
        lines.append(("Several faces", _several_faces(data)))
    if not crops.detected.all():
        count = int((~crops.detected).sum())
        lines.append(("No face", f"found in {count} photos: their centre was taken"))
    if len(split.near):
        lines.append(
            ("Alike", f"{len(split.near)} pairs of nearly one picture across the splits, "
             "named in splits.json")
        )  # fmt: skip
    lines += [
        ("Terms", data.source.terms),
        ("Credit", data.source.citation),
        ("Network", _network(task.network_settings)),
        ("", f"{sum(p.numel() for p in task.network.parameters()):,} weights"),
        ("Run", str(trainer.default_root_dir)),
    ]
    if board := _board(trainer):
        lines.append(("", f"watch it: {board}"))
    return _list(lines)


def _several_faces(data: FaceDataModule) -> str:
    """Which face was taken of photos that show more than one."""
    crops = data.crops
    text = f"in {int((crops.num_faces > 1).sum())} photos: the main one was taken"
    if crops.overruled:
        text += f", in {len(crops.overruled)} the one most like the person's other photos"
    if crops.unclear and data.target.names_people:
        text += f", {len(crops.unclear)} were left out"
    return text + "; to see them: `run.contact_sheet` true"


def result(
    metrics: Mapping[str, float | int | str], counted: Sequence[Score], trainer: pl.Trainer
) -> RenderableType:
    """How good the network is and what to do next.

    Args:
        metrics: what `metrics.json` holds.
        counted: the figures of the objective.
        trainer: that trained it.
    """
    scores = Table(box=None, padding=(0, 2, 0, 0))
    scores.add_column("")
    names = {"val": "validation", "test": "test"}
    for name in names.values():
        scores.add_column(name, justify="right")
    for score in counted:
        values = [metrics.get(f"{stage}/{score.name}") for stage in names]
        if any(value is not None for value in values):
            cells = ("-" if v is None else format(float(v), score.form) for v in values)
            scores.add_row(score.label, *(cell.replace("%", " %") for cell in cells))
    lines = [
        *_certainty(metrics),
        ("Epochs", f"{metrics['epochs']}: {metrics['stopped']}"),
        ("Time", f"{metrics['seconds']:.0f} s, {metrics['photos_per_second']:.0f} photos/s"),
        ("Run", str(trainer.default_root_dir)),
    ]
    if board := _board(trainer):
        lines.append(("Next", board))
    return Group("", scores, "", _list(lines))


def _board(trainer: pl.Trainer) -> str | None:
    """How to see the curves in TensorBoard, this run's beside others; None if it has none."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            return f"tensorboard --logdir {Path(logger.log_dir).parent}"
    return None


def _certainty(metrics: Mapping[str, float | int | str]) -> list[tuple[str, str]]:
    """How far the network's word can be trusted, if that was measured."""

    def percent(name: str) -> str:
        return f"{100 * float(metrics[f'test/{name}']):.1f} %"

    lines = []
    if "test/ece" in metrics:
        lines.append(("Calibration", f"error {percent('ece')}, before: "
                      f"{percent('ece_uncalibrated')}"))  # fmt: skip
    if "test/outsider_auroc" in metrics:
        lines += [
            ("Strangers", f"AUROC {float(metrics['test/outsider_auroc']):.3f}; of known faces "
             f"{percent('named_at_threshold')} rightly named where"),
            ("", f"{percent('outsiders_accepted')} of strangers get a name"),
        ]  # fmt: skip
    return lines


def _list(lines: Collection[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")  # a long path is there to the end
    for head, text in lines:
        table.add_row(Text(head, "bold"), text)
    return table


def _network(settings: NetworkSettings) -> str:
    values = ", ".join(f"{key} {value}" for key, value in vars(settings).items())
    return f"{type(settings).__name__}: {values}"


def _device(trainer: pl.Trainer) -> str:
    device = trainer.strategy.root_device
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return f"{trainer.world_size} x {name}"
    if device.type == "cpu":
        return f"CPU, {trainer.world_size} x {torch.get_num_threads()} threads"
    return f"{trainer.world_size} x {device.type}"
