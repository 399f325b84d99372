"""What a report shows: plain values and the names of picture files, no arrays and no network.

    Page("brightness", "Brightness", Path("mypage.js"), {"mean": 0.43, "photos": ["a.jpg"]})

Files are named relative to the report's folder, with forward slashes. A number is None where it was
not measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facenet_demo.report.measures import Measure

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_TAKEN = "measures"  # the address of what every report has, the explanation of its measures


@dataclass(frozen=True)
class Picture:
    """A raster picture in the report's folder.

    Attributes:
        file: its name, `pictures/trained/stages.2/17-patches.png`.
        caption: a sentence that says what one sees; also the text for those who cannot see it.
        kind: what it is, for the manifest: "patches", "synthesis", "parts", "kernel", "maps",
            "occlusion", "attribution", "photo", "figure", ... The pixels of a "kernel" and of
            "maps" stay sharp when they are enlarged.
        network, layer, unit: what it is of, for the manifest.
    """

    file: str
    caption: str
    kind: str
    network: str | None = None
    layer: str | None = None
    unit: int | None = None


@dataclass(frozen=True)
class FileEntry:
    """A line of `manifest.json`: a file of the report, for other programs."""

    file: str
    kind: str
    description: str
    network: str | None = None
    layer: str | None = None
    unit: int | None = None


@dataclass(frozen=True)
class NetworkFacts:
    """The network that the report is about.

    Attributes:
        name: "FaceCNN", "resnet18".
        num_weights: all its trainable numbers.
        window: side of what it is shown, pixels.
        num_people: how many it can name.
        test_accuracy: in [0, 1]; None where it was not measured.
        settings: further plain facts, label -> value: shown as they are.
    """

    name: str
    num_weights: int
    window: int
    num_people: int
    test_accuracy: float | None = None
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class DataFacts:
    """The photos that it was measured on: what they are, their terms and whom to credit."""

    title: str
    num_photos: int
    terms: str = ""
    credit: str = ""


@dataclass(frozen=True, eq=False)
class Page:
    """A page of the report; equal to itself alone.

    Attributes:
        name: its address, `index.html#/brightness`, and what its script registers it by.
        title: what the navigation calls it.
        script: the JavaScript that draws it; see `page/elements.js`.
        values: what it shows: numbers, texts, lists, mappings, dataclasses of them. A `Picture` or
            `FileEntry` among them is listed in the manifest.

    Raises:
        ValueError: for a name that no page can have.
    """

    name: str
    title: str
    script: Path
    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_page_name(self.name)


@dataclass(frozen=True)
class Report:
    """All that a report shows.

    Attributes:
        title: the headline.
        finished: False while the report is still being made; the page says so.
        network: what is reported on; None if that is not known yet.
        data: the photos; None if they are not known yet.
        notes: sentences, for instance on what these photos cannot tell.
        scores: what was measured of a unit, or of a layer as a whole, in the order shown: the key
            by which pages name it -> what it is called. What is not in here is shown by its key.
        measures: the same for what was measured of a layer for the progression.
        pages: in the order of the navigation; the first is the front page.
    """

    title: str
    finished: bool = True
    network: NetworkFacts | None = None
    data: DataFacts | None = None
    notes: tuple[str, ...] = ()
    scores: Mapping[str, Measure] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    pages: tuple[Page, ...] = ()


def check_page_name(name: str) -> None:
    """Raise ValueError unless a page may have this name, which is part of addresses and files."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a page: small letters, digits and hyphens, please, "
            "such as 'brightness'."
        )
    if name == _TAKEN:
        raise ValueError(f"Each report has a page {_TAKEN} already: give yours another name.")
