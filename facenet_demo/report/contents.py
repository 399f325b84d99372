"""What a report shows: plain values and the names of picture files, no arrays and no network.

Files are named relative to the report's folder, with forward slashes. A score is None where it was
not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Claim = Literal["edges first", "parts in the middle", "people last", "parts matter"]


@dataclass(frozen=True)
class Picture:
    """A raster picture in the report's folder.

    Attributes:
        file: its name, `pictures/trained/stages.2/17-patches.png`.
        caption: a sentence that says what one sees; also the text for those who cannot see it.
        kind: what it is, for the manifest: "patches", "synthesis", "parts", "kernel", "maps",
            "occlusion", "attribution", "photo", "figure", ... The pixels of a "kernel" and of
            "maps" stay sharp when they are enlarged.
    """

    file: str
    caption: str
    kind: str


class Interval(NamedTuple):
    """A measured value and its 95 % interval; `low` and `high` are None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


class PersonScore(NamedTuple):
    """A unit and one person: mean response to their photos; accuracy on them lost without it."""

    name: str
    response: float
    cost: float | None = None


class PartScore(NamedTuple):
    """A unit and one part: IoU, IoU with another image's masks (the position prior), ROC area."""

    iou: float
    prior: float | None = None
    auc: float | None = None


class Answer(NamedTuple):
    """A name the network gives to a photo, and how sure it is, in [0, 1]."""

    name: str
    probability: float


class Contribution(NamedTuple):
    """What one unit of the network "trained" added to the answer for a photo."""

    layer: str
    unit: int
    contribution: float


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


@dataclass(frozen=True)
class Verdict:
    """One claim of the progression, judged.

    Attributes:
        claim: which one.
        supported: None where it could not be judged on these photos.
        text: why, in one or two plain sentences with the numbers.
    """

    claim: Claim
    supported: bool | None
    text: str


@dataclass(frozen=True)
class LayerRow:
    """What was measured in one layer, beside its controls.

    Attributes:
        layer: its dotted name.
        receptive_field: side of the image region that one position of it sees, pixels.
        scores: measure (a key of `MEASURES`, or a name that is shown as it is) -> name of the
            network or of a control -> value.
    """

    layer: str
    receptive_field: int
    scores: Mapping[str, Mapping[str, Interval]]


@dataclass(frozen=True)
class Progression:
    """Edges, parts, people: the figure, the verdicts and all the numbers, layers in order."""

    figure: Picture
    verdicts: tuple[Verdict, ...]
    rows: tuple[LayerRow, ...]


@dataclass(frozen=True)
class UnitPage:
    """One unit.

    Attributes:
        unit: its number in the layer.
        best_part: the part it matches best; None where it matches none.
        best_person: whom it responds to most.
        scores: key of `SCORES` -> value.
        parts: part -> its scores.
        people: in any order.
        pictures: the first is the unit's tile in the grid.
    """

    unit: int
    best_part: str | None = None
    best_person: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    parts: Mapping[str, PartScore] = field(default_factory=dict)
    people: tuple[PersonScore, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class LayerPage:
    """One layer.

    Attributes:
        name: its dotted name.
        num_units: how many it has; `units` may hold fewer.
        map_size: (height, width) of its maps; None for a layer without space.
        receptive_field: side of the image region that one position sees, pixels.
        scores: key of `SCORES` -> value for the layer as a whole.
        pictures: of the layer as a whole: kernels, activation maps.
        units: those that have a page.
    """

    name: str
    num_units: int
    map_size: tuple[int, int] | None
    receptive_field: int
    scores: Mapping[str, float | None] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    units: tuple[UnitPage, ...] = ()


@dataclass(frozen=True)
class NetworkPages:
    """The layers of one network in order; `name` is "trained", "untrained" or a control's."""

    name: str
    layers: tuple[LayerPage, ...]


@dataclass(frozen=True)
class PhotoPage:
    """Why the network "trained" answers as it does for one photo.

    Attributes:
        title: what the photo is called.
        photo: the face as the network sees it.
        answers: the likeliest first.
        text: a sentence on the answer ("A stranger: ..."), if there is something to say.
        pictures: occlusion map, attribution, maps of layers.
        units: those that spoke most, the strongest first.
    """

    title: str
    photo: Picture
    answers: tuple[Answer, ...]
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    units: tuple[Contribution, ...] = ()


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
class Report:
    """All that a report shows.

    Attributes:
        title: the headline.
        finished: False while the report is still being made; the page says so.
        network: what is reported on; None if that is not known yet.
        data: the photos; None if they are not known yet.
        notes: sentences, for instance on what these photos cannot tell.
        progression: None if it was not measured (yet).
        networks: the network itself first, then its controls.
        photos: of the user's.
        files: files of the folder that no page shows (`progression.json`), for the manifest.
    """

    title: str
    finished: bool = True
    network: NetworkFacts | None = None
    data: DataFacts | None = None
    notes: tuple[str, ...] = ()
    progression: Progression | None = None
    networks: tuple[NetworkPages, ...] = ()
    photos: tuple[PhotoPage, ...] = ()
    files: tuple[FileEntry, ...] = ()
