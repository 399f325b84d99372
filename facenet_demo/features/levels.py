"""Values of units as a few levels, which lie close where shares of values are looked for.

    levels = Levels(sample)              # (U, N) what each unit's values are like
    levels.of_bin.gather(1, levels.bins(values))    # (U, M) the level of each of (U, M) values
    levels.starts(numbers)               # (U, K) where the levels (U, K) of each unit begin

Levels are numbered upwards, from 0 to NUM_LEVELS - 1; the lowest and the highest have no end. As
the sample goes, a level that begins where a share s of a unit's values lies above holds .2 % of
them for s from 4 to 25 %, 5 % of s below, and 10 % of all values above. A value is put in its level
in two steps without a search: its place among fine bins of one width, and a table of bins.
"""

from __future__ import annotations

import math

import torch

NUM_LEVELS = 192
_NUM_BINS = 2048
_ROOM = 1.5  # for values beyond the sample's largest: so many times its range
_NUM_RANKED = 1000  # of a sample's values, to find the tenth below which all are one level
_COARSE, _EVEN, _RELATIVE = 0.1, 0.002, 0.05  # what a level holds
_MEDIUM, _SMALL, _LEAST = 0.25, 0.04, 0.002  # down to these shares


class Levels:
    """Where the levels of some units lie.

    Args:
        sample: `(U, N)` float, values of each unit; some thousand, as later ones will be.

    Attributes:
        of_bin: `(U, bins)` int64, the level of each of the unit's fine bins.
    """

    def __init__(self, sample: torch.Tensor) -> None:
        some = sample[:, :: max(1, sample.shape[1] // _NUM_RANKED)]
        # Nothing is looked for among the lowest values, which may lie far from all others.
        self._low = some.sort(1).values[:, some.shape[1] // 10, None]
        spread = sample.amax(1, keepdim=True) - self._low
        # A unit that is silent in the sample may be as lively later as the others of its layer.
        lively = torch.maximum(spread.max(), 1e-3 * self._low.abs()).clamp_min(1e-12)
        self._width = torch.where(spread > 0, spread, lively) * (_ROOM / _NUM_BINS)
        # Whole numbers: of others a GPU has no sum in a certain order.
        counts = torch.zeros(len(sample), _NUM_BINS, dtype=torch.int64, device=sample.device)
        counts.scatter_add_(1, bins := self.bins(sample), torch.ones_like(bins))
        above = 1 - (counts.cumsum(1) - counts) / sample.shape[1]  # from each bin's start on
        by_share = _levels_above(above)
        # What is left is spread over the range, for values that the sample did not have.
        spare = (NUM_LEVELS - _MOST) / _NUM_BINS * torch.arange(_NUM_BINS, device=sample.device)
        self.of_bin = (by_share + spare).long().cummax(1).values

    def bins(self, values: torch.Tensor) -> torch.Tensor:
        """The fine bin of each of `(U, M)` values, int64."""
        # NaN and what no int64 holds become some integer or other.
        return (values - self._low).mul_(1 / self._width).long().clamp_(0, _NUM_BINS - 1)

    def starts(self, numbers: torch.Tensor) -> torch.Tensor:
        """The values `(U, K)` at which levels `(U, K)` begin; infinity for those beyond the last.

        Level 0 has what lies below its beginning, too.
        """
        bins = torch.searchsorted(self.of_bin, numbers)
        starts = self._low + bins * self._width
        return torch.where(bins < _NUM_BINS, starts, torch.inf)


def _levels_above(share: torch.Tensor) -> torch.Tensor:
    """How many levels begin where more than a share of the values lies above, as fractions."""
    coarse = (1 - share.clamp(_MEDIUM, 1)) / _COARSE
    even = (_MEDIUM - share.clamp(_SMALL, _MEDIUM)) / _EVEN
    relative = (_SMALL / share.clamp(_LEAST, _SMALL)).log() / _RELATIVE
    return coarse + even + relative


_MOST = (1 - _MEDIUM) / _COARSE + (_MEDIUM - _SMALL) / _EVEN + math.log(_SMALL / _LEAST) / _RELATIVE


def share_of_a_level(share: torch.Tensor) -> torch.Tensor:
    """How much the level holds that begins where a share of all values lies above."""
    held = torch.where(share > _SMALL, _EVEN, _RELATIVE * share)
    return torch.where(share > _MEDIUM, _COARSE, held)
