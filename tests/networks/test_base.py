from __future__ import annotations

import pytest
import torch
from torch import nn

from facenet_demo.networks import FaceNetwork, NetworkSettings


def define(**says: object) -> type[FaceNetwork]:
    """A class of networks that says only that much of itself."""
    body = {
        "embed": lambda self, images: images.flatten(1),
        "head": lambda self, embedding: embedding,
        "__module__": "mine",
    }
    return type("Mine", (FaceNetwork,), {**body, **says})


@pytest.mark.parametrize(
    ("says", "forgotten"),
    [
        ({"layers": ("conv",)}, "first_layer"),
        ({"first_layer": "conv"}, "layers"),
        ({"first_layer": "conv", "blocks": ("conv",)}, "layers"),
    ],
)
def test_a_class_that_forgets_something_is_refused_where_it_is_defined(
    says: dict, forgotten: str
) -> None:
    with pytest.raises(
        TypeError, match=rf"mine\.Mine does not say its {forgotten}\. .*{forgotten} ="
    ):
        define(**says)


def test_it_says_so_as_attribute_or_as_property() -> None:
    network = define(layers=property(lambda self: ("a", "b")), first_layer="a")()
    assert (network.layers, network.first_layer) == (("a", "b"), "a")


def test_blocks_are_its_layers_unless_it_says_more() -> None:
    assert define(layers=("a", "b"), first_layer="a")().blocks == ("a", "b")
    more = define(layers=("a",), first_layer="a", blocks=("a.0", "a.1"))
    assert more().blocks == ("a.0", "a.1")


def test_a_class_below_it_need_not_repeat_it() -> None:
    parent = define(layers=("a",), first_layer="a")
    child = type("Child", (parent,), {"layers": ("b",)})
    assert (child().layers, child().first_layer) == (("b",), "a")


def test_the_first_kernels_are_those_of_the_first_layer() -> None:
    network = define(layers=("conv",), first_layer="conv")()
    network.conv = nn.Conv2d(3, 5, 7)
    assert torch.equal(network.first_kernels, network.conv.weight)
    assert not network.first_kernels.requires_grad


def test_maps_are_taken_for_64_channels_unless_settings_know_better() -> None:
    class Some(NetworkSettings):
        def build(self, num_classes: int) -> FaceNetwork:
            raise NotImplementedError

    assert Some().largest_map(100) == 64 * 100 * 100
