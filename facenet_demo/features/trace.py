"""Read what named layers put out.

    with Trace(network, ["stages.0", "stages.2"]) as trace:
        network(images)
    maps = trace["stages.2"]             # (B, U, H, W)

One idea after `nethook` of baukit (Bau 2022).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from types import TracebackType

import torch
from torch import nn


class Trace:
    """Keeps the last output of some layers while the block lasts; leaves the network as it was.

    Args:
        network: any module.
        layers: dotted names of modules in it.

    Raises:
        ValueError: for a name that is not there, naming the near ones.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str]) -> None:
        modules = dict(network.named_modules())
        for layer in layers:
            if layer not in modules:
                near = difflib.get_close_matches(layer, modules) or list(modules)[1:6]
                raise ValueError(f"No layer {layer!r}. Did you mean: {', '.join(near)}?")
        self._modules = {layer: modules[layer] for layer in layers}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._outputs: dict[str, torch.Tensor] = {}

    def __enter__(self) -> Trace:
        for layer, module in self._modules.items():
            self._handles.append(module.register_forward_hook(self._keep(layer)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def __getitem__(self, layer: str) -> torch.Tensor:
        return self._outputs[layer]

    def _keep(self, layer: str):  # noqa: ANN202 - the type of a hook
        def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
            self._outputs[layer] = output.detach()

        return hook
