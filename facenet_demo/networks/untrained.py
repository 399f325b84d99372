"""The control beside every trained network: the same shape, nothing learned.

control = untrained_twin(network, settings, windows, seed=1)
"""

from __future__ import annotations

import torch
from torch import nn

from facenet_demo.networks.base import FaceNetwork, NetworkSettings

_WINDOWS_AT_ONCE = 64


def untrained_twin(
    network: FaceNetwork, settings: NetworkSettings, windows: torch.Tensor, seed: int
) -> FaceNetwork:
    """A network with fresh weights, and with the batch statistics of these photos.

    Statistics of its initialisation would let few units respond at all, and make any trained
    network look good beside it.

    Args:
        network: the trained one, whose normalisation of pixels is kept.
        settings: what it was built from.
        windows: `(N, 3, H, W)`, training photos.
        seed: of the weights.

    Returns:
        in evaluation mode, where the windows are, without gradients.
    """
    outputs = network(windows[:1]).shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        untrained = settings.build(outputs)
    untrained.to(windows.device)
    untrained.mean.copy_(network.mean)
    untrained.std.copy_(network.std)
    for module in untrained.eval().modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over all batches
            module.train()
    with torch.no_grad():
        for some in windows.split(_WINDOWS_AT_ONCE):
            untrained(some)
    return untrained.eval().requires_grad_(False)
