"""A network from settings and weights that somebody else wrote: no larger than the weights are.

    network = rebuild(settings, len(people), weights)

Settings are a few bytes and may ask for any size. So the network is first only outlined, without
memory and without drawing weights that nobody needs; what its outline asks for is compared with the
weights at hand, which then take their places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from facenet_demo.networks.base import FaceNetwork, NetworkSettings
from facenet_demo.networks.heads import HeadSettings

_MAKES_WEIGHTS = {
    torch.empty, torch.zeros, torch.ones, torch.full, torch.eye, torch.rand, torch.randn,
}  # fmt: skip
# Beside the weights that stay, a network may make others: those of a last layer that is replaced,
# or a whole network of torchvision's, of which it takes the first stages. None of them makes more.
_MORE_TENSORS = 1500


def rebuild(
    settings: NetworkSettings,
    num_classes: int,
    weights: Mapping[str, torch.Tensor],
    head: HeadSettings | None = None,
) -> FaceNetwork:
    """The network that `settings` describe, with these weights, which become its own.

    Args:
        settings: its settings.
        num_classes: number of its outputs.
        weights: what its `state_dict` was.
        head: what its last layer is, if it is not the linear one.

    Raises:
        ValueError: if the two do not fit, or a weight is not a plain tensor of finite numbers.
    """
    _check_weights(weights)
    try:
        with _Outline(most=len(weights) + _MORE_TENSORS):
            network = _build(settings, num_classes, head)
    except RuntimeError as error:  # there are no numbers for such sizes
        reason = str(error).splitlines()[0]
        raise ValueError(f"its settings do not fit its weights: {reason}") from error
    state = network.state_dict()
    for name, wanted in state.items():
        if name not in weights:
            raise ValueError(f"its settings do not fit its weights: there is no {name}")
        if weights[name].shape != wanted.shape:
            raise ValueError(
                f"its settings do not fit its weights: {name} is {tuple(weights[name].shape)}, "
                f"the settings ask for {tuple(wanted.shape)}"
            )
    if more := sorted(weights.keys() - state.keys()):
        raise ValueError(f"its settings do not fit its weights: they have no {more[0]}")
    if any(value.is_meta for name, value in network.named_buffers() if name not in state):
        network = _build(settings, num_classes, head)  # what no weights are kept of must be made
    # The state's own dict: it also says which version of each layer wrote it.
    for name, wanted in state.items():
        state[name] = weights[name].to(wanted.dtype).contiguous()
    network.load_state_dict(state, assign=True)
    return network


def _build(settings: NetworkSettings, num_classes: int, head: HeadSettings | None) -> FaceNetwork:
    network = settings.build(num_classes)
    if head is not None:
        network.replace_head(head)
    return network


def _check_weights(weights: Mapping[str, Any]) -> None:
    for name, value in weights.items():
        plain = isinstance(value, torch.Tensor) and value.layout == torch.strided
        if not plain or value.device.type != "cpu" or value.is_quantized:
            raise ValueError(f"{name} is not a plain tensor")
    # Views of the same few bytes may be many, and each would be copied.
    stored = {
        value.untyped_storage().data_ptr(): value.untyped_storage() for value in weights.values()
    }
    if sum(map(_bytes, weights.values())) > sum(storage.nbytes() for storage in stored.values()):
        largest = max(weights, key=lambda name: _bytes(weights[name]))
        raise ValueError(f"its weights claim to be larger than they are, {largest} first")
    for name, value in weights.items():
        if not value.isfinite().all():
            raise ValueError(f"{name} holds numbers that are infinite or none at all (NaN)")


def _bytes(value: torch.Tensor) -> int:
    return value.numel() * value.element_size()


class _Outline(TorchFunctionMode):
    """Modules made in this block have shapes and no numbers; more tensors than `most` are an error.

    `torch.device("meta")` would not do: some networks calculate their shapes with tensors.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._left = most

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: tuple = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _MAKES_WEIGHTS:
            self._left -= 1
            if self._left < 0:
                raise ValueError("its settings do not fit its weights: they ask for more layers")
            return func(*args, **{**kwargs, "device": "meta"})
        first = next(iter([*args, *kwargs.values()]), None)
        name = getattr(func, "__name__", "")
        if isinstance(first, torch.Tensor) and first.is_meta and _in_place(name):
            return first  # drawing numbers for nothing would import half of torch
        return func(*args, **kwargs)


def _in_place(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__")
