"""How weights move: optimizers and the course of the learning rate, as plain settings.

    optimizer = SGD(lr=0.05).build(network)
    scheduler = Schedule().build(optimizer, num_steps)

Biases and the weights of normalisations are never decayed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.optim.lr_scheduler import LambdaLR

from facenet_demo.networks import FaceNetwork
from facenet_demo.system.fields import check_fields


@dataclass(frozen=True)
class OptimizerSettings(ABC):
    """The plain values that an optimizer is made from."""

    @abstractmethod
    def build(self, network: FaceNetwork) -> torch.optim.Optimizer:
        """An optimizer over all weights of `network`."""


@dataclass(frozen=True)
class SGD(OptimizerSettings):
    """Stochastic gradient descent with Nesterov momentum.

    Args:
        lr: Highest learning rate.
        momentum: Share of the last step that is repeated, in [0, 1).
        weight_decay: Pull of the weights towards 0; biases and normalisations are left alone.
        first_layer_weight_decay: The same for the first layer. More of it wears off the noise its
            kernels started with, which training itself does not need to remove.
    """

    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.002
    first_layer_weight_decay: float = 0.008

    def __post_init__(self) -> None:
        _check(self)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, not {self.momentum}.")

    def build(self, network: FaceNetwork) -> torch.optim.SGD:
        groups = _groups(network, self.weight_decay, self.first_layer_weight_decay)
        return torch.optim.SGD(groups, self.lr, self.momentum, nesterov=self.momentum > 0)


@dataclass(frozen=True)
class AdamW(OptimizerSettings):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101).

    Args:
        lr: Highest learning rate.
        weight_decay: Pull of the weights towards 0; biases and normalisations are left alone.
        first_layer_weight_decay: The same for the first layer.
    """

    lr: float = 0.003
    weight_decay: float = 0.05
    first_layer_weight_decay: float = 0.05

    def __post_init__(self) -> None:
        _check(self)

    def build(self, network: FaceNetwork) -> torch.optim.AdamW:
        groups = _groups(network, self.weight_decay, self.first_layer_weight_decay)
        return torch.optim.AdamW(groups, self.lr)


@dataclass(frozen=True)
class Schedule:
    """The course of the learning rate over training.

    Args:
        name: one_cycle rises to the highest rate and falls to nearly 0 (Smith 2018, arXiv
            1803.09820), cosine falls from the start, constant stays.
        warmup: Share of the steps of one_cycle in which the rate rises.
    """

    name: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    warmup: float = 0.2

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be at least 0 and below 1, not {self.warmup}.")

    def build(self, optimizer: torch.optim.Optimizer, num_steps: float) -> LambdaLR:
        """A scheduler to be stepped after each of `num_steps` batches; inf if it is constant."""
        return LambdaLR(optimizer, lambda step: self.factor(step / max(1, num_steps)))

    def factor(self, done: float) -> float:
        """The learning rate's share of its highest when `done` (in [0, 1]) of training is over."""
        if self.name == "constant":
            return 1.0
        warmup = self.warmup if self.name == "one_cycle" else 0.0
        if done < warmup:
            return _cosine(1 - done / warmup)
        return _cosine(min(1.0, (done - warmup) / (1 - warmup)))


def go_on(
    settings: OptimizerSettings,
    network: FaceNetwork,
    optimizer: torch.optim.Optimizer,
    scheduler: LambdaLR,
) -> None:
    """Let settings count that changed since the state of `optimizer` and `scheduler` was saved.

    With that state come the rates and decays it was saved with. What was gathered (momentum, how
    many steps are done) is kept.
    """
    wanted = settings.build(network).param_groups
    scheduler.base_lrs = [group["lr"] for group in wanted]
    for group, new, factor in zip(
        optimizer.param_groups, wanted, scheduler.lr_lambdas, strict=True
    ):
        changed = {name: value for name, value in new.items() if name != "params"}
        lr = new["lr"] * factor(scheduler.last_epoch)
        group |= {**changed, "lr": lr, "initial_lr": new["lr"]}


def _check(settings: SGD | AdamW) -> None:
    check_fields(settings)
    for name in ("lr", "weight_decay", "first_layer_weight_decay"):
        value = getattr(settings, name)
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be 0 or more, not {value}.")


def _cosine(way: float) -> float:
    """1 at the start of the way, 0.001 at its end."""
    return 0.001 + 0.999 * (1 + math.cos(math.pi * way)) / 2


def _groups(
    network: FaceNetwork, weight_decay: float, first_layer_weight_decay: float
) -> list[dict[str, Any]]:
    first = f"{network.first_layer}.weight"
    parameters = dict(network.named_parameters())
    kernels = [p for name, p in parameters.items() if p.ndim > 1 and name != first]
    others = [p for p in parameters.values() if p.ndim <= 1]
    return [
        {"params": [parameters[first]], "weight_decay": first_layer_weight_decay},
        {"params": kernels, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
