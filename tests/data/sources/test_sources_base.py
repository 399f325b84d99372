from __future__ import annotations

import pytest

from facenet_demo.data.sources import LFW, ORL, FaceSource, Folder, UTKFace


@pytest.mark.parametrize("source", [ORL, LFW, Folder, UTKFace])
def test_a_source_says_its_terms_and_whom_to_credit(source: type[FaceSource]) -> None:
    assert all(len(text) > 4 for text in (source.title, source.terms, source.citation))
