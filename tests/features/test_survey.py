from __future__ import annotations

from collections import Counter

import pytest
import torch
from hand_set import ColourUnits
from test_measures import evidence

from facenet_demo.features.progression import measure
from facenet_demo.features.survey import CHOSEN_ROTATED, HELD_OUT_ROTATED, survey


def test_what_several_measures_read_is_read_once() -> None:
    network = ColourUnits()
    calls = Counter[bool]()
    network.register_forward_hook(lambda *_: calls.update([torch.is_grad_enabled()]))
    shown = evidence()
    measure(network, ["maps", "maps.colour"], shown, num_replicates=0,
            also=(CHOSEN_ROTATED, HELD_OUT_ROTATED))  # fmt: skip
    views, windows, fields = 10, 1, 2  # batches; of 32 pixels one on each axis
    assert calls[False] == 2 * (views + windows) + fields, "of training and of test"


def test_a_reading_that_was_not_taken_is_said() -> None:
    found = survey(ColourUnits(), ["maps"], evidence(), readings=[])
    with pytest.raises(KeyError, match="Name it in `readings`"):
        found.layers["maps"][CHOSEN_ROTATED]
