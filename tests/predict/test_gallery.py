from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facenet_demo.predict import Predictor
from facenet_demo.predict.enrollment import enroll, open_gallery
from facenet_demo.predict.gallery import Gallery, by_person, load_gallery
from facenet_demo.predict.models import Scores
from facenet_demo.system.errors import UserError

NEW = (20, 21, 22, 23, 24)  # people the network was never trained on


@pytest.fixture(scope="module")
def people(orl_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One photo of each of five people, two of the first, and a file that is no photo."""
    folder = tmp_path_factory.mktemp("gallery") / "people"
    for person in NEW:
        (folder / f"P{person}").mkdir(parents=True)
        shutil.copy(orl_root / f"s{person}/1.pgm", folder / f"P{person}")
    shutil.copy(orl_root / "s20/2.pgm", folder / "P20")
    (folder / "P20/notes.txt").write_text("hello")
    return folder


@pytest.fixture(scope="module")
def gallery(people: Path, predictor: Predictor) -> Gallery:
    return enroll(people, predictor.reader, predictor.model)


def made(strangers: torch.Tensor) -> Gallery:
    """Three people, each an axis."""
    return Gallery(("a", "b", "c"), torch.eye(3), torch.arange(3), strangers, "digest")


def scores(*embeddings: list[float]) -> Scores:
    unit = torch.nn.functional.normalize(torch.tensor(embeddings), dim=1)
    return Scores(torch.zeros(len(unit), 1), unit)


def test_one_photo_of_each_names_people_never_trained_on(
    predictor: Predictor, gallery: Gallery, orl_root: Path
) -> None:
    assert gallery.people == tuple(f"P{person}" for person in NEW)
    named = Predictor(predictor.model, gallery=gallery)
    files = [orl_root / f"s{person}/{number}.pgm" for person in NEW for number in range(3, 7)]
    first = [result.faces[0].guesses[0].name for result in named(files)]
    right = [name == f"P{file.parent.name[1:]}" for name, file in zip(first, files, strict=True)]
    assert sum(right) >= 0.75 * len(files), sum(right)


def test_what_is_no_photo_is_left_out_and_named(gallery: Gallery, people: Path) -> None:
    assert len(gallery.labels) == 6
    assert gallery.left_out == ((str(people / "P20/notes.txt"), "not an image"),)


def test_the_enrolled_photos_find_themselves(
    predictor: Predictor, gallery: Gallery, people: Path
) -> None:
    named = Predictor(predictor.model, gallery=gallery, threshold=0.999)
    for person in NEW:
        (face,) = named(people / f"P{person}/1.pgm").faces
        assert face.name == f"P{person}"


def test_strangers_are_the_photos_of_everybody_else(gallery: Gallery) -> None:
    for row, found in enumerate(gallery.strangers):
        others = gallery.embeddings[gallery.labels != gallery.labels[row]]
        assert found == pytest.approx(float((others @ gallery.embeddings[row]).max()), abs=1e-6)


def test_a_folder_of_strangers_sets_the_threshold(
    predictor: Predictor, people: Path, orl_root: Path
) -> None:
    gallery = enroll(people, predictor.reader, predictor.model, orl_root / "s30")
    assert len(gallery.strangers) == 10
    window = predictor.windows(orl_root / "s30/1.pgm")
    similarity = predictor.embed(window) @ gallery.embeddings.T
    assert gallery.strangers[0] == pytest.approx(float(similarity.max()), abs=1e-6)


@pytest.mark.parametrize("count", [5, 20, 1000])
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_the_share_stated_passes_the_threshold(count: int, rate: float) -> None:
    """Over many draws of strangers, and of others like them."""
    generator = torch.Generator().manual_seed(0)
    passed = []
    for _ in range(400):
        strangers = 0.3 + 0.1 * torch.randn(count, generator=generator)
        threshold = made(strangers).at(rate).threshold
        others = 0.3 + 0.1 * torch.randn(500, generator=generator)
        passed.append(float((others > threshold).float().mean()))
    assert sum(passed) / len(passed) == pytest.approx(rate, rel=0.35)


def test_too_few_strangers_set_none() -> None:
    gallery = made(torch.tensor([0.1, 0.2])).at(0.01)
    assert gallery.threshold is None
    assert "`strangers`" in gallery.rule()
    assert gallery(scores([1.0, 0, 0])).known.all()


def test_probabilities_are_a_softmax_with_a_stranger_at_the_threshold() -> None:
    gallery = replace(made(torch.zeros(3)), temperature=0.2, threshold=0.5)
    named = gallery(scores([3.0, 4.0, 0.0], [1.0, 1.0, 1.0]))
    expected = (torch.tensor([0.6, 0.8, 0.0, 0.5]).double() / 0.2).softmax(0)[:3]
    torch.testing.assert_close(named.probabilities[0], expected)
    assert named.certainty.tolist() == pytest.approx([0.8, 3**-0.5])
    assert named.known.tolist() == [True, True]  # 1 / sqrt(3) > .5
    assert (named.probabilities.sum(1) < 1).all()


def test_a_persons_score_is_that_of_the_most_similar_photo() -> None:
    similarity = torch.tensor([[0.1, 0.9, -0.5, -0.2]])
    found = by_person(similarity, torch.tensor([1, 1, 0, 0]), 2)
    torch.testing.assert_close(found, torch.tensor([[-0.2, 0.9]]))


def test_the_temperature_makes_left_out_photos_likeliest_but_for_the_prior(
    gallery: Gallery, predictor: Predictor, orl_root: Path, tmp_path: Path
) -> None:
    for person in NEW:
        shutil.copytree(orl_root / f"s{person}", tmp_path / f"P{person}")
    whole = enroll(tmp_path, predictor.reader, predictor.model)

    def loss(temperature: float) -> float:
        total = 0.0
        for row, label in enumerate(whole.labels.tolist()):
            similarity = whole.embeddings @ whole.embeddings[row]
            similarity[row] = -1
            best = [float(similarity[whole.labels == p].max()) for p in range(len(NEW))]
            own = torch.tensor([*best, whole.threshold]) / temperature
            total -= float(own.log_softmax(0)[label])
        return total + math.log(temperature / float(whole.strangers.std())) ** 2 / 2

    assert loss(whole.temperature) <= min(loss(whole.temperature * x) for x in (0.8, 1.25))


def test_one_pair_named_rightly_does_not_make_certain(gallery: Gallery) -> None:
    """Only P20 is enrolled twice: the likelihood alone would have no largest value."""
    rough = float(gallery.strangers.std())
    assert rough / math.e <= gallery.temperature <= rough * math.e


def test_the_likeliest_is_the_most_similar_also_far_below_the_threshold() -> None:
    gallery = replace(made(torch.zeros(3)), temperature=0.01, threshold=1.0)
    (chances,) = gallery(scores([0.1, 0.3, -1.0])).probabilities
    assert chances.argmax() == 1
    assert chances[1] > chances[0] > chances[2] > 0


def test_it_is_saved_and_read_whole(
    gallery: Gallery, predictor: Predictor, tmp_path: Path, orl_root: Path
) -> None:
    gallery.save(tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o600, "it is for its user alone"
    read = load_gallery(tmp_path / "a.safetensors", predictor.model)
    photo = orl_root / "s21/5.pgm"
    assert Predictor(predictor.model, gallery=tmp_path / "a.safetensors")(photo) == Predictor(
        predictor.model, gallery=gallery
    )(photo)
    assert (read.people, read.threshold, read.digest) == (
        gallery.people,
        gallery.threshold,
        gallery.digest,
    )


def test_another_network_is_told(gallery: Gallery, predictor: Predictor, tmp_path: Path) -> None:
    other = replace(gallery, digest="another")
    other.save(tmp_path / "a.safetensors")
    for given in (other, tmp_path / "a.safetensors"):
        with pytest.raises(UserError, match="another network"):
            Predictor(predictor.model, gallery=given)


def test_wrong_use_is_said(predictor: Predictor, people: Path, tmp_path: Path) -> None:
    reader, model = predictor.reader, predictor.model
    (tmp_path / "empty/Ada").mkdir(parents=True)
    with pytest.raises(UserError, match="No folders with photos"):
        enroll(tmp_path / "empty", reader, model)
    (tmp_path / "empty/Ada/a.jpg").write_text("hello")
    with pytest.raises(UserError, match=r"No faces found in .*empty \(1 files read\)"):
        enroll(tmp_path / "empty", reader, model)
    with pytest.raises(UserError, match="No faces found"):
        enroll(people, reader, model, tmp_path / "empty")
    with pytest.raises(UserError, match="does not exist"):
        open_gallery(tmp_path / "gone", reader, model)
    with pytest.raises(UserError, match="no gallery"):
        open_gallery(tmp_path / "gone.safetensors", reader, model)
    with pytest.raises(UserError, match="made before"):
        open_gallery(tmp_path / "gone.safetensors", reader, model, people)
    with pytest.raises(UserError, match="between 0 and 1"):
        made(torch.zeros(5)).at(0.0)
