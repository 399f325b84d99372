"""Network dissection as its authors do it, to be compared with `features/dissection.py`.

    found = netdissect(network, ["stages.2"], views, num_parts=8, folder=Path("/tmp/activations"))
    found["stages.2"]                    # (U, K) intersection over union of each unit and part

The steps of Bau et al. 2017 (arXiv 1704.05796, section 2) and of NetDissect-Lite: a pass through
the network writes all activations to disk; a pass over these finds the value that each unit exceeds
at a share of all places; a third enlarges each map to the masks, cuts it there, and counts where it
meets each part. Unlike theirs, it enlarges and counts all units of a batch together, as PyTorch is
quick at.

Theirs is one threshold for a unit, whatever the part; ours is one for each part. With `shares` of
all parts it answers what ours does, so that answers and time can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.features.observe import View
from facenet_demo.features.trace import Trace, evaluating, maps_of

SHARE = 0.005  # of all places: where a unit counts as active


def netdissect(
    network: nn.Module,
    layers: Sequence[str],
    views: Sequence[View],
    num_parts: int,
    folder: Path,
    shares: Sequence[float] = (SHARE,),
) -> dict[str, np.ndarray]:
    """Compare the maps of all units of some layers with the parts of faces.

    Args:
        network: takes `View.images`, on the CPU.
        layers: dotted names.
        views: with their parts.
        num_parts: K.
        folder: an existing one; a file for each layer is written there, or written over.
        shares: of its places where a unit is active: one, or one for each part.

    Returns:
        layer -> `(U, K)` intersection over union, in [0, 1].
    """
    files = _write_activations(network, layers, views, folder)
    tops = 1 - np.array(shares)
    found = {}
    for layer, maps in files.items():
        thresholds = np.array(
            [np.quantile(maps[:, unit], tops) for unit in range(maps.shape[1])], np.float32
        )
        found[layer] = _overlaps(maps, thresholds, views, num_parts)
    return found


def _write_activations(
    network: nn.Module, layers: Sequence[str], views: Sequence[View], folder: Path
) -> dict[str, np.memmap]:
    """Layer -> all its maps, `(N, U, h, w)` float32, on disk."""
    num_images = sum(len(view.images) for view in views)
    files: dict[str, np.memmap] = {}
    first = 0
    with evaluating(network), Trace(network, layers) as trace:
        for view in views:
            network(view.images)
            for layer in layers:
                maps = maps_of(trace[layer]).numpy()
                if layer not in files:
                    shape = (num_images, *maps.shape[1:])
                    files[layer] = np.memmap(folder / layer, np.float32, "w+", shape=shape)
                files[layer][first : first + len(maps)] = maps
            first += len(view.images)
    return files


def _overlaps(
    maps: np.memmap, thresholds: np.ndarray, views: Sequence[View], num_parts: int
) -> np.ndarray:
    """Intersection over union `(U, K)` of units, cut at `(U, 1)` or `(U, K)`, and parts."""
    cuts = torch.from_numpy(thresholds)[..., None, None]
    shared = torch.zeros(len(thresholds), num_parts, dtype=torch.int64)
    active, masked = torch.zeros_like(shared), torch.zeros_like(shared[0])
    first = 0
    for images, parts in views:
        assert parts is not None
        some = torch.from_numpy(np.array(maps[first : first + len(images)]))
        first += len(images)
        size = (parts.shape[1], parts.shape[2])
        enlarged = F.interpolate(some, size=size, mode="bilinear", align_corners=False)
        for part in range(num_parts):
            if part < thresholds.shape[1]:  # else it is cut as for the part before
                exceeds = enlarged > cuts[:, part]
                number = exceeds.sum((0, 2, 3))
            mask = (parts == part)[:, None]
            active[:, part] += number
            shared[:, part] += (exceeds & mask).sum((0, 2, 3))
            masked[part] += mask.sum()
    union = active + masked - shared
    return (shared / union.clamp_min(1)).double().numpy()
