"""What a unit wants, as one kernel over the image: comparable from the first layer to the last.

    kernels = effective_kernels(network, "stages.2", images, box=field.box(8, 8), units=[0, 1])
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

from facenet_demo.features.trace import Trace, evaluating, maps_of

# A large field is averaged to so many cells a side, so that a fit takes as long in every layer.
MAX_SIDE = 15


def effective_kernels(
    network: nn.Module,
    layer: str,
    images: torch.Tensor,
    box: tuple[int, int, int, int],
    units: Sequence[int],
) -> np.ndarray:
    """The effective kernels of some units of a layer.

    Args:
        network: takes `images`.
        layer: dotted name.
        images: `(N, 3, H, W)`; a few dozen do.
        box: xyxy pixels, the receptive field of the position in the middle of the maps.
        units: their numbers.

    Returns:
        `(len(units), 3, k, k)`, k the side of the box, or 15 if that is smaller.
    """
    left, top, right, bottom = box
    device = next(network.parameters()).device
    # Lightning validates in inference mode, in which nothing has a gradient.
    with evaluating(network), torch.inference_mode(False), torch.enable_grad():
        pixels = images.to(device, copy=True).requires_grad_(True)
        with Trace(network, [layer], stop=True, keep_grad=True) as trace:
            network(pixels)
        maps = maps_of(trace[layer])
        middle = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]  # (N, U)
        kernels = []
        for unit in units:
            (gradient,) = torch.autograd.grad(middle[:, unit].sum(), pixels, retain_graph=True)
            kernels.append(gradient.mean(0)[:, top:bottom, left:right])
    side = min(MAX_SIDE, bottom - top)
    return F.adaptive_avg_pool2d(torch.stack(kernels), side).cpu().numpy()
