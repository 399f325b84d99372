from __future__ import annotations

import pytest
import torch
from torchmetrics.classification import MulticlassF1Score

from facenet_demo.data.records import PADDED
from facenet_demo.training.metrics import MacroF1, PhotoMean


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_macro_f1_is_that_of_torchmetrics(dtype: torch.dtype) -> None:
    """Also where somebody has no photo and is never named, and where a batch is filled up."""
    torch.manual_seed(0)
    ours = MacroF1(7).to(dtype)
    theirs = MulticlassF1Score(7, average="macro", ignore_index=PADDED)
    for metric in (ours, theirs):
        metric.reset()
    for _ in range(40):
        labels = torch.randint(0, 5, (9,))
        outputs = torch.randn(9, 7).to(dtype)
        outputs[:, 6] = -9
        outputs[range(9), labels] += 1
        labels[torch.rand(9) < 0.2] = PADDED
        ours.update(outputs, labels)
        theirs.update(outputs, labels)
        for count in ("tp", "fp", "tn", "fn"):
            assert torch.equal(getattr(ours, count), getattr(theirs, count)), count
    assert torch.equal(ours.compute(), theirs.compute())
    assert 0.2 < ours.compute() < 0.8
