from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facenet_demo.benchmarks import mutations
from facenet_demo.faces.photos import ImageError


def test_a_mutation_is_seeded_and_changes_the_file() -> None:
    content = bytes(range(256)) * 3
    first, second = (
        [mutations.mutate(content, [b"x" * 300], rng) for _ in range(50)]
        for rng in (np.random.default_rng(1), np.random.default_rng(1))
    )
    assert first == second
    assert sum(changed != content for changed in first) >= 45


def test_mutations_are_counted_by_what_came_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = iter([None, ImageError("damaged image (x)"), ImageError("not an image"), OSError()])

    def read(path: Path) -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(mutations, "_files", lambda: [b"abcdefgh"])
    monkeypatch.setattr(mutations, "read_image", read)
    found = mutations.run(4, seed=0)
    assert (found.num, found.readable) == (4, 1)
    assert found.reasons == {"damaged image": 1, "not an image": 1}
    assert found.other_errors == {"OSError": 1}
