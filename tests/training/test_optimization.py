from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from facenet_demo.networks import FaceCNN, Torchvision
from facenet_demo.training.optimization import SGD, AdamW, Schedule, go_on


def weight_decays(optimizer: torch.optim.Optimizer) -> dict[int, float]:
    return {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}


@pytest.mark.parametrize("settings", [SGD, AdamW])
@pytest.mark.parametrize("network", [FaceCNN(channels=(4, 8)), Torchvision("resnet18")])
def test_each_weight_is_decayed_as_stated(settings: type, network: FaceCNN) -> None:
    built = network.build(5)
    optimizer = settings(weight_decay=0.01, first_layer_weight_decay=0.03).build(built)
    decay = weight_decays(optimizer)
    for name, parameter in built.named_parameters():
        kernel = parameter.ndim > 1
        first = name == f"{built.first_layer}.weight"
        assert decay.pop(id(parameter)) == (0.03 if first else 0.01 if kernel else 0.0), name
    assert not decay


def test_sgd_without_momentum_is_a_step_down_the_gradient() -> None:
    network = FaceCNN(channels=(4,)).build(3)
    optimizer = SGD(0.5, momentum=0.0, weight_decay=0.1, first_layer_weight_decay=0.1).build(
        network
    )
    weight = network.classifier.weight
    before = weight.detach().clone()
    network(torch.rand(4, 3, 16, 16)).logsumexp(1).sum().backward()
    optimizer.step()
    torch.testing.assert_close(weight.detach(), before - 0.5 * (weight.grad + 0.1 * before))


def test_one_cycle_rises_to_the_highest_rate_and_falls_to_nearly_none() -> None:
    schedule = Schedule("one_cycle", warmup=0.25)
    factors = [schedule.factor(i / 100) for i in range(101)]
    assert factors.index(max(factors)) == 25
    assert max(factors) == 1
    assert factors[0] == pytest.approx(0.001)
    assert factors[-1] == pytest.approx(0.001)
    assert factors[:26] == sorted(factors[:26])
    assert factors[25:] == sorted(factors[25:], reverse=True)


def test_cosine_is_half_way_down_in_the_middle() -> None:
    schedule = Schedule("cosine")
    assert schedule.factor(0) == 1
    assert schedule.factor(0.5) == pytest.approx(0.5, abs=1e-3)
    assert schedule.factor(1) == pytest.approx(0.001)


def test_a_step_too_many_does_not_raise_the_rate_again() -> None:
    assert Schedule("one_cycle").factor(1.3) == pytest.approx(0.001)


def test_constant_stays() -> None:
    assert {Schedule("constant").factor(i / 10) for i in range(11)} == {1.0}


def test_the_scheduler_moves_every_group() -> None:
    optimizer = SGD(lr=0.2).build(FaceCNN(channels=(4,)).build(3))
    scheduler = Schedule("cosine").build(optimizer, num_steps=2)
    rates = []
    for _ in range(2):
        optimizer.step()
        scheduler.step()
        rates.append({group["lr"] for group in optimizer.param_groups})
    assert [len(rate) for rate in rates] == [1, 1]
    assert [rate.pop() for rate in rates] == pytest.approx([0.2 * 0.5005, 0.2 * 0.001])


@pytest.mark.parametrize(
    ("before", "after"),
    [(SGD(0.1, 0.9), SGD(0.02, 0.5, 0.3, 0.4)), (SGD(0.1, 0.9), SGD(0.1, 0.0)),
     (AdamW(0.1), AdamW(0.02, 0.3, 0.4))],
)  # fmt: skip
def test_settings_that_changed_count_and_what_was_gathered_stays(
    before: SGD | AdamW, after: SGD | AdamW
) -> None:
    torch.manual_seed(0)
    network = FaceCNN(channels=(4,), dropout=0).build(3)
    images = torch.rand(4, 3, 16, 16)

    def step(optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        network(images).logsumexp(1).sum().backward()
        optimizer.step()

    optimizer = before.build(network)
    scheduler = Schedule("cosine").build(optimizer, num_steps=4)
    for _ in range(2):
        step(optimizer)
        scheduler.step()
    saved = deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    weights = {name: value.clone() for name, value in network.state_dict().items()}

    expected = after.build(network)
    expected.load_state_dict({**expected.state_dict(), "state": deepcopy(saved[0]["state"])})
    for group in expected.param_groups:
        group["lr"] = after.lr * Schedule("cosine").factor(0.5)
    step(expected)
    moved = {name: value.clone() for name, value in network.state_dict().items()}

    network.load_state_dict(weights)
    optimizer = after.build(network)
    scheduler = Schedule("cosine").build(optimizer, num_steps=4)
    optimizer.load_state_dict(saved[0])
    scheduler.load_state_dict(saved[1])
    go_on(after, network, optimizer, scheduler)
    step(optimizer)
    torch.testing.assert_close(dict(network.state_dict()), moved, rtol=0, atol=0)
    scheduler.step()
    rates = {group["lr"] for group in optimizer.param_groups}
    assert rates == {after.lr * Schedule("cosine").factor(0.75)}
