from __future__ import annotations

import torch

from facenet_demo.training.metrics import PhotoMean


def test_a_mean_over_batches_is_one_over_photos_and_padding_counts_not() -> None:
    values, real = torch.rand(50), torch.rand(50) < 0.7
    mean = PhotoMean()
    for batch in torch.arange(50).split(8):
        mean.update(values[batch], real[batch])
    torch.testing.assert_close(mean.compute(), values[real].mean())
    mean.reset()
    mean.update(torch.tensor([True, False, True]), torch.tensor([True, True, False]))
    assert mean.compute() == 0.5


def test_sixteen_bits_count_as_far_as_others() -> None:
    mean = PhotoMean().to(torch.bfloat16)
    mean.reset()
    for _ in range(300):
        mean.update(torch.tensor([1.0, 1.0, 0.25], dtype=torch.bfloat16), torch.ones(3).bool())
    assert mean.compute() == 0.75
