"""Every figure of the progression as JSON has it, for other programs: progression.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from facenet_demo.visualize.measurements import Measurements


def progression_numbers(measured: Measurements, names: tuple[str, str]) -> dict[str, Any]:
    """Curves, parts, ablations and verdicts, plain.

    Args:
        measured: of a network and its control.
        names: what the two are called.
    """
    layers = measured.trained.layers

    def by_layer(values: np.ndarray) -> dict[str, Any]:
        return dict(zip(layers, values.tolist(), strict=True))

    networks = {
        name: {
            measure: {layer: dict(zip(("value", "low", "high"), row, strict=True))
                      for layer, row in by_layer(curve).items()}
            for measure, curve in network.curves.items()
        }
        for name, network in zip(names, (measured.trained, measured.control), strict=True)
    }  # fmt: skip
    causality = measured.causality
    return {
        "format": 1,
        "receptive_fields": dict(zip(layers, measured.trained.field_sizes, strict=True)),
        "networks": networks,
        "parts": {part: by_layer(line) for part, line in measured.trained.lines["parts"].items()},
        "rotated_parts": by_layer(measured.rotated),
        "ablation": None if causality is None else {
            "layer": causality.layer,
            "accuracy": causality.accuracy,
            "parts": {
                part: {"units": list(causality.part_units[part]), "cost": cost.units,
                       "cost_of_matched_units": cost.matched, "cost_of_covering": cost.covered}
                for part, cost in causality.costs.items()
            },
        },
        "verdicts": {
            j.claim: {"supported": j.supported, "order": j.order[1],
                      "differences": [asdict(d) for d in j.differences]}
            for j in measured.judgements
        },
    }  # fmt: skip
