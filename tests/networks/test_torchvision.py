from __future__ import annotations

import pytest
import torch
from torchvision import models

from facenet_demo.features.trace import Trace
from facenet_demo.networks import Torchvision


@pytest.mark.parametrize(
    ("name", "first"),
    [("resnet18", (64, 3, 7, 7)), ("mobilenet_v3_small", (16, 3, 3, 3))],
)
def test_a_torchvision_classifier_takes_the_place_of_face_cnn(name: str, first: tuple) -> None:
    network = Torchvision(name).build(7).eval()
    images = torch.rand(2, 3, 64, 64)
    assert network(images).shape == (2, 7)
    assert network.first_kernels.shape == first
    with Trace(network, network.layers) as trace:
        network(images)
    assert all(trace[layer].shape[0] == 2 for layer in network.layers)


@pytest.mark.parametrize(
    ("name", "number", "last"),
    [("resnet18", 5, "body.layer4"), ("mobilenet_v3_small", 13, "body.features.12"),
     ("vgg11", 8, "body.features.18"), ("vit_b_16", 1, "body.conv_proj")],
)  # fmt: skip
def test_a_closer_look_goes_into_a_child_that_holds_all_convolutions(
    name: str, number: int, last: str
) -> None:
    blocks = Torchvision(name).build(3).blocks
    assert (len(blocks), blocks[-1]) == (number, last)


def test_it_is_torchvisions_network_but_for_the_last_layer() -> None:
    torch.manual_seed(0)
    network = Torchvision("resnet18").build(7).eval()
    network.set_normalization(torch.zeros(3), torch.ones(3))
    peer = models.resnet18(weights=None, num_classes=7).eval()
    weights = {name.removeprefix("body."): w for name, w in network.body.state_dict().items()}
    weights |= {f"fc.{name}": w for name, w in network.classifier.state_dict().items()}
    peer.load_state_dict(weights)
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(network(images), peer(images))


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_side_branches_answer_training_with_scores(name: str) -> None:
    network = Torchvision(name).build(7).train()
    assert network(torch.rand(2, 3, 80, 80)).shape == (2, 7)


def test_a_misspelt_name_gets_the_right_one() -> None:
    with pytest.raises(ValueError, match="resnet18"):
        Torchvision("resnet_18").build(7)


def test_a_network_without_a_linear_last_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="squeezenet1_0 does not end in a linear layer"):
        Torchvision("squeezenet1_0").build(7)
