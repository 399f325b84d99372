"""Independent pieces of work on all cores, each with one thread of PyTorch.

    for found in side_by_side(pieces, device): ...     # in order

Networks as small as those of faces share an operation badly: two threads at one convolution are
half as fast again as one, two convolutions at once are twice as fast. And rounding no longer hangs
on the number of cores. Two pieces must not use the same module, which instruments put hooks on:

    copies = Copies(network)
    with copies.one() as network: ...
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Generic, TypeVar

import torch
from torch import nn

from facenet_demo.system.threads import ordered_map

Result = TypeVar("Result")
Module = TypeVar("Module", bound=nn.Module)


def side_by_side(pieces: Iterable[Callable[[], Result]], device: torch.device) -> Iterator[Result]:
    """The results of all pieces, in order; on a GPU, which works on one at a time, one by one.

    Args:
        pieces: short ones, since an interruption waits for those under way.
        device: where they are computed.
    """
    num_threads = torch.get_num_threads() if device.type == "cpu" else 1
    with one_thread():
        yield from ordered_map(lambda piece: piece(), pieces, num_threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of PyTorch's on the CPU while the block lasts, also in threads begun in it.

    Many operations that are too small to share take thirty times as long where other programs keep
    cores busy: threads wait for each other at each of them.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Copies(Generic[Module]):
    """As many copies of a module as are in use at once."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._free: deque[Module] = deque()

    @contextmanager
    def one(self) -> Iterator[Module]:
        """A copy that nobody else uses while the block lasts."""
        try:
            module = self._free.pop()
        except IndexError:
            module = deepcopy(self._module)
        try:
            yield module
        finally:
            self._free.append(module)
