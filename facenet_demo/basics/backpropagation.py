"""The gradients of an `MLP`, by hand: forward, compare, backpropagate.

    for (weight, bias), linear in zip(gradients(mlp, inputs, targets), mlp.linears):
        linear.weight -= lr * weight

(Rumelhart, Hinton and Williams 1986.) Autograd finds the same; here every step can be read.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from facenet_demo.basics.mlp import MLP

# How the mean loss changes with each output, (N, K): where the way back begins.
_AT_THE_END: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "squared": lambda outputs, targets: (outputs - targets) / len(outputs),
    "logistic": lambda outputs, targets: (
        -targets * torch.sigmoid(-targets * outputs) / outputs.numel()
    ),
    "cross_entropy": lambda outputs, targets: (outputs.softmax(dim=1) - targets) / len(outputs),
}


@torch.no_grad()
def gradients(
    mlp: MLP, inputs: torch.Tensor, targets: torch.Tensor, loss: str = "squared"
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """How the loss changes with each layer's weights and biases, the first layer first.

    Args:
        mlp: without normalisation.
        inputs: `(N, D)`.
        targets: `(N, K)`.
        loss: a key of `mlp.LOSSES`.

    Returns:
        For each layer the gradient of its weights `(units, inputs)` and of its biases `(units,)`.
    """
    # Forward: keep what each layer saw and its weighted sums.
    seen, sums = [inputs], []
    for linear in mlp.linears:
        sums.append(linear(seen[-1]))  # (N, units)
        seen.append(mlp.activation(sums[-1]))
    # Compare. The last layer is not activated.
    blame = _AT_THE_END[loss](sums[-1], targets)  # (N, K): of each weighted sum
    # Backwards: blame passes through the weights, and shrinks where an activation is flat.
    found = []
    for layer in reversed(range(len(sums))):
        found.append((blame.T @ seen[layer], blame.sum(dim=0)))
        if layer:
            weights = mlp.linears[layer].get_parameter("weight")  # (units, inputs)
            blame = (blame @ weights) * mlp.activation.derivative(sums[layer - 1])
    return found[::-1]
