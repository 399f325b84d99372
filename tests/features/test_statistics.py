from __future__ import annotations

import numpy as np
import pytest
import torch

from facenet_demo.features.statistics import Quantiles, TopK


def test_top_k_of_a_stream_are_those_of_all() -> None:
    scores = torch.rand(200, 7, generator=torch.Generator().manual_seed(0))
    ids = torch.stack([torch.arange(200).view(-1, 1).expand(200, 7)] * 2, dim=2)
    ids[..., 1] *= 10
    top = TopK(5)
    for start in (0, 3, 90, 93):  # batches of 3, 87, 3 and 107
        stop = {0: 3, 3: 90, 90: 93, 93: 200}[start]
        top.add(scores[start:stop], ids[start:stop])
    expected = scores.topk(5, dim=0)
    assert torch.equal(top.result().scores, expected.values.T)
    assert torch.equal(top.result().ids[..., 0], expected.indices.T)
    assert torch.equal(top.result().ids[..., 1], 10 * expected.indices.T)


def test_fewer_than_k() -> None:
    top = TopK(9)
    with pytest.raises(ValueError, match="nothing"):
        top.result()
    top.add(torch.tensor([[1.0], [3.0]]), torch.tensor([[5], [6]]))
    assert top.result().ids.tolist() == [[6, 5]]


@pytest.mark.parametrize("first", [100, 5000], ids=["few first", "many first"])
def test_ranks_of_quantiles_are_right_to_a_thousandth(first: int) -> None:
    rng = np.random.default_rng(0)
    values = np.stack(
        [
            rng.normal(size=200_000),
            np.maximum(rng.normal(size=200_000), 0),  # as a rectifier gives
            rng.exponential(size=200_000) ** 2,  # a long tail: the range grows
            -rng.exponential(size=200_000),
        ]
    ).astype(np.float32)
    quantiles = Quantiles(4)
    for some in np.split(values, [first, 40_000, 41_000], axis=1):
        quantiles.add(torch.from_numpy(some))
    for share in (0.4, 0.1, 0.02, 0.005):
        cut = quantiles.above(share)
        for unit, at in zip(values, cut, strict=True):
            assert (unit > at).mean() == pytest.approx(share, abs=0.001)
    both = quantiles.above(np.array([0.4, 0.02]))
    assert both[:, 1] == pytest.approx(quantiles.above(0.02))


def test_values_that_never_change_have_their_value_as_quantile() -> None:
    quantiles = Quantiles(1)
    quantiles.add(torch.full((1, 100), 3.0))
    assert quantiles.above(0.1)[0] == pytest.approx(3)
    with pytest.raises(ValueError, match="nothing"):
        Quantiles(1).above(0.1)


def test_ranks_are_shares_of_what_lies_below() -> None:
    quantiles = Quantiles(2)
    values = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 20_000))).float()
    quantiles.add(values)
    ranks = quantiles.ranks(torch.tensor([[0.0, 1.0], [-1.0, 0.5]]))
    expected = [[0.5, 0.8413], [0.1587, 0.6915]]
    assert ranks.numpy() == pytest.approx(np.array(expected), abs=0.01)
