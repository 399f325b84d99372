from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from facenet_demo.data.splits import STAGES, Split, SplitSettings, make_split, split_people
from facenet_demo.data.stored import Crops, LeftOut
from facenet_demo.system.errors import UserError

SIDE = 24


def crops_of(photos: Mapping[str, int]) -> Crops:
    """Photos of noise, each unlike all others, the people's rows mixed."""
    rng = np.random.default_rng(0)
    people = sorted(person for person, count in photos.items() for _ in range(count))
    people = [people[i] for i in rng.permutation(len(people))]
    count = len(people)
    return Crops(
        images=rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8),
        people=people,
        files=[f"{person}/{row}.png" for row, person in enumerate(people)],
        digests=rng.integers(0, 256, (count, 32), np.uint8),
        detected=np.ones(count, bool),
        landmarks=np.zeros((count, 5, 2), np.float32),
        transforms=np.zeros((count, 2, 3)),
        num_faces=np.ones(count, np.int32),
        left_out=[LeftOut("Ada/empty.jpg", "empty file")],
    )


def rows_of(crops: Crops, person: str) -> list[int]:
    return [row for row, name in enumerate(crops.people) if name == person]


def stage_of(split: Split, crops: Crops) -> dict[str, str]:
    return {crops.files[row]: stage for stage in STAGES for row in split.rows[stage]}


@pytest.mark.parametrize(
    ("val", "test", "photos", "expected"),
    [
        (0.2, 0.3, 10, (5, 2, 3)),
        (0.1, 0.25, 100, (65, 10, 25)),
        (0.1, 0.1, 4, (2, 1, 1)),  # a share is at least one photo
        (1, 5, 10, (4, 1, 5)),
        (2.0, 0.5, 10, (3, 2, 5)),
        (0, 0.5, 10, (5, 0, 5)),
        (1, 0, 10, (9, 1, 0)),
        (0, 0, 3, (3, 0, 0)),
        (1, 1, 3, (1, 1, 1)),
    ],
)
def test_each_person_has_the_stated_number_in_each_stage(
    val: float, test: float, photos: int, expected: tuple[int, int, int]
) -> None:
    crops = crops_of({"Ada": photos, "Grace": photos})
    split = make_split(crops, SplitSettings(val=val, test=test))
    for person in ("Ada", "Grace"):
        own = set(rows_of(crops, person))
        assert tuple(len(own & set(split.rows[stage])) for stage in STAGES) == expected


def test_every_photo_is_in_one_stage_with_the_label_of_its_person() -> None:
    crops = crops_of({"Zoë": 9, "Ada": 13, "Grace": 7})
    split = make_split(crops, SplitSettings())
    assert split.people == ["Ada", "Grace", "Zoë"]
    assert [split.people[label] for label in split.labels] == crops.people
    assert sorted(np.concatenate([split.rows[s] for s in STAGES])) == list(range(len(crops)))
    for stage in STAGES:
        assert (np.diff(split.rows[stage]) > 0).all(), "sorted, each once"
        assert split.rows[stage].dtype == np.int64


def test_a_seed_repeats_the_split_and_another_makes_another() -> None:
    crops = crops_of({"Ada": 20, "Grace": 20})
    first, again, other = (
        stage_of(make_split(crops, SplitSettings(seed=seed)), crops) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert Counter(first.values()) == Counter(other.values())


def test_people_are_not_split_alike() -> None:
    crops = crops_of({"Ada": 20, "Grace": 20})
    split = make_split(crops, SplitSettings(val=0, test=10))
    ada, grace = (
        [own.index(row) for row in split.rows["test"] if row in own]
        for own in (rows_of(crops, "Ada"), rows_of(crops, "Grace"))
    )
    assert ada != grace


def test_a_new_person_leaves_the_split_of_the_others_as_it_was() -> None:
    crops = crops_of({"Ada": 12, "Grace": 12})
    newcomer = crops_of({"Bea": 12})
    both = Crops(
        **{
            **vars(crops),
            "images": np.concatenate([newcomer.images[:, ::-1], crops.images]),
            "people": [*newcomer.people, *crops.people],
            "files": [*newcomer.files, *crops.files],
            "digests": np.concatenate([newcomer.digests[:, ::-1], crops.digests]),
            "transforms": np.concatenate([newcomer.transforms, crops.transforms]),
        }
    )
    before = stage_of(make_split(crops, SplitSettings()), crops)
    after = stage_of(make_split(both, SplitSettings()), both)
    assert {file: stage for file, stage in after.items() if "Bea" not in file} == before


def test_people_with_too_few_photos_are_not_named() -> None:
    crops = crops_of({"Ada": 9, "Bea": 7, "Cleo": 8, "Dora": 2})
    split = make_split(crops, SplitSettings(val=1, test=1, min_photos=8))
    assert split.people == ["Ada", "Cleo"]
    assert split.too_few == {"Bea": 7, "Dora": 2}
    unused = set(rows_of(crops, "Bea") + rows_of(crops, "Dora"))
    assert set(np.flatnonzero(split.labels == -1)) == unused
    assert not unused & set(np.concatenate(list(split.rows.values())))


def test_people_who_would_have_no_photo_to_learn_from_are_not_named() -> None:
    crops = crops_of({"Ada": 7, "Bea": 6, "Cleo": 8})
    split = make_split(crops, SplitSettings(val=1, test=5))
    assert split.people == ["Ada", "Cleo"]
    assert split.too_few == {"Bea": 6}


def test_a_copy_is_used_once_and_reported() -> None:
    crops = crops_of({"Ada": 6, "Grace": 6})
    ada, grace = rows_of(crops, "Ada"), rows_of(crops, "Grace")
    copies = {ada[3]: ada[0], grace[5]: grace[2]}
    for row, first in copies.items():
        crops.digests[row] = crops.digests[first]
    split = make_split(crops, SplitSettings(val=1, test=1))
    assert set(np.flatnonzero(split.labels == -1)) == set(copies)
    assert sorted(np.concatenate(list(split.rows.values()))) == sorted(set(range(12)) - set(copies))
    assert {(entry.file, entry.reason) for entry in split.left_out} == {
        (crops.files[row], f"the same file as {crops.files[first]}")
        for row, first in copies.items()
    }


@pytest.mark.parametrize("how", ["file", "picture"])
def test_a_face_under_two_names_is_used_under_neither(how: str) -> None:
    crops = crops_of({"Ada": 6, "Grace": 6})
    ada, grace = rows_of(crops, "Ada")[2], rows_of(crops, "Grace")[4]
    if how == "file":
        crops.digests[ada] = crops.digests[grace]
    else:  # saved anew
        crops.images[ada] = np.clip(crops.images[grace], 6, 249) + np.uint8(5)
    split = make_split(crops, SplitSettings(val=1, test=1))
    assert set(np.flatnonzero(split.labels == -1)) == {ada, grace}
    assert not {ada, grace} & set(np.concatenate(list(split.rows.values())))
    assert {entry.file: entry.reason for entry in split.left_out} == {
        crops.files[one]: f"the same face as in {crops.files[other]}, under another name"
        for one, other in ((ada, grace), (grace, ada))
    }


def test_two_faces_of_one_photo_are_two_photos() -> None:
    crops = crops_of({"Ada": 6, "Grace": 6})
    ada, grace = rows_of(crops, "Ada")[2], rows_of(crops, "Grace")[4]
    crops.digests[ada] = crops.digests[grace]
    crops.transforms[ada] = 1
    split = make_split(crops, SplitSettings(val=1, test=1))
    assert split.left_out == []
    assert (split.labels >= 0).all()


def test_whose_face_is_not_clear_is_left_out_and_what_was_chosen_teaches_only() -> None:
    crops = crops_of({"Ada": 12, "Grace": 12, "Once": 2, "Twice": 2})
    ada, grace = rows_of(crops, "Ada"), rows_of(crops, "Grace")
    strangers = [rows_of(crops, name)[0] for name in ("Once", "Twice")]
    chosen = [*ada[:6], *grace[:3], *strangers]
    crops = replace(crops, overruled=sorted(chosen), unclear=[ada[7]])
    crops.num_faces[ada[7]] = 3
    for seed in range(5):
        split = make_split(crops, SplitSettings(val=2, test=3, seed=seed))
        assert split.left_out == [
            LeftOut(crops.files[ada[7]], "shows 3 faces, and it is not clear whose this one is")
        ]
        judges = {*split.rows["val"], *split.rows["test"]}
        assert len(judges) == 10
        assert not judges & set(chosen)
        assert set(split.rows["train"]) == {*ada, *grace} - {ada[7]} - judges
        outsiders = {*split.outsider_rows["val"], *split.outsider_rows["test"]}
        assert len(outsiders) == 2
        assert not outsiders & set(chosen)


def test_without_doubt_the_split_is_what_it_was() -> None:
    """Drawn before photos with several faces were told apart, for one seed."""
    crops = crops_of({"Ada": 8, "Grace": 8, "Once": 1})
    split = make_split(crops, SplitSettings(val=1, test=2))
    assert {stage: rows.tolist() for stage, rows in split.rows.items()} == {
        "train": [3, 4, 5, 6, 7, 9, 10, 11, 13, 14], "val": [2, 12], "test": [0, 1, 15, 16],
    }  # fmt: skip


# The data set's own split


def given_to(crops: Crops, stages: Mapping[str, Sequence[int]]) -> np.ndarray:
    """Nobody's photos are for anything but to teach, except for these."""
    given = np.zeros(len(crops), np.int64)
    for stage, rows in stages.items():
        given[list(rows)] = STAGES.index(stage)
    return given


def test_a_given_split_is_kept() -> None:
    crops = crops_of({"Ada": 8, "Grace": 5, "Once": 2})
    ada, grace, once = (rows_of(crops, name) for name in ("Ada", "Grace", "Once"))
    given = given_to(crops, {"val": ada[:1], "test": [*ada[5:], *grace[3:], *once]})
    split = make_split(crops, SplitSettings(val=0.4, test=0.5), given)
    assert split.people == ["Ada", "Grace"]
    assert split.rows["val"].tolist() == ada[:1]
    assert split.rows["test"].tolist() == sorted([*ada[5:], *grace[3:]])
    assert split.rows["train"].tolist() == sorted([*ada[1:5], *grace[:3]])
    assert split.too_few == {"Once": 2}, "of whom nothing can be learned"


def test_of_a_given_split_only_what_is_missing_is_drawn() -> None:
    crops = crops_of({"Ada": 8, "Grace": 8})
    test = [rows_of(crops, name)[row] for name in ("Ada", "Grace") for row in range(2)]
    split = make_split(crops, SplitSettings(val=2, test=5), given_to(crops, {"test": test}))
    assert split.rows["test"].tolist() == sorted(test)
    assert len(split.rows["val"]) == 4
    assert len(split.rows["train"]) == 8


def test_what_a_given_split_has_for_judging_must_be_able_to() -> None:
    crops = crops_of({"Ada": 8, "Grace": 8})
    test = rows_of(crops, "Ada")[:3]
    crops = replace(crops, overruled=test[1:2])
    split = make_split(crops, SplitSettings(val=0), given_to(crops, {"test": test}))
    assert split.rows["test"].tolist() == [test[0], test[2]]
    assert test[1] not in split.rows["train"]
    assert [entry.file for entry in split.left_out] == [crops.files[test[1]]]


def test_copies_do_not_count_as_photos() -> None:
    crops = crops_of({"Ada": 5, "Bea": 5, "Cleo": 5})
    for row in rows_of(crops, "Bea"):
        crops.digests[row] = 7
    split = make_split(crops, SplitSettings(val=1, test=1))
    assert split.people == ["Ada", "Cleo"]
    assert split.too_few == {"Bea": 1}


def test_near_duplicates_are_reported_across_stages_only() -> None:
    crops = crops_of({"Ada": 8, "Grace": 8, "Once": 1})
    rows = make_split(crops, SplitSettings(val=2, test=2)).rows
    train, val, test = (rows[stage] for stage in STAGES)
    across = [(train[0], test[0]), (train[1], val[0]), (val[1], test[1])]
    within = [(train[2], train[3]), (test[2], test[3])]
    across.append((train[4], rows_of(crops, "Once")[0]))  # a stranger, of the val stage
    for a, b in across + within:
        crops.images[b] = 0.8 * crops.images[a]
    split = make_split(crops, SplitSettings(val=2, test=2))
    assert {tuple(pair) for pair in split.near} == {tuple(sorted(pair)) for pair in across}


def test_the_record_is_plain_and_names_every_photo() -> None:
    crops = crops_of({"Ada": 8, "Zoë": 8, "Once": 1})
    ada = rows_of(crops, "Ada")
    crops.digests[ada[1]] = crops.digests[ada[0]]
    rows = make_split(crops, SplitSettings(val=1, test=1)).rows
    near = sorted([rows["train"][0], rows["test"][0]])
    crops.images[near[0]] = crops.images[near[1]]
    record = make_split(crops, SplitSettings(val=1, test=1)).record(crops)
    assert json.loads(json.dumps(record)) == record
    assert record == {
        "people": ["Ada", "Zoë"],
        **{stage: [crops.files[row] for row in rows[stage]] for stage in STAGES},
        "left_out": [
            {"file": "Ada/empty.jpg", "reason": "empty file"},
            {"file": crops.files[ada[1]], "reason": f"the same file as {crops.files[ada[0]]}"},
        ],
        "too_few_photos": {"Once": 1},
        "outsiders": {
            "train": [],
            "val": [crops.files[row] for row in rows_of(crops, "Once")],
            "test": [],
        },
        "near_duplicates": [[crops.files[row] for row in near]],
    }


@pytest.mark.parametrize(
    ("photos", "settings", "message"),
    [
        ({}, {}, r"No faces found \(1 files read: empty file\)"),
        ({"Ada": 20}, {"val": 1, "test": 1}, r"two people with 3 photos each.*found: Ada 20"),
        ({"Ada": 20, "Bea": 6}, {"val": 1, "test": 5}, r"with 7 photos.*found: Ada 20, Bea 6"),
        ({"Ada": 20, "Bea": 6}, {"min_photos": 9}, r"with 9 photos.*`data\.split\.min_photos`"),
        ({"Ada": 4, "Bea": 3}, {"val": 0.4, "test": 0.5}, r"with 5 photos.*found: Ada 4, Bea 3"),
    ],
    ids=["nobody", "one", "too few to split", "too few by choice", "too few for the shares"],
)
def test_fewer_than_two_people_is_an_error_that_says_what_is_needed(
    photos: dict[str, int], settings: dict[str, float], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_split(crops_of(photos), SplitSettings(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"val": -0.1},
        {"test": -1},
        {"val": 1.5},
        {"test": 2.25},
        {"test": float("nan")},
        {"test": float("inf")},
        {"background": -2},
        {"background": 1.5},
        {"val": 0.6, "test": 0.5},  # nothing would be left to learn from
        {"seed": -1},
    ],
    ids=str,
)
def test_settings_that_no_split_could_follow_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|leave"):
        SplitSettings(**settings)


# Strangers


@pytest.mark.parametrize(("background", "count"), [(0, 0), (0.25, 3), (4, 4), (12, 12)])
def test_some_strangers_teach_and_the_rest_is_halved(background: float, count: int) -> None:
    crops = crops_of({"Ada": 8, "Grace": 8, "Zoë": 8, **{f"p{i:02}": 2 for i in range(11)}})
    settings = SplitSettings(val=2, test=2, outsiders=1, background=background)
    split = make_split(crops, settings)
    people = {s: {crops.people[row] for row in split.outsider_rows[s]} for s in STAGES}
    rest = 12 - count
    assert [len(people[s]) for s in STAGES] == [count, rest - rest // 2, rest // 2]
    found = sorted(np.concatenate(list(split.outsider_rows.values())))
    (outsider,) = {"Ada", "Grace", "Zoë"} - set(split.people)
    assert found == sorted(
        row for row, p in enumerate(crops.people) if p[0] == "p" or p == outsider
    )
    assert sum(len(own) for own in people.values()) == 12, "nobody is in two stages"
    assert all((split.labels[rows] == -1).all() for rows in split.outsider_rows.values())


def test_strangers_who_teach_do_not_change_who_is_named() -> None:
    crops = crops_of({"Ada": 8, "Grace": 8, "p0": 1, "p1": 1, "p2": 1})
    plain, taught = (
        make_split(crops, SplitSettings(val=2, test=2, background=count)) for count in (0, 1)
    )
    assert all((plain.rows[s] == taught.rows[s]).all() for s in STAGES)
    assert plain.people == taught.people


def test_more_strangers_than_there_are_cannot_teach() -> None:
    crops = crops_of({"Ada": 8, "Grace": 8, "Once": 1})
    with pytest.raises(UserError, match=r"2 strangers are to teach, .* are 1\. Lower `data"):
        make_split(crops, SplitSettings(background=2))


# Whole people


def test_people_are_split_with_all_their_photos() -> None:
    crops = crops_of({f"p{i}": 3 for i in range(10)})
    split = split_people(crops, SplitSettings(val=2, test=0.3))
    people = {stage: {crops.people[row] for row in split.rows[stage]} for stage in STAGES}
    assert {stage: len(found) for stage, found in people.items()} == {
        "train": 5, "val": 2, "test": 3,
    }  # fmt: skip
    assert not people["train"] & people["val"] | people["train"] & people["test"]
    assert sum(len(rows) for rows in split.rows.values()) == 30
    assert [split.people[label] for label in split.labels] == crops.people
    again, other = (split_people(crops, SplitSettings(2, 0.3, seed=seed)) for seed in (0, 1))
    assert again.rows["test"].tolist() == split.rows["test"].tolist()
    assert other.rows["test"].tolist() != split.rows["test"].tolist()


def test_too_few_people_to_split_and_strangers_are_refused() -> None:
    crops = crops_of({"a": 3, "b": 3})
    with pytest.raises(UserError, match="leave none of the 2 to learn from"):
        split_people(crops, SplitSettings(val=1, test=1))
    for name in ("outsiders", "background"):
        with pytest.raises(UserError, match=f"leave out `data.split.{name}`"):
            split_people(crops, SplitSettings(val=0, test=1, **{name: 1}))
