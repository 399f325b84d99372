"""Which layers and units of a network are looked into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from facenet_demo.features.survey import Evidence
from facenet_demo.features.trace import Trace, evaluating, unreadable
from facenet_demo.networks.checkpoints import TrainedNetwork
from facenet_demo.system.errors import UserError


def layers_of(trained: TrainedNetwork, named: Sequence[str] | None) -> list[str]:
    """The layers to look into: those that were named, or the network's blocks."""
    network, layers = trained.network, named or trained.network.blocks
    try:
        Trace(network, layers)
    except ValueError as error:
        raise UserError(f"`layers`: {error}") from error
    window = torch.zeros(1, 3, trained.window, trained.window)
    for layer, output in unreadable(network, layers, window).items():
        raise UserError(
            f"`layers`: {layer} puts out {output}; looked into are maps (B, U, h, w) and numbers "
            "(B, U) of units."
        )
    if len(set(layers)) < 2:
        found = ", ".join(layers)
        raise UserError(
            f"A progression needs two layers or more, not {found}: name some as `layers`."
            if named
            else "A progression needs two layers or more, and of this network's blocks only "
            f"{found} puts out maps; others may put out tokens. Name some as `layers`."
        )
    # From the first to the last, which is what the progression is about.
    return [name for name, _ in network.named_modules() if name in layers]


def units_of(layers: Sequence[str], units: Sequence[str]) -> dict[str, list[int]]:
    """Layer -> units, from LAYER:UNIT texts."""
    chosen: dict[str, list[int]] = {}
    for text in units:
        layer, _, unit = text.rpartition(":")
        if layer not in layers or not unit.isdecimal():
            raise UserError(f"`units` {text} is no LAYER:UNIT; layers: {', '.join(layers)}.")
        chosen.setdefault(layer, []).append(int(unit))
    return chosen


def check_units(
    chosen: Mapping[str, Sequence[int]], trained: TrainedNetwork, evidence: Evidence
) -> None:
    with evaluating(trained.network), Trace(trained.network, list(chosen)) as trace:
        trained.network(evidence.test_windows[:1])
    for layer, units in chosen.items():
        count = trace[layer].shape[1]
        if max(units) >= count:
            raise UserError(
                f"`units` {layer}:{max(units)}: the layer's units are 0 to {count - 1}."
            )
