from __future__ import annotations

import pytest
import torch

from facenet_demo.features.statistics import TopK


def test_top_k_of_a_stream_are_those_of_all() -> None:
    scores = torch.rand(200, 7, generator=torch.Generator().manual_seed(0))
    ids = torch.stack([torch.arange(200).view(-1, 1).expand(200, 7)] * 2, dim=2)
    ids[..., 1] *= 10
    top = TopK(5)
    for start in (0, 3, 90, 93):  # batches of 3, 87, 3 and 107
        stop = {0: 3, 3: 90, 90: 93, 93: 200}[start]
        some = ids[start:stop]
        top.add(scores[start:stop], lambda things, units, some=some: some[things, units])
    expected = scores.topk(5, dim=0)
    assert torch.equal(top.result().scores, expected.values.T)
    assert torch.equal(top.result().ids[..., 0], expected.indices.T)
    assert torch.equal(top.result().ids[..., 1], 10 * expected.indices.T)


def test_fewer_than_k() -> None:
    top = TopK(9)
    with pytest.raises(ValueError, match="nothing"):
        top.result()
    top.add(torch.tensor([[1.0], [3.0]]), lambda things, units: 5 + things)
    assert top.result().ids.tolist() == [[6, 5]]
