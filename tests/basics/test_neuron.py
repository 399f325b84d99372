from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from facenet_demo.basics.gates import GATES, INPUTS, TRUTH, xor
from facenet_demo.basics.neuron import Neuron, learn, with_one


def test_a_neuron_is_a_weighted_sum_with_a_constant_input() -> None:
    neuron = Neuron(torch.tensor([3.0, -1.0, 2.0]))
    inputs = torch.tensor([[5.0, 1.0], [1.0, -1.0], [0.0, 0.0], [3.0, 0.0]])
    assert neuron.weighted_sum(inputs).tolist() == [0.0, 0.0, 3.0, 0.0]
    assert neuron(inputs + torch.tensor([1.0, 0.0])).tolist() == [-1.0, -1.0, 1.0, -1.0]


@pytest.mark.parametrize("gate", ["OR", "AND", "NAND"])
def test_gates_set_by_hand_and_learned_answer_their_truth_table(gate: str) -> None:
    assert torch.equal(GATES[gate](INPUTS), TRUTH[gate])
    learned = learn(Neuron(torch.zeros(3)), INPUTS, TRUTH[gate])[-1]
    assert torch.equal(learned(INPUTS), TRUTH[gate])


def test_two_layers_compute_xor_and_one_neuron_never_learns_it() -> None:
    assert torch.equal(xor(INPUTS), TRUTH["XOR"])
    steps = learn(Neuron(torch.zeros(3)), INPUTS, TRUTH["XOR"], max_rounds=200)
    assert len(steps) > 200  # it still corrects in every round
    assert all((step(INPUTS) == TRUTH["XOR"]).sum() < 4 for step in steps)


@pytest.mark.parametrize("margin", [0.3, 0.1, 0.02])
def test_the_rule_ends_within_the_known_bound(margin: float) -> None:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.rand(400, 3, generator=generator, dtype=torch.float64) * 2 - 1
    truth = torch.nn.functional.normalize(torch.tensor([0.2, 1.0, -2.0, 0.5]).double(), dim=0)
    distance = with_one(inputs) @ truth
    inputs, distance = (v[distance.abs() >= margin] for v in (inputs, distance))
    steps = learn(Neuron(torch.zeros(4).double()), inputs, distance.sign())
    assert torch.equal(steps[-1](inputs), distance.sign())
    radius = with_one(inputs).norm(dim=1).max()
    assert len(steps) - 1 <= (radius / distance.abs().min()) ** 2


def test_each_step_corrects_one_wrong_answer() -> None:
    steps = learn(Neuron(torch.zeros(3)), INPUTS, TRUTH["AND"])
    corrections = [(b.weights - a.weights) for a, b in pairwise(steps)]
    allowed = [row * target for row, target in zip(with_one(INPUTS), TRUTH["AND"], strict=True)]
    assert all(any(torch.equal(c, a) for a in allowed) for c in corrections)
