from __future__ import annotations

import pytest
import torch

from facenet_demo.basics.activations import ACTIVATIONS


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_equal_finite_differences(name: str) -> None:
    activation, step = ACTIVATIONS[name], 1e-6
    # Not at 0, where ReLU has a corner and signum a jump.
    z = torch.linspace(-6, 6, 200, dtype=torch.float64)
    numeric = (activation(z + step) - activation(z - step)) / (2 * step)
    torch.testing.assert_close(activation.derivative(z), numeric, atol=1e-8, rtol=1e-6)


def test_functions_at_known_places() -> None:
    z = torch.tensor([-1.0, 0.0, 2.0])
    assert ACTIVATIONS["signum"](z).tolist() == [-1, 0, 1]
    assert ACTIVATIONS["relu"](z).tolist() == [0, 0, 2]
    assert ACTIVATIONS["sigmoid"](torch.zeros(1)).item() == 0.5
    assert ACTIVATIONS["tanh"](z).tolist() == pytest.approx([-0.761594, 0, 0.964028], abs=1e-6)
    assert ACTIVATIONS["relu"].derivative(z).tolist() == [0, 0, 1]
