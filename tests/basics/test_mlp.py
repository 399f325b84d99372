from __future__ import annotations

import pytest
import torch

from facenet_demo.basics.backpropagation import gradients
from facenet_demo.basics.gates import INPUTS, TRUTH
from facenet_demo.basics.mlp import LOSSES, MLP, fit
from facenet_demo.basics.planes import PLANES, lattice


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
@pytest.mark.parametrize("hidden", [(), (5,), (6, 4, 3)])
def test_gradients_by_hand_equal_autograds(
    loss: str, activation: str, hidden: tuple[int, ...]
) -> None:
    num_outputs = 1 if loss == "logistic" else 3
    mlp = MLP([4, *hidden, num_outputs], activation, seed=2).double()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(9, 4, generator=generator, dtype=torch.float64)
    if loss == "cross_entropy":
        targets = torch.eye(3).double()[torch.arange(9) % 3]
    else:
        targets = torch.randn(9, num_outputs, generator=generator, dtype=torch.float64).sign()
    LOSSES[loss](mlp(inputs), targets).backward()
    for (weight, bias), linear in zip(
        gradients(mlp, inputs, targets, loss), mlp.linears, strict=True
    ):
        torch.testing.assert_close(weight, linear.weight.grad, atol=1e-12, rtol=1e-9)
        torch.testing.assert_close(bias, linear.bias.grad, atol=1e-12, rtol=1e-9)


def test_losses_at_known_places() -> None:
    two = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    assert LOSSES["squared"](two, torch.zeros(2, 2)).item() == pytest.approx(1.25)
    assert LOSSES["logistic"](torch.zeros(3, 1), torch.ones(3, 1)).item() == pytest.approx(0.693147)
    classes = torch.tensor([0, 1])
    expected = torch.nn.functional.cross_entropy(two, classes)
    torch.testing.assert_close(LOSSES["cross_entropy"](two, torch.eye(2)), expected)


def test_the_plane_shows_what_the_units_answer() -> None:
    mlp = MLP([2, 3, 4, 1], "relu", seed=1)
    pictures = mlp.over_plane(5, reach=2.0)
    assert [tuple(p.shape) for p in pictures] == [(3, 5, 5), (4, 5, 5), (1, 5, 5)]
    row, column = 1, 3
    here = torch.tensor([[1.0, -1.0]])  # fourth of -2, -1, 0, 1, 2 to the right, second upwards
    assert torch.equal(lattice(5, 2.0)[5 * row + column], here[0])
    for picture, outputs in zip(pictures, mlp.outputs(here), strict=True):
        torch.testing.assert_close(picture[:, row, column], outputs[0].detach())


def test_hidden_units_find_xor() -> None:
    mlp = MLP([2, 4, 1], "tanh", seed=0)
    losses = fit(mlp, INPUTS, TRUTH["XOR"], "logistic", num_steps=300, lr=0.1)
    assert torch.equal(mlp(INPUTS)[:, 0].sign(), TRUTH["XOR"])
    assert losses[-1] < 0.05 < losses[0]


def test_without_a_nonlinearity_layers_are_one_layer() -> None:
    mlp = MLP([2, 7, 5, 1], "identity", seed=3).double()
    points = lattice(6).double()
    matrix, shift = torch.eye(2).double(), torch.zeros(2).double()
    for linear in mlp.linears:
        matrix, shift = linear.weight @ matrix, linear.weight @ shift + linear.bias
    torch.testing.assert_close(mlp(points), points @ matrix.T + shift)


def test_more_units_come_closer_to_a_function() -> None:
    x = torch.linspace(-1, 1, 100)[:, None]
    targets = torch.sin(8 * x) + 0.5 * x
    errors = []
    for width in (1, 3, 24):
        mlp = MLP([1, width, 1], "tanh", seed=0)
        errors.append(fit(mlp, x, targets, num_steps=600, lr=0.03)[-1])
    assert errors[0] > 1.5 * errors[1]
    assert errors[1] > 10 * errors[2]


def test_a_fit_repeats_and_a_spiral_is_learned() -> None:
    points, values = PLANES["spiral"](200)
    found = []
    for _ in range(2):
        mlp = MLP([2, 32, 32, 1], "relu", seed=0, normalized=True)
        found.append(fit(mlp, points, values, "logistic", num_steps=300, lr=0.03, batch_size=50))
    assert found[0] == found[1]
    assert (mlp.eval()(points)[:, 0].sign() == values).float().mean() > 0.95


def test_weights_are_counted() -> None:
    assert MLP([2, 3, 1]).num_weights == 2 * 3 + 3 + 3 + 1
