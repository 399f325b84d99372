from __future__ import annotations

import torch

from facenet_demo.networks import FaceCNN, FaceCNNNetwork
from facenet_demo.networks.untrained import untrained_twin

SETTINGS = FaceCNN(channels=(4, 8), dropout=0.5)


def trained() -> tuple[FaceCNNNetwork, torch.Tensor]:
    """A network with statistics of its own, and photos: more than one batch of them."""
    torch.manual_seed(0)
    network = SETTINGS.build(3).eval()
    network.set_normalization(torch.tensor([0.3, 0.4, 0.5]), torch.tensor([0.1, 0.2, 0.3]))
    return network, torch.rand(128, 3, 32, 32)


def test_its_statistics_are_those_of_the_photos() -> None:
    network, windows = trained()
    twin = untrained_twin(network, SETTINGS, windows, seed=1)
    assert torch.equal(twin.mean, network.mean)
    assert torch.equal(twin.std, network.std)
    first = twin.stages[0]
    sums = first.conv(twin.normalize(windows))  # (N, 4, h, w)
    torch.testing.assert_close(first.norm.running_mean, sums.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(first.norm.running_var, sums.var((0, 2, 3)), rtol=0.02, atol=0)


def test_its_weights_follow_from_its_seed_alone() -> None:
    network, windows = trained()
    kernels = [untrained_twin(network, SETTINGS, windows, seed).first_kernels for seed in (1, 1, 2)]
    assert torch.equal(kernels[0], kernels[1])
    assert not torch.equal(kernels[0], kernels[2])
    assert not torch.equal(kernels[0], network.first_kernels)


def test_nothing_else_is_changed_by_making_it() -> None:
    network, windows = trained()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    twin = untrained_twin(network, SETTINGS, windows, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module.training for module in twin.modules())
    assert not any(weight.requires_grad for weight in twin.parameters())
