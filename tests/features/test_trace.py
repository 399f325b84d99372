from __future__ import annotations

import pytest
import torch
from torch import nn

from facenet_demo.features.trace import Trace, evaluating


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
        assert num_hooks(net) == 3, "and one that sees where a pass ends"
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


def test_an_edited_output_goes_on_and_is_kept() -> None:
    net, x = network(), torch.rand(5, 3)
    with Trace(net, ["0", "1"], edit=lambda layer, out: out + 1 if layer == "1" else out) as trace:
        y = net(x)
    hidden = net[1](net[0](x)) + 1
    assert torch.equal(trace["1"], hidden)
    assert torch.equal(trace["0"], net[0](x))
    assert torch.equal(y, net[2](hidden))


def test_an_error_in_an_edit_is_raised_and_leaves_no_hook_behind() -> None:
    def fail(layer: str, output: torch.Tensor) -> torch.Tensor:
        raise ArithmeticError(layer)

    net = network()
    with pytest.raises(ArithmeticError, match="1"), Trace(net, ["1"], edit=fail):
        net(torch.rand(5, 3))
    assert num_hooks(net) == 0


def test_it_stops_as_soon_as_all_layers_have_spoken() -> None:
    net, x = network(), torch.rand(5, 3)
    called: list[int] = []
    for i, module in enumerate(net):
        module.register_forward_pre_hook(lambda *_, i=i: called.append(i))
    with Trace(net, ["1", "0"], stop=True) as trace:
        net(x)
        called.append(99)
    assert called == [0, 1]
    assert torch.equal(trace["1"], net[1](net[0](x)))
    assert num_hooks(net) == 0


def test_stopping_hides_no_other_error() -> None:
    net = network()
    with pytest.raises(RuntimeError), Trace(net, ["2"], stop=True):
        net(torch.rand(5, 99))
    assert num_hooks(net) == 0


def test_a_trace_within_another_does_not_catch_its_stop() -> None:
    net, passed = network(), []
    with Trace(net, ["0"], stop=True):
        with Trace(net, ["2"], stop=True):
            net(torch.rand(5, 3))
        passed.append("the inner block was left alone")
    assert not passed


def test_a_stopped_trace_can_be_used_again() -> None:
    net = network()
    trace = Trace(net, ["0", "1"], stop=True)
    for x in (torch.rand(1, 3), torch.rand(2, 3)):
        with trace:
            net(x)
        assert torch.equal(trace["1"], net[1](net[0](x)))


def test_gradients_flow_through_kept_outputs_and_into_no_parameter() -> None:
    net, x = network(), torch.rand(5, 3)
    with Trace(net, ["0"], keep_grad=True) as trace:
        y = net(x)
    (gradient,) = torch.autograd.grad(y[:, 1].sum(), trace["0"])
    assert torch.allclose(gradient, net[2].weight[1] * (trace["0"] > 0))
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("keep_grad", [False, True])
def test_what_follows_in_place_does_not_change_what_was_kept(keep_grad: bool) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    x = torch.randn(8, 3)
    with Trace(net, ["0"], keep_grad=keep_grad) as trace:
        net(x)
    assert torch.equal(trace["0"], net[0](x))
    assert (trace["0"] < 0).any()


def test_each_module_is_back_in_its_own_mode_after_an_error_too() -> None:
    net = nn.Sequential(network(), nn.Dropout())
    net[0].eval()
    net[0][1].train()
    modes = [module.training for module in net.modules()]
    with evaluating(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == modes
    with pytest.raises(RuntimeError), evaluating(net):
        net(torch.rand(5, 99))
    assert [module.training for module in net.modules()] == modes


class Sometimes(nn.Module):
    """Works in place on what its first layer puts out, if it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.in_place = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return x.mul_(0) if self.in_place else x * 0


def test_what_was_kept_holds_in_every_pass() -> None:
    x = torch.rand(2, 3)
    for in_place in (False, True):
        net = Sometimes()
        net.in_place = in_place
        with torch.no_grad(), Trace(net, ["first"]) as trace:
            for _ in range(3):
                net(x)
                assert trace["first"].abs().min() > 0


def test_a_network_that_changes_its_ways_is_noticed() -> None:
    net = Sometimes()
    with torch.no_grad(), Trace(net, ["first"]):
        net(torch.rand(2, 3))
        net.in_place = True
        with pytest.raises(RuntimeError, match="first: the output was worked on in place"):
            net(torch.rand(2, 3))
