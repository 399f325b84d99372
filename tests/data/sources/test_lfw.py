from __future__ import annotations

from collections import Counter
from pathlib import Path

from facenet_demo.data.sources import LFW


def test_lfw_has_62_people_with_20_photos_or_more(lfw_folder: Path) -> None:
    counts = Counter(s.person for s in LFW(lfw_folder).samples())
    many = {person: n for person, n in counts.items() if n >= 20}
    assert len(many) == 62
    assert sum(many.values()) == 3023
    assert many["George_W_Bush"] == 530
