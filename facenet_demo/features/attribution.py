"""Why this answer: which pixels, and which units, spoke for one of a network's outputs.

    hidden = occlusion(network, image, target=7)                  # (H, W)
    pixels = integrated_gradients(network, image, target=7)       # (H, W)
    units = speaking_units(network, "stages.3", image, 7, count=5)  # [(unit, contribution), ...]

All are told in the same scale, points of the target's score (the logit): positive speaks for the
target, negative against it. Networks take RGB in [0, 1] and are left as they were.

The two maps ask differently. Occlusion (Zeiler and Fergus 2014, arXiv 1311.2901) covers a patch and
looks: it needs no gradient, but sees no two places that stand in for each other. Integrated
gradients (Sundararajan et al. 2017, arXiv 1703.01365) share the score out among the pixels, and the
shares add up. Both depend on what was learned, not on the picture's edges alone, as the sanity
checks of Adebayo et al. (2018, arXiv 1810.03292) demand; for integrated gradients that holds of
signed values, so keep the sign. Guided backpropagation fails those checks and is not here; Grad-CAM
passes, but is as coarse as the layer one has to choose.

What they cannot tell: what the network would do with another photo, or that the place they show is
a cause by itself.
"""

from __future__ import annotations

import torch
from captum.attr import IntegratedGradients, Occlusion
from scipy.ndimage import gaussian_filter
from torch import nn

from facenet_demo.features.trace import Trace, evaluating

_VARIANTS_AT_ONCE = 32


def occlusion(
    network: nn.Module,
    image: torch.Tensor,
    target: int,
    *,
    patch: int | None = None,
    stride: int | None = None,
) -> torch.Tensor:
    """By how much the target's score drops when a square patch is covered.

    The cover has the image's mean colour. A pixel's value is the mean over the patches that cover
    it.

    Args:
        network: `(B, 3, H, W)` to scores `(B, K)`.
        image: `(3, H, W)` in [0, 1].
        target: which of the K scores.
        patch: side of the patch, pixels; None for an eighth of the shorter side.
        stride: step of the patch, pixels, at most `patch`; None for a quarter of it.

    Returns:
        `(H, W)` on the CPU, points of the score; positive where covering hurts the target.

    Raises:
        ValueError: if patch and stride would leave gaps.
    """
    patch = max(1, min(image.shape[1:]) // 8) if patch is None else patch
    stride = max(1, patch // 4) if stride is None else stride
    if not 1 <= stride <= patch <= min(image.shape[1:]):
        raise ValueError(
            f"A patch of {patch} with stride {stride} does not cover an image of "
            f"{image.shape[1]} x {image.shape[2]}: 1 <= stride <= patch <= side is needed."
        )
    with evaluating(network), torch.no_grad():
        drop = Occlusion(network).attribute(
            image[None],
            sliding_window_shapes=(len(image), patch, patch),
            strides=(len(image), stride, stride),
            baselines=_mean_colour(image),
            target=target,
            perturbations_per_eval=_VARIANTS_AT_ONCE,
        )
    return drop[0].mean(dim=0).cpu()  # the colours are covered together, so they are equal


def integrated_gradients(
    network: nn.Module,
    image: torch.Tensor,
    target: int,
    *,
    steps: int = 64,
    spread: float = 2.0,
) -> torch.Tensor:
    """Each pixel's share in how the target's score differs from that of an empty image.

    The empty image has the image's mean colour everywhere. Shares of single pixels alternate with
    the strides of the network, so each is spread over its neighbourhood; the sum stays.

    Args:
        network: `(B, 3, H, W)` to scores `(B, K)`.
        image: `(3, H, W)` in [0, 1].
        target: which of the K scores.
        steps: between the empty image and this one; more make the sum more exact.
        spread: deviation of the Gaussian that spreads a pixel's share, pixels; 0 for none.

    Returns:
        `(H, W)` on the CPU, points of the score; its sum is the score of the image less that of the
        empty one.
    """
    with evaluating(network), torch.inference_mode(False), torch.enable_grad():
        shares = IntegratedGradients(network).attribute(
            image.clone()[None].requires_grad_(),
            baselines=_mean_colour(image).clone(),
            target=target,
            n_steps=steps,
            internal_batch_size=_VARIANTS_AT_ONCE,
        )
    # Mirrored at the border, so that nothing is lost there.
    spread_out = gaussian_filter(shares[0].detach().sum(dim=0).cpu().numpy(), spread)
    return torch.from_numpy(spread_out)


def speaking_units(
    network: nn.Module, layer: str, image: torch.Tensor, target: int, count: int
) -> list[tuple[int, float]]:
    """The units of a layer that spoke most for the target, the loudest first.

    A unit's contribution is its activation times the gradient of the target's score, summed over
    its map. Where everything after the layer is linear, the contributions of all units and the bias
    add up to the score; before that it is a first-order estimate.

    Args:
        network: `(B, 3, H, W)` to scores `(B, K)`.
        layer: dotted name of a layer that puts out maps `(B, U, h, w)` or numbers `(B, U)`.
        image: `(3, H, W)` in [0, 1].
        target: which of the K scores.
        count: how many units, fewer if the layer has fewer.

    Returns:
        pairs of unit and contribution in points of the score.

    Raises:
        ValueError: if there is no such layer.
    """
    with (
        evaluating(network),
        torch.inference_mode(False),
        torch.enable_grad(),
        Trace(network, [layer], keep_grad=True) as trace,
    ):
        score = network(image.clone()[None].requires_grad_())[0, target]
        maps = trace[layer]
        (gradient,) = torch.autograd.grad(score, maps)
        spoken = (maps * gradient).detach()[0]
        contributions = spoken.reshape(len(spoken), -1).sum(dim=1)
    loudest = contributions.topk(min(count, len(contributions)))
    return list(zip(loudest.indices.tolist(), loudest.values.tolist(), strict=True))


def _mean_colour(image: torch.Tensor) -> torch.Tensor:
    """`(1, C, H, W)`: the image without anything in it."""
    return image.mean(dim=(1, 2), keepdim=True)[None].expand(1, *image.shape)
