from __future__ import annotations

import threading
from functools import partial

import pytest
import torch
from torch import nn

from facenet_demo.features.side_by_side import Copies, one_thread, side_by_side

CPU = torch.device("cpu")


def test_pieces_run_at_once_each_with_one_thread_and_come_in_order() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def piece(number: int) -> tuple[int, int]:
        meeting.wait()  # for the other, which must be under way
        return number, torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = list(side_by_side([partial(piece, number) for number in range(4)], CPU))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert found == [(number, 1) for number in range(4)]


def test_an_error_reaches_who_asked_and_threads_are_as_before() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        list(side_by_side([lambda: 1 / 0], CPU))
    assert torch.get_num_threads() == before
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_copy_is_used_by_one_at_a_time_and_again() -> None:
    own = nn.Linear(2, 2)
    copies = Copies(own)
    with copies.one() as first:
        with copies.one() as second:
            assert first is not second
        with copies.one() as third:
            assert third is second
    assert own not in (first, second)
    assert torch.equal(first.weight, own.weight)
