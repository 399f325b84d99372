"""A small fully connected network, each of whose units can be looked at.

mlp = MLP([2, 4, 1], "tanh", seed=0)
losses = fit(mlp, points, values, "logistic", num_steps=500)
mlp.outputs(points)                  # of each layer, the first hidden one first
mlp.over_plane(64)                   # the same as pictures, (units, 64, 64)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.basics.activations import ACTIVATIONS
from facenet_demo.basics.planes import lattice


class MLP(nn.Module):
    """Layers of neurons: all activated but the last, which is a weighted sum.

    Args:
        sizes: number of inputs, of units in each hidden layer, of outputs.
        activation: of the hidden layers, a key of `ACTIVATIONS`.
        seed: of the weights at the start, uniform, with variance 1 / inputs of the layer; for ReLU
            twice that, which keeps a signal's size (He et al. 2015, arXiv 1502.01852).
        normalized: whether each hidden layer's sums are normalised over the batch first.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "tanh",
        seed: int = 0,
        normalized: bool = False,
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.linears = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(sizes))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(size) if normalized else nn.Identity() for size in sizes[1:-1]
        )
        generator = torch.Generator().manual_seed(seed)
        variance = 2.0 if activation == "relu" else 1.0
        for linear, before in zip(self.linears, sizes, strict=False):
            reach = (3 * variance / before) ** 0.5
            for parameter in linear.parameters():
                nn.init.uniform_(parameter, -reach, reach, generator=generator)

    @property
    def num_weights(self) -> int:
        """How many numbers training can turn, biases included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def outputs(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Outputs `(N, units)` of each layer for inputs `(N, D)`."""
        found = [inputs]
        for linear, norm in zip(self.linears, self.norms, strict=False):
            found.append(self.activation(norm(linear(found[-1]))))
        return [*found[1:], self.linears[-1](found[-1])]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs `(N, outputs)` of the last layer for inputs `(N, D)`."""
        return self.outputs(inputs)[-1]

    def over_plane(self, size: int = 64, reach: float = 1.0) -> list[torch.Tensor]:
        """For each layer what its units answer over the plane: `(units, size, size)`, y upwards.

        Only for a network with two inputs.
        """
        with torch.no_grad():
            return [found.T.reshape(-1, size, size) for found in self.outputs(lattice(size, reach))]


def squared(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean of half the squared differences, of outputs `(N, K)` and targets `(N, K)`."""
    return ((outputs - targets) ** 2).sum(dim=1).mean() / 2


def logistic(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean of log(1 + exp(-target * output)), of outputs `(N, 1)` and targets `(N, 1)`, -1 or 1."""
    return F.softplus(-targets * outputs).mean()


def cross_entropy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean surprise at the right class, of scores `(N, K)` and classes `(N, K)`, one-hot."""
    return -(targets * outputs.log_softmax(dim=1)).sum(dim=1).mean()


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "squared": squared,
    "logistic": logistic,
    "cross_entropy": cross_entropy,
}


def fit(
    mlp: MLP,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    loss: str = "squared",
    num_steps: int = 1000,
    lr: float = 0.01,
    batch_size: int | None = None,
    seed: int = 0,
) -> list[float]:
    """Train with Adam (Kingma and Ba 2015, arXiv 1412.6980), the rate falling to 0.

    Args:
        mlp: is changed.
        inputs: `(N, D)`.
        targets: `(N, K)`, or `(N,)` for one output.
        loss: a key of `LOSSES`.
        num_steps: updates of the weights.
        lr: learning rate at the start.
        batch_size: examples drawn for each step; all of them by default.
        seed: of what is drawn.

    Returns:
        The loss before each step, of the examples of that step.
    """
    targets = targets.reshape(len(inputs), -1)
    optimizer = torch.optim.Adam(mlp.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(num_steps):
        rows = slice(None) if batch_size is None else torch.randperm(
            len(inputs), generator=generator)[:batch_size]  # fmt: skip
        value = LOSSES[loss](mlp(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(value.detach()))
    return losses
