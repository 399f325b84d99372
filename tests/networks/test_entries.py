from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import pytest

from facenet_demo.networks import FaceCNN, FaceNetwork, NetworkSettings
from facenet_demo.networks.entries import as_entry, from_entry


class Setting(NetworkSettings):
    def build(self, num_classes: int) -> FaceNetwork:
        raise NotImplementedError


@dataclass(frozen=True)
class Every(Setting):
    """A setting of each kind."""

    number: int = 3
    share: float = 0.5
    text: str = "relu"
    yes: bool = True
    nothing: int | None = None
    row: tuple[int, ...] = (1, 2)
    counted: int = field(init=False, default=7)


@dataclass(frozen=True)
class Anything(Setting):
    value: object = 0


class Undecorated(Setting):
    """Its writer forgot the decorator: `depth` would be lost."""

    def __init__(self, depth: int = 3) -> None:
        self.depth = depth


def test_settings_come_back_as_they_were() -> None:
    settings = Every(number=-1, share=1e-9, text="", yes=False, nothing=4, row=())
    entry = as_entry(settings)
    assert (entry["name"], entry["module"]) == ("Every", __name__)
    assert from_entry(entry, NetworkSettings, "network") == settings
    assert from_entry(as_entry(Every()), NetworkSettings, "network") == Every()


def test_an_entry_without_module_or_with_lists_is_read() -> None:
    """Files of before, and of what makes lists of tuples."""
    entry = {"name": "FaceCNN", "settings": {"channels": [4, 8]}}
    assert from_entry(entry, NetworkSettings, "network") == FaceCNN(channels=(4, 8))


class Level(IntEnum):
    HIGH = 1


@pytest.mark.parametrize(
    "value", [((1, 2), (3, 4)), {"a": 1}, np.float64(0.5), Level.HIGH, (Level.HIGH,), len, b"x"]
)
def test_what_no_file_could_keep_is_said_before_it_is_needed(value: object) -> None:
    with pytest.raises(ValueError, match=r"value is not a plain value: .* A setting is a number"):
        as_entry(Anything(value))


def test_arguments_that_are_no_fields_would_be_lost() -> None:
    with pytest.raises(ValueError, match="Undecorated takes arguments that are not its fields"):
        as_entry(Undecorated(depth=5))
