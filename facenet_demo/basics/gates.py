"""Logic gates as neurons: inputs are 0 or 1, an output is -1 (no) or 1 (yes).

GATES["AND"](INPUTS)                 # -1, -1, -1, 1
xor(INPUTS)                          # two layers: -1, 1, 1, -1
"""

from __future__ import annotations

import torch

from facenet_demo.basics.neuron import Neuron

INPUTS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])

# What each gate answers to the four INPUTS.
TRUTH = {
    "OR": torch.tensor([-1.0, 1.0, 1.0, 1.0]),
    "AND": torch.tensor([-1.0, -1.0, -1.0, 1.0]),
    "NAND": torch.tensor([1.0, 1.0, 1.0, -1.0]),
    "XOR": torch.tensor([-1.0, 1.0, 1.0, -1.0]),
}

# Set by hand. No line separates XOR's answers (Minsky and Papert 1969), so it is not here.
GATES = {
    "OR": Neuron(torch.tensor([-0.5, 1.0, 1.0])),
    "AND": Neuron(torch.tensor([-1.5, 1.0, 1.0])),
    "NAND": Neuron(torch.tensor([1.5, -1.0, -1.0])),
}


def xor(inputs: torch.Tensor) -> torch.Tensor:
    """Exclusive or `(N,)` of inputs `(N, 2)`: OR and NAND in a first layer, AND in a second.

    AND serves inputs of -1 and 1 as well as those of 0 and 1.
    """
    hidden = torch.stack([GATES["OR"](inputs), GATES["NAND"](inputs)], dim=1)  # (N, 2)
    return GATES["AND"](hidden)
