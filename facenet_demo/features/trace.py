"""Read what named layers put out, change it, or stop there.

    with Trace(network, ["stages.0", "stages.2"]) as trace:
        network(images)
    maps = trace["stages.2"]             # (B, U, H, W)

    with Trace(network, ["stages.2"], edit=lambda layer, maps: maps * kept):
        scores = network(images)         # as if the other units were silent

    with Trace(network, ["stages.2"], stop=True) as trace:
        network(images)                  # leaves the block as soon as stages.2 has spoken

One idea after `nethook` of baukit (Bau 2022).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from types import TracebackType
from typing import Any

import torch
from torch import nn

Edit = Callable[[str, torch.Tensor], torch.Tensor]
IMAGES_AT_ONCE = 64  # what a network puts out of so many fits into memory


class Trace:
    """Keeps the last output of some layers while the block lasts; leaves the network as it was.

    Args:
        network: any module.
        layers: dotted names of modules in it, each with a tensor as output.
        edit: is given a layer's name and output, and returns what goes on instead; that is also
            what the trace keeps.
        stop: leave the block once all layers have spoken, without an error: the rest of the
            network is not computed, and nothing after its call in the block is run.
        keep_grad: keep outputs as part of the graph, so that gradients can be taken with respect
            to them or through them; otherwise they are detached.

    Raises:
        ValueError: for a name that is not there, naming the near ones.
    """

    def __init__(
        self,
        network: nn.Module,
        layers: Sequence[str],
        edit: Edit | None = None,
        stop: bool = False,
        keep_grad: bool = False,
    ) -> None:
        modules = dict(network.named_modules())
        for layer in layers:
            if layer not in modules:
                near = difflib.get_close_matches(layer, modules) or list(modules)[1:6]
                raise ValueError(f"No layer {layer!r}. Did you mean: {', '.join(near)}?")
        self._modules = {layer: modules[layer] for layer in layers}
        self._edit = edit
        self._stop = _Stop() if stop else None
        self._keep_grad = keep_grad
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._outputs: dict[str, torch.Tensor] = {}
        self._network = network
        self._went_on: dict[str, tuple[torch.Tensor, int]] = {}  # in this pass, and its version
        self._left_alone: set[str] = set()

    def __enter__(self) -> Trace:
        self._outputs.clear()
        self._went_on.clear()
        for layer, module in self._modules.items():
            self._handles.append(module.register_forward_hook(self._keep(layer)))
        self._handles.append(self._network.register_forward_hook(self._end_pass))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        return error is not None and error is self._stop

    def __getitem__(self, layer: str) -> torch.Tensor:
        return self._outputs[layer]

    def _keep(self, layer: str):  # noqa: ANN202 - the type of a hook
        def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
            if self._edit is not None:
                output = self._edit(layer, output)
            self._outputs[layer] = output if self._keep_grad else output.detach()
            if self._stop is not None and len(self._outputs) == len(self._modules):
                raise self._stop
            return self._going_on(layer, output)

        return hook

    def _going_on(self, layer: str, output: torch.Tensor) -> torch.Tensor:
        """What comes next may work on it in place; what was kept must not change with it.

        In the first pass it is a copy. If that was left alone, none is needed any more.
        """
        if output.is_inference():  # which has no version
            return output.clone()
        if layer not in self._left_alone:
            output = output.clone()
        self._went_on[layer] = output, output._version
        return output

    def _end_pass(self, network: nn.Module, inputs: tuple, output: Any) -> None:
        changed = {
            layer for layer, (put, version) in self._went_on.items() if put._version != version
        }
        went_on = set(self._went_on)
        self._went_on.clear()
        if changed & self._left_alone:
            raise RuntimeError(
                f"{', '.join(sorted(changed & self._left_alone))}: the output was worked on in "
                "place in this pass, but not in the first. Trace each pass by itself."
            )
        self._left_alone |= went_on - changed


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, without gradients, while the block lasts; then each module as it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True  # train() would reach its children too


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights lie; the CPU if it has none."""
    return next(chain(network.parameters(), network.buffers()), torch.empty(0)).device


def maps_of(output: torch.Tensor) -> torch.Tensor:
    """A layer's output as maps `(B, U, H, W)`; that of a layer without space has one position.

    Raises:
        ValueError: if it is neither maps nor numbers `(B, U)`.
    """
    if output.ndim not in (2, 4):
        raise ValueError(f"{tuple(output.shape)} is neither maps (B, U, H, W) nor numbers (B, U)")
    return output if output.ndim == 4 else output[:, :, None, None]


def unreadable(network: nn.Module, layers: Sequence[str], images: torch.Tensor) -> dict[str, str]:
    """Those of some layers that `maps_of` cannot read, each with what it puts out instead.

    Args:
        network: any module.
        layers: dotted names of modules in it.
        images: square ones that it takes; one will do.
    """
    found = dict.fromkeys(layers, "nothing, since it is never called")

    def look(layer: str, output: Any) -> None:
        if not isinstance(output, torch.Tensor):
            found[layer] = f"a {type(output).__name__}"
        elif _has_units_first(output):
            found.pop(layer, None)
        else:
            found[layer] = f"{tuple(output.shape)}"

    modules = dict(network.named_modules())
    handles = [
        modules[layer].register_forward_hook(lambda _, __, out, layer=layer: look(layer, out))
        for layer in found
    ]
    try:
        with evaluating(network):
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _has_units_first(output: torch.Tensor) -> bool:
    """Whether it is `(B, U)` or `(B, U, h, w)`, and neither tokens nor maps with units last."""
    if output.ndim != 4:
        return output.ndim == 2
    _, rows, columns, units = output.shape
    return not rows == columns != units


class _Stop(Exception):  # noqa: N818 - not an error
    """Ends a forward pass; its own trace catches it."""
