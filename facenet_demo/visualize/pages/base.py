"""What a page of the report is made from, and how it is found by its name."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from facenet_demo.data.datamodule import FaceDataModule
from facenet_demo.features.survey import Evidence
from facenet_demo.networks.checkpoints import TrainedNetwork
from facenet_demo.report import Page, Picture, check_page_name, report_path
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import new_file
from facenet_demo.visualize.measurements import Measurements

_makers: dict[str, type[PageMaker]] = {}


@dataclass(frozen=True)
class Look:
    """What was looked at and measured: all that a page is made from.

    Attributes:
        folder: the report's.
        trained: the network on trial, on the device; it needs no gradients.
        layers: those looked into, first to last.
        data: the photos: who is in them, which teach and which judge.
        evidence: the same photos as tensors, `evidence.test_windows` `(N, 3, W, W)` in [0, 1], on
            the device.
        measured: what was measured, of the network and of its control.
        names: what the two are called, ("trained", "untrained").
        faces: title and window `(3, W, W)`, on the device, of each face to explain.
        units: layer -> the units that were asked for.
    """

    folder: Path
    trained: TrainedNetwork
    layers: Sequence[str]
    data: FaceDataModule
    evidence: Evidence
    measured: Measurements
    names: tuple[str, str]
    faces: Sequence[tuple[str, torch.Tensor]]
    units: Mapping[str, Sequence[int]]

    def save(
        self,
        file: str,
        pixels: np.ndarray,
        kind: str,
        caption: str,
        network: str | None = None,
        layer: str | None = None,
        unit: int | None = None,
    ) -> Picture:
        """Write a picture into the report, for a page to show.

        Args:
            file: "brightness/mean.png", below the report's folder pictures/; written as its ending
                says.
            pixels: `(H, W, 3)` uint8.
            kind: see `report.Picture`.
            caption: see `report.Picture`.
            network: see `report.Picture`.
            layer: see `report.Picture`.
            unit: see `report.Picture`.
        """
        file = f"pictures/{file}"
        with new_file(report_path(self.folder, file)) as temporary:
            # WebP's method 2 takes half the time of the usual 4, and 5 % more bytes.
            Image.fromarray(pixels).save(temporary, quality=88, method=2)
        return Picture(file, caption, kind, network, layer, unit)


class PageMaker(ABC):
    """A page of the report. A subclass is registered by being defined.

    Attributes:
        name: its address in the report, `#/brightness`, and what its script registers it by: small
            letters, digits, hyphens.
        title: what the navigation calls it.
        script: the file that draws it: the .js of the same name beside the Python file.

    Raises:
        ValueError: where a page is defined whose name cannot be one, or is another's.
        TypeError: where a page is defined without name or title.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    script: ClassVar[Path]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for attribute in ("name", "title"):
            if attribute not in cls.__dict__:
                raise TypeError(f"The page {cls.__qualname__} has no {attribute}: see PageMaker.")
        check_page_name(cls.name)
        own, other = (
            f"{page.__module__}.{page.__qualname__}" for page in (cls, _makers.get(cls.name, cls))
        )
        if own != other:
            raise ValueError(
                f"There is a page {cls.name} already, {other}: give {own} another name."
            )
        cls.script = Path(inspect.getfile(cls)).with_suffix(".js")
        _makers[cls.name] = cls

    @abstractmethod
    def make(self, look: Look) -> Mapping[str, Any]:
        """The values that the script draws, plain ones; see `report.Page`."""

    def page(self, values: Mapping[str, Any]) -> Page:
        """The page that shows these values."""
        return Page(self.name, self.title, self.script, values)


def page_makers() -> list[PageMaker]:
    """One of each page that has been imported, in that order.

    Raises:
        UserError: for a page without a script.
    """
    makers = [maker() for maker in _makers.values()]
    for maker in makers:
        if not maker.script.is_file():
            raise UserError(
                f"The page {maker.name} has no script: {maker.script}, which is to draw it, is not "
                f'there. It calls registerPage("{maker.name}", ...); see CONTRIBUTING.md.'
            )
    return makers
