"""Activation functions and their derivatives.

    relu = ACTIVATIONS["relu"]
    relu(z), relu.derivative(z)          # both of the shape of z

ReLU's and signum's derivatives are taken as 0 where they do not exist, at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

Elementwise = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Activation:
    """What a neuron makes of its weighted sum.

    Attributes:
        name: its key in `ACTIVATIONS`.
        function: element by element.
        derivative: of the function, at the same place.
    """

    name: str
    function: Elementwise
    derivative: Elementwise

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        return self.function(z)


def _sigmoid_derivative(z: torch.Tensor) -> torch.Tensor:
    s = torch.sigmoid(z)
    return s * (1 - s)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("signum", torch.sign, torch.zeros_like),
        Activation("sigmoid", torch.sigmoid, _sigmoid_derivative),
        Activation("tanh", torch.tanh, lambda z: 1 - torch.tanh(z) ** 2),
        Activation("relu", torch.relu, lambda z: (z > 0).to(z.dtype)),
        Activation("identity", torch.clone, torch.ones_like),
    )
}
