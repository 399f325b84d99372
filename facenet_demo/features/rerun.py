"""Run a network again from one of its layers on, with other outputs of that layer.

    with rerun(network, "stages.2", images) as rest:
        scores = rest(rest.output * kept)        # as if the other units were silent

What a network computes before the layer does not hang on what the layer puts out, so it is computed
once: while the block lasts, modules that were done before the layer answer with what they put out
then. Only the rest is computed, whatever the network's forward looks like; what is in no module,
such as a sum, is computed each time. Swapping activations like this is known as activation patching
(Vig et al. 2020, arXiv 2004.12265).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from facenet_demo.features.trace import Trace, evaluating

Calls = dict[nn.Module, list[torch.Tensor]]


@contextmanager
def rerun(network: nn.Module, layer: str, images: torch.Tensor) -> Iterator[Rest]:
    """Compute what comes before a layer, and hold it while the block lasts.

    Args:
        network: takes the images; in evaluation mode and without gradients meanwhile, afterwards as
            it was.
        layer: dotted name of a module with a tensor as output. If it is called several times, the
            first time counts.
        images: `(B, 3, H, W)`.

    Raises:
        ValueError: for a name that is not there, naming the near ones.
    """
    # In inference mode it would not be known what is worked on in place.
    with torch.inference_mode(False), evaluating(network):
        images = images.clone()
        trace = Trace(network, [layer], stop=True)
        own = network.get_submodule(layer)
        with _noted(network, own) as calls, trace:
            network(images)
        rest = Rest(network, images, own, trace[layer], calls)
        replaced = {module: module.__dict__.get("forward") for module in (own, *calls)}
        try:
            for module in replaced:
                module.forward = partial(rest._answer, module, module.forward)
            rest._rehearse()
            yield rest
        finally:
            for module, forward in replaced.items():
                del module.forward
                if forward is not None:
                    module.forward = forward


class Rest:
    """What a network does after one of its layers; see `rerun`.

    Attributes:
        output: `(B, ...)` put out by the layer for the images; not to be changed.
        answers: `(B, ...)` of the network.
    """

    def __init__(
        self,
        network: nn.Module,
        images: torch.Tensor,
        layer: nn.Module,
        output: torch.Tensor,
        held: Calls,
    ) -> None:
        self.output = output
        self._network = network
        self._images = images
        self._layer = layer
        self._held = held
        self._copies: dict[tuple[nn.Module, int], torch.Tensor] = {}
        self._is_rehearsal = False

    def __call__(self, output: torch.Tensor) -> torch.Tensor:
        """The network's answers if the layer puts out something else.

        Args:
            output: `(G * B, ...)`, G versions of `self.output`, one after the other; what comes
                after may work on it in place.

        Returns:
            `(G * B, ...)`.
        """
        self._given = output
        self._turns = Counter[nn.Module]()
        self._times = len(output) // len(self.output)
        return self._network(self._repeated(self._images))

    def _rehearse(self) -> None:
        """Find out what is worked on in place, and must not be handed out as it is."""
        self._is_rehearsal = True
        self.answers = self(self.output.clone())
        self._is_rehearsal = False
        self._copies = {call: copy for call, copy in self._copies.items() if copy._version}

    def _answer(
        self, module: nn.Module, real: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        turn = self._turns[module]
        self._turns[module] += 1
        if module is self._layer and not turn:
            return self._given
        held = self._held.get(module, [])
        if turn >= len(held):
            return real(*args, **kwargs)
        output = self._repeated(held[turn])
        if self._is_rehearsal:
            output = self._copies[module, turn] = output.clone()
        elif (module, turn) in self._copies and self._times == 1:
            output = output.clone()
        return output

    def _repeated(self, values: torch.Tensor) -> torch.Tensor:
        """Values `(B, ...)` once for each version; what does not go by images, as it is."""
        if self._times == 1 or len(values) != len(self._images):
            return values
        return torch.cat([values] * self._times)  # as they lie in memory, unlike repeat's


@contextmanager
def _noted(network: nn.Module, layer: nn.Module) -> Iterator[Calls]:
    """Fills a table of the outermost calls that end before the layer speaks.

    Calls within the layer, and those whose output is no tensor, are left out.
    """
    calls: Calls = {}
    ended: list[tuple[nn.Module, torch.Tensor]] = []
    begun: list[int] = []  # of the calls under way, how many had ended before

    def begin(module: nn.Module, inputs: Any) -> None:
        begun.append(len(ended))

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        first = begun.pop()
        if module is layer:
            del ended[first:]
            for one, put in ended:
                calls.setdefault(one, []).append(put)
        elif isinstance(output, torch.Tensor):
            del ended[first:]  # it was called for its sake alone
            ended.append((module, output.clone()))

    handles = []
    for module in network.modules():
        handles += [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
