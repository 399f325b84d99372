"""TensorBoard: who writes to it, and pictures as it takes them."""

from __future__ import annotations

import io

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter


def purge_step(resumed_after: int | None) -> int | None:
    """The first step whose entries TensorBoard must forget when a run goes on.

    Steps are epochs, 1 after the first; 0 is before training.
    """
    return None if resumed_after is None else resumed_after + 1


def tensorboard_logger(trainer: pl.Trainer) -> TensorBoardLogger | None:
    """TensorBoard's logger; None where other loggers were named, and in a trial run."""
    return next((log for log in trainer.loggers if isinstance(log, TensorBoardLogger)), None)


def tensorboard_writer(trainer: pl.Trainer) -> SummaryWriter | None:
    """TensorBoard's writer; None without its logger, and in a process that does not write."""
    logger = tensorboard_logger(trainer)
    return None if logger is None or not trainer.is_global_zero else logger.experiment


def add_image(writer: SummaryWriter, tag: str, picture: np.ndarray, step: int) -> None:
    # The writer's own add_image squeezes harder, which takes three times as long.
    png = io.BytesIO()
    Image.fromarray(picture).save(png, "PNG", compress_level=1)
    add_png(writer, tag, png.getvalue(), step)


def add_png(writer: SummaryWriter, tag: str, png: bytes, step: int) -> None:
    with Image.open(io.BytesIO(png)) as picture:
        (width, height), channels = picture.size, len(picture.getbands())
    image = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png)
    summary = Summary(value=[Summary.Value(tag=tag, image=image)])
    writer._get_file_writer().add_summary(summary, step)
