from __future__ import annotations

import pytest
import torch
from torch import nn

from facenet_demo.features.trace import Trace


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def num_hooks(module: nn.Module) -> int:
    return sum(len(m._forward_hooks) for m in module.modules())


def test_it_keeps_what_named_layers_put_out() -> None:
    net, x = network(), torch.rand(5, 3)
    with Trace(net, ["0", "2"]) as trace:
        y = net(x)
    assert torch.equal(trace["0"], net[0](x))
    assert torch.equal(trace["2"], y)
    assert not trace["0"].requires_grad


def test_it_leaves_no_hook_behind() -> None:
    net = network()
    with Trace(net, ["0", "1"]):
        assert num_hooks(net) == 2
    assert num_hooks(net) == 0


def test_it_leaves_no_hook_behind_after_an_error() -> None:
    net = network()
    with pytest.raises(RuntimeError), Trace(net, ["0"]):
        net(torch.rand(5, 99))
    assert num_hooks(net) == 0


def test_a_wrong_name_is_answered_with_a_near_one() -> None:
    net = nn.ModuleDict({"stage_one": nn.Linear(1, 1)})
    with pytest.raises(ValueError, match="Did you mean: stage_one"):
        Trace(net, ["stage_on"])
    assert num_hooks(net) == 0
