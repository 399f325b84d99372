"""Which photos teach, which choose, which judge: per person, seeded, without leaks.

    split = make_split(crops, SplitSettings(val=1, test=5))
    split.people                         # names, in the order of the network's outputs
    split.rows["train"], split.labels    # rows of the crops; label of every row, -1: not used

A copy of a photo is used once; near duplicates in two stages are reported. A face that lies under
two names is used under neither. One that was chosen from several in its photo, because it is like
the person's others, teaches and does not judge.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facenet_demo.data.duplicates import contested, exact_copies, near_duplicates
from facenet_demo.data.stored import Crops, LeftOut
from facenet_demo.system.errors import UserError
from facenet_demo.system.fields import check_fields

STAGES = ("train", "val", "test")
SPLITS = "splits.json"  # in a run folder


@dataclass(frozen=True)
class SplitSettings:
    """How the photos of each person are divided; the rest teaches.

    Args:
        val: Photos of each person that choose the best epoch: a share below 1 or a number. 0 has
            none: training then runs all its epochs and keeps the last one. Where places or numbers
            are learned, val and test are people, with all their photos.
        test: Photos of each person that judge the result at the end: a share below 1 or a number.
        min_photos: People with fewer photos are not named, nor are those with too few to split.
        outsiders: People set aside as strangers, beside those with too few photos: a share below 1
            or a number. Half of all strangers set the threshold of "unknown", half judge it.
        background: Strangers who teach instead, that somebody unknown looks like nobody in
            particular: a share of all strangers below 1 or a number.
        seed: Another seed, another split.
    """

    val: float = 0.15
    test: float = 0.25
    min_photos: int = 0
    outsiders: float = 0
    background: float = 0
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("val", "test", "outsiders", "background"):
            value = getattr(self, name)
            if not (0 <= value < 1 or (value >= 1 and float(value).is_integer())):
                raise ValueError(f"{name} must be a share below 1 or a whole number, not {value}.")
        if self.val < 1 and self.test < 1 and self.val + self.test >= 1:
            raise ValueError(
                f"val {self.val} and test {self.test} leave no photos to learn from; together they "
                "must be below 1."
            )
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}.")

    def count(self, part: str, num: int) -> int:
        """How many of `num` go to `part`.

        Of a person's photos those are val and test, of people outsiders, of strangers background.
        """
        value = getattr(self, part)
        if value >= 1 or value == 0:
            return int(value)
        return max(1, round(value * num))

    @property
    def least_photos(self) -> int:
        """How many photos a person needs to be named: some to learn from beside those held out."""
        least = max(1, self.min_photos)
        while sum(self.count(stage, least) for stage in ("val", "test")) >= least:
            least += 1
        return least


@dataclass(frozen=True)
class Split:
    """The photos of each stage.

    Attributes:
        people: names, sorted; their order is that of the network's outputs.
        labels: `(N,)` int64, for every row of the crops the position in `people`, -1 if not used.
        rows: for each stage its rows, sorted int64.
        outsider_rows: for each stage the rows of people who are not named, sorted int64; nobody is
            in two.
        left_out: copies, each with the photo it repeats, and photos whose person is not clear.
        too_few: people with too few photos to be named, with their number of photos.
        near: `(P, 2)` rows of nearly the same picture in two different stages, strangers among
            them.
    """

    people: list[str]
    labels: np.ndarray
    rows: dict[str, np.ndarray]
    outsider_rows: dict[str, np.ndarray]
    left_out: list[LeftOut] = field(default_factory=list)
    too_few: dict[str, int] = field(default_factory=dict)
    near: np.ndarray = field(default_factory=lambda: np.empty((0, 2), int))

    def record(self, crops: Crops) -> dict[str, Any]:
        """The split as plain values for a file: the photos of each stage and what was left out."""
        return {
            "people": self.people,
            **{s: [crops.files[row] for row in self.rows[s]] for s in STAGES},
            "left_out": [entry._asdict() for entry in crops.left_out + self.left_out],
            "too_few_photos": self.too_few,
            "outsiders": {
                stage: [crops.files[row] for row in rows]
                for stage, rows in self.outsider_rows.items()
            },
            "near_duplicates": [[crops.files[row] for row in pair] for pair in self.near],
        }

    def check(self, run: Path, crops: Crops) -> None:
        """Compare with the record in a run folder, if there is one.

        Raises:
            UserError: if the photos have changed since then.
        """
        path = run / SPLITS
        if not path.exists():
            return
        before, now = _recorded(path), self.record(crops)
        for stage in STAGES:
            # By folder and name: the data set itself may have moved.
            old, new = ({Path(file).parts[-2:] for file in split[stage]} for split in (before, now))
            if old != new:
                raise UserError(
                    f"The photos have changed since this run began: {len(old - new)} of its "
                    f"{len(old)} {stage} photos are no longer among them, {len(new - old)} are "
                    "new. Put them back, or train anew: what has taught must not judge."
                )

    def check_unseen(self, run: Path, crops: Crops) -> None:
        """Compare the test photos with those that a network learned from or was chosen by.

        Raises:
            UserError: if it saw some of them; a run folder without a record passes.
        """
        path = run / SPLITS
        if not path.exists():
            return
        record = _recorded(path)
        seen = {file for stage in ("train", "val") for file in record[stage]}
        rows = self.rows["test"]
        again = sum(crops.files[row] in seen for row in rows)
        if again:
            raise UserError(
                f"{again} of the {len(rows)} test photos taught this network or chose its epoch, "
                f"as {path} says; it must not be judged by them. Take the run's own config, or one "
                "with other photos."
            )


def _recorded(path: Path) -> dict[str, list[str]]:
    """The photos of each stage, as a run folder's record has them.

    Raises:
        UserError: if it is none.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
        photos = {stage: record[stage] for stage in STAGES}
        for files in photos.values():
            if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
                raise TypeError("photos that are no list of names")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} does not say which photos taught this network: {type(error).__name__}: "
            f"{error}. Take it from a copy of the run, or train anew: what has taught must not "
            "judge."
        ) from error
    return photos


def make_split(crops: Crops, settings: SplitSettings, given: np.ndarray | None = None) -> Split:
    """Divide the photos of each person at random, the same way each time for one seed.

    Args:
        crops: the photos.
        settings: how many for what.
        given: `(N,)` for each row the stage that the data set has it for, as a position in
            `STAGES`; what it has nothing for is drawn from the photos that teach.

    Raises:
        UserError: if fewer than two people have enough photos, or fewer strangers are there than
            are to teach.
    """
    if given is None:
        given = np.zeros(len(crops), np.int64)
    near = near_duplicates(crops)
    aside = _set_aside(crops, near, given)
    photos = _photos(crops, aside)
    held = {stage: number for number, stage in enumerate(STAGES) if number and number in given}
    free = {person: own[given[own] == 0] for person, own in photos.items()}
    settings = replace(settings, **dict.fromkeys(held, 0))
    people, too_few = _nameable(photos, free, settings)
    outsiders = _drawn(people, settings.count("outsiders", len(people)), settings.seed)
    people = [person for person in people if person not in outsiders]
    if len(people) < 2:
        raise UserError(_too_few_people(crops, settings, photos))
    drawn: dict[str, list[np.ndarray]] = {stage: [] for stage in STAGES}
    labels = np.full(len(crops), -1, np.int64)
    # One generator a person, so that a new person does not change how the others are split.
    for label, person in enumerate(people):
        own = free[person]
        num_test, num_val = (settings.count(stage, len(own)) for stage in ("test", "val"))
        labels[photos[person]] = label
        seed = np.random.SeedSequence([settings.seed, *person.encode()])
        order = np.random.default_rng(seed).permutation(own)
        judges, teaches = _apart(order, crops.overruled)
        drawn["test"].append(judges[:num_test])
        drawn["val"].append(judges[num_test : num_test + num_val])
        drawn["train"] += [judges[num_test + num_val :], teaches]
        for stage, number in held.items():
            drawn[stage].append(photos[person][given[photos[person]] == number])
    strangers = _by_stage(_drawn([*outsiders, *too_few], None, settings.seed), settings)
    rows = {stage: _sorted(drawn[stage]) for stage in STAGES}
    outsider_rows = {s: _sorted([photos[person] for person in strangers[s]]) for s in STAGES}
    for stage in ("val", "test"):
        outsider_rows[stage], _ = _apart(outsider_rows[stage], crops.overruled)
    return Split(
        people=people,
        labels=labels,
        rows=rows,
        outsider_rows=outsider_rows,
        left_out=[LeftOut(crops.files[row], reason) for row, reason in sorted(aside.items())],
        too_few={person: len(photos[person]) for person in too_few},
        near=_near_across(crops, near, rows, outsider_rows),
    )


def split_people(crops: Crops, settings: SplitSettings) -> Split:
    """Divide the people at random, all photos of one into one stage: to judge on people never seen.

    `val` and `test` count people here; whoever is in no other stage teaches.

    Raises:
        UserError: if nobody is left to learn from, or strangers are asked for.
    """
    for name in ("outsiders", "background"):
        if getattr(settings, name):
            raise UserError(
                f"Strangers are for telling people apart: leave out `data.split.{name}`."
            )
    copies = _copies(crops)
    photos = _photos(crops, copies)
    people = sorted(photos)
    counts = {stage: settings.count(stage, len(people)) for stage in ("test", "val")}
    if sum(counts.values()) >= len(people):
        raise UserError(
            f"{counts['val']} people to validate and {counts['test']} to test leave none of the "
            f"{len(people)} to learn from. Lower `data.split.val` or `data.split.test`."
        )
    order = _drawn(people, None, settings.seed)
    held_out = sum(counts.values())
    people_of = {
        "test": order[: counts["test"]],
        "val": order[counts["test"] : held_out],
        "train": order[held_out:],
    }
    rows = {s: _sorted([photos[person] for person in people_of[s]]) for s in STAGES}
    labels = np.full(len(crops), -1, np.int64)
    for label, person in enumerate(people):
        labels[photos[person]] = label
    return Split(
        people=people,
        labels=labels,
        rows=rows,
        outsider_rows={stage: np.empty(0, np.int64) for stage in STAGES},
        left_out=[LeftOut(crops.files[row], reason) for row, reason in copies.items()],
        near=_near_across(crops, near_duplicates(crops), rows),
    )


def _set_aside(crops: Crops, near: np.ndarray, given: np.ndarray) -> dict[int, str]:
    """The rows that neither teach nor judge, each with the reason."""
    aside = {
        row: f"the same face as in {crops.files[other]}, under another name"
        for row, other in contested(crops, near).items()
    }
    for row in crops.unclear:
        reason = f"shows {crops.num_faces[row]} faces, and it is not clear whose this one is"
        aside.setdefault(row, reason)
    for row in crops.overruled:
        if given[row]:
            aside.setdefault(row, "is for judging, but its face was chosen for being like others")
    return {**_copies(crops), **aside}


def _copies(crops: Crops) -> dict[int, str]:
    copies = exact_copies(crops)
    return {row: f"the same file as {crops.files[first]}" for row, first in copies.items()}


def _apart(rows: np.ndarray, some: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Those rows that are not among some, and those that are, in their order."""
    among = np.isin(rows, some)
    return rows[~among], rows[among]


def _near_across(crops: Crops, near: np.ndarray, *rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pairs `(P, 2)` of rows of nearly the same picture in two different stages."""
    stage_of = np.full(len(crops), -1, np.int8)
    for number, stage in enumerate(STAGES):
        for group in rows:
            stage_of[group[stage]] = number
    stages = stage_of[near]
    return near[(stages[:, 0] != stages[:, 1]) & (stages >= 0).all(axis=1)]


def _photos(crops: Crops, aside: Container[int]) -> dict[str, np.ndarray]:
    """The rows of each person, but for some; arrays, as lists of numbers take five times more."""
    photos: dict[str, array[int]] = defaultdict(lambda: array("q"))
    for row, person in enumerate(crops.people):
        if row not in aside:
            photos[person].append(row)
    return {person: np.frombuffer(rows, np.int64) for person, rows in photos.items()}


def _sorted(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.sort(np.concatenate(rows)) if rows else np.empty(0, np.int64)


def _nameable(
    photos: Mapping[str, Sized], free: Mapping[str, Sized], settings: SplitSettings
) -> tuple[list[str], list[str]]:
    """The people with enough photos, among them enough to split, and the others, each sorted."""
    enough: list[str] = []
    too_few: list[str] = []
    for person in sorted(photos):
        num_free = len(free[person])
        held_out = settings.count("test", num_free) + settings.count("val", num_free)
        some = len(photos[person]) >= settings.min_photos and num_free > held_out
        (enough if some else too_few).append(person)
    return enough, too_few


def _drawn(people: Sequence[str], count: int | None, seed: int) -> list[str]:
    """So many of the people, all by default, in random order."""
    rng = np.random.default_rng([seed, len(people)])
    return [people[i] for i in rng.permutation(len(people))[:count]]


def _by_stage(strangers: Sequence[str], settings: SplitSettings) -> dict[str, Sequence[str]]:
    """Who of the strangers teaches, who sets the threshold, who judges it."""
    count = settings.count("background", len(strangers))
    if count > len(strangers):
        raise UserError(
            f"{count} strangers are to teach, but there are {len(strangers)}. Lower "
            "`data.split.background`, or set people aside with `data.split.outsiders`."
        )
    rest = strangers[count:]
    return {"train": strangers[:count], "val": rest[::2], "test": rest[1::2]}


def _too_few_people(crops: Crops, settings: SplitSettings, photos: Mapping[str, Sized]) -> str:
    if not photos:
        read = len(crops.left_out)
        reasons = sorted({entry.reason for entry in crops.left_out})
        return (
            f"No faces found ({read} files read: {'; '.join(reasons[:5])}). Is it one folder of "
            "photos per person?"
        )
    beside = f" beside {settings.outsiders:g} outsiders" if settings.outsiders else ""
    most = ", ".join(
        f"{person} {len(own)}"
        for person, own in sorted(photos.items(), key=lambda item: -len(item[1]))[:5]
    )
    return (
        f"At least two people{beside} with {settings.least_photos} photos each are needed to learn "
        f"to tell them apart; found: {most}. Add photos, or ask for fewer with `data.split.val`, "
        "`data.split.test` or `data.split.min_photos`."
    )
