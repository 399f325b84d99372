"""What a unit wants, as one kernel over the image: comparable from the first layer to the last.

    kernels = effective_kernels(network, "stages.2", images, field, units=[0, 1])
    fit_gabors(kernels).r2               # how well would an edge or a bar describe it?

The effective kernel is the mean gradient of the unit in the middle of its map with respect to the
pixels that it sees, over images: the one linear filter that stands for it on those images. For the
first layer it is the kernel itself, up to scale. Deeper, it is what is left when all that depends
on the image averages out, much as the spike-triggered average of a nerve cell.

What it cannot tell: anything a unit does that no linear filter does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.features.closeup import closeup
from facenet_demo.features.receptive_field import ReceptiveField
from facenet_demo.features.trace import Trace, device_of, evaluating, maps_of

# A large field is averaged to so many cells a side, so that a fit takes as long in every layer.
MAX_SIDE = 15
# What a GPU differentiates together, units x images x height x width; 200 MB in a ResNet-18.
_PIXELS_AT_ONCE = 2**20


def effective_kernels(
    network: nn.Module,
    layer: str,
    images: torch.Tensor,
    field: ReceptiveField,
    units: Sequence[int],
) -> np.ndarray:
    """The effective kernels of some units of a layer.

    Args:
        network: takes `images`.
        layer: dotted name.
        images: `(N, 3, H, W)`; a few dozen do.
        field: the receptive field of the layer.
        units: their numbers.

    Returns:
        `(len(units), 3, k, k)`, k the side of what the middle sees, or 15 if that is smaller.
    """
    device = device_of(network)
    near = closeup(network, layer, images.shape[-1], field)
    left, top, right, bottom = field.box(len(field.rows) // 2, len(field.columns) // 2)
    rows = slice(top - near.rows[0], bottom - near.rows[0])
    columns = slice(left - near.columns[0], right - near.columns[0])
    # Lightning validates in inference mode, in which nothing has a gradient.
    with evaluating(network), torch.inference_mode(False), torch.enable_grad():
        pixels = near.cut(images).to(device, copy=True).requires_grad_(True)
        with Trace(network, [layer], stop=True, keep_grad=True) as trace:
            network(pixels)
        middle = near.middle(maps_of(trace[layer]))  # (N, U)
        sums = middle.sum(0)  # (U,)
        kernels = []
        for some in _one_hot(units, sums).split(_units_at_once(pixels)):
            (gradients,) = torch.autograd.grad(
                sums, pixels, some[0] if len(some) == 1 else some,
                retain_graph=True, is_grads_batched=len(some) > 1,
            )  # fmt: skip
            of_each = gradients.reshape(-1, *pixels.shape)  # (units, N, 3, H, W)
            kernels.append(of_each.mean(1)[:, :, rows, columns])
    side = min(MAX_SIDE, bottom - top)
    return F.adaptive_avg_pool2d(torch.cat(kernels), side).cpu().numpy()


def _one_hot(units: Sequence[int], sums: torch.Tensor) -> torch.Tensor:
    """`(len(units), U)`, of each the direction in which it alone grows."""
    chosen = torch.as_tensor(units, dtype=torch.int64, device=sums.device)
    return F.one_hot(chosen, len(sums)).to(sums.dtype)


def _units_at_once(pixels: torch.Tensor) -> int:
    if pixels.device.type == "cpu":
        return 1  # what it works on stays in its cache, which takes less time than eight at once
    return max(1, _PIXELS_AT_ONCE // pixels[:, 0].numel())
