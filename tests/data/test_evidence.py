from __future__ import annotations

import numpy as np
import pytest

from facenet_demo.data.datamodule import DataSettings, FaceDataModule
from facenet_demo.data.evidence import JitteredViews, make_evidence
from facenet_demo.data.splits import SplitSettings
from facenet_demo.system.errors import UserError


@pytest.mark.parametrize(("num", "batches"), [(2, 1), (3, 1), (12, 6), (39, 19), (200, 20)])
def test_each_view_has_another_beside_it(orl: FaceDataModule, num: int, batches: int) -> None:
    """Where a batch held one view, its own parts were the position prior, and all scores 0."""
    sizes = [len(view.images) for view in JitteredViews(orl, np.arange(num), 400, 0, "cpu")]
    assert (len(sizes), sum(sizes)) == (batches, num)
    assert min(sizes) >= 2


def test_one_test_photo_is_too_few() -> None:
    data = DataSettings(split=SplitSettings(val=0, test=0)).build()
    data.split.rows["test"] = np.array([7])
    with pytest.raises(UserError, match=r"Test photos: 1\. What a network learned is measured on"):
        make_evidence(data, 40, 0)
