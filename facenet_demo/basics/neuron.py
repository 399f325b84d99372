"""One neuron: a weighted sum, a bias, and a yes or no; and the rule by which it learns.

neuron = Neuron(torch.zeros(3))                  # bias and two weights
steps = learn(neuron, INPUTS, TRUTH["OR"])       # the neuron after each correction
steps[-1](INPUTS)                                # -1, 1, 1, 1
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from facenet_demo.basics.activations import ACTIVATIONS, Activation


@dataclass(frozen=True)
class Neuron:
    """Weights and an activation (McCulloch and Pitts 1943; Rosenblatt 1958).

    Attributes:
        weights: `(D + 1,)`. The first is the bias: the weight of an input that is always 1.
        activation: what becomes of the weighted sum.
    """

    weights: torch.Tensor
    activation: Activation = ACTIVATIONS["signum"]

    def weighted_sum(self, inputs: torch.Tensor) -> torch.Tensor:
        """`(N,)` of inputs `(N, D)`."""
        return with_one(inputs) @ self.weights

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs `(N,)` for inputs `(N, D)`; with signum -1 or 1, and 0 on the line itself."""
        return self.activation(self.weighted_sum(inputs))


def with_one(inputs: torch.Tensor) -> torch.Tensor:
    """Inputs `(N, D)` with a constant 1 in front: `(N, D + 1)`."""
    return torch.cat([torch.ones_like(inputs[:, :1]), inputs], dim=1)


def learn(
    neuron: Neuron, inputs: torch.Tensor, targets: torch.Tensor, max_rounds: int = 1000
) -> list[Neuron]:
    """Rosenblatt's rule: for each input that is wrongly answered, add `target * input`.

    On separable data it ends: with inputs (their 1 included) no longer than R, and a unit vector
    that answers all of them by a margin of at least g, after at most (R / g)^2 corrections
    (Novikoff 1962).

    Args:
        neuron: to start from.
        inputs: `(N, D)`.
        targets: `(N,)`, -1 or 1.
        max_rounds: passes over the inputs after which it gives up.

    Returns:
        The neuron at the start and after each correction.
    """
    steps = [neuron]
    for _ in range(max_rounds):
        before = len(steps)
        for row, target in zip(with_one(inputs), targets, strict=True):
            weights = steps[-1].weights
            if target * (row @ weights) <= 0:
                steps.append(Neuron(weights + target * row, neuron.activation))
        if len(steps) == before:
            break
    return steps
