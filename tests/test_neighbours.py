from __future__ import annotations

import numpy as np
import pytest
import torch

from facenet_demo import neighbours as module
from facenet_demo.neighbours import Neighbours, certainty

PEOPLE, PHOTOS, STRANGERS, WIDTH = 4, 5, 6, 8


@pytest.fixture
def embeddings() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(count, WIDTH, generator=generator)
        for name, count in (("known", PEOPLE * PHOTOS), ("strangers", STRANGERS), ("new", 30))
    }


LABELS = torch.arange(PEOPLE).repeat(PHOTOS)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_nearness_equals_a_search_by_hand(embeddings: dict[str, torch.Tensor]) -> None:
    found = Neighbours.of(embeddings["known"], LABELS, embeddings["strangers"])
    logits = torch.randn(30, PEOPLE, generator=torch.Generator().manual_seed(1))
    known, strangers, new = (values.numpy() for values in embeddings.values())
    expected = []
    for face, scores in zip(new, logits.numpy(), strict=True):
        own = max(
            cosine(face, photo)
            for photo, label in zip(known, LABELS.tolist(), strict=True)
            if label == scores.argmax()
        )
        other = max(cosine(face, stranger) for stranger in strangers)
        expected.append(min(max(3 * (own - other), 0), 1))
    nearness = found.nearness(logits, embeddings["new"])
    np.testing.assert_allclose(nearness, expected, atol=5e-3)  # half precision
    assert 0 < np.mean(np.array(expected) == 0) < 1, "both sides of the bound are met"
    probability = logits.softmax(1).amax(1)
    sure = certainty(logits, embeddings["new"], found)
    np.testing.assert_allclose(sure, (probability + nearness) / 2, atol=1e-6)
    torch.testing.assert_close(certainty(logits).float(), probability)


def test_a_face_that_is_known_is_surer_than_the_same_scores_of_a_stranger(
    embeddings: dict[str, torch.Tensor],
) -> None:
    found = Neighbours.of(embeddings["known"], LABELS, embeddings["strangers"])
    logits = torch.tensor([[9.0, 0, 0, 0]]).repeat(2, 1)
    faces = torch.stack([embeddings["known"][0], embeddings["strangers"][0]])
    own, stranger = certainty(logits, 7 * faces, found)
    assert own > 0.99
    assert stranger < 0.5


def test_of_many_photos_some_of_each_person_are_kept(
    embeddings: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 4)
    labels = torch.tensor([2] * 17 + [0, 1, 0])
    kept = Neighbours.of(embeddings["known"], labels, embeddings["strangers"])
    assert kept.labels.tolist() == [2, 0, 1]
    expected = torch.nn.functional.normalize(embeddings["known"][[0, 17, 18]], dim=1).half()
    assert torch.equal(kept.known, expected)
    assert len(kept.strangers) == 4


@pytest.mark.parametrize(
    "change",
    [{"labels": torch.zeros(3)}, {"known": [1.0]}, {"another": torch.zeros(1)},
     {"strangers": torch.empty(0, WIDTH)}, {"strangers": torch.full((1, WIDTH), torch.nan)}],
)  # fmt: skip
def test_values_that_are_no_neighbours_are_refused(
    change: dict, embeddings: dict[str, torch.Tensor]
) -> None:
    values = vars(Neighbours.of(embeddings["known"], LABELS, embeddings["strangers"]))
    assert Neighbours.from_values(values).labels is values["labels"]
    with pytest.raises((ValueError, TypeError, AttributeError)):
        Neighbours.from_values({**values, **change})
