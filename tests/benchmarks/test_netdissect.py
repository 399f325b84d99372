from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facenet_demo.benchmarks.netdissect import SHARE, netdissect
from facenet_demo.features.dissection import dissect
from facenet_demo.features.observe import View
from facenet_demo.features.trace import Trace

DISC, REST = 0, 1


def planted(num_images: int = 40) -> list[View]:
    """Noise with a red disc, part 0, somewhere, in batches of 4."""
    rng = np.random.default_rng(0)
    images = 0.3 * torch.from_numpy(rng.random((num_images, 3, 32, 32), np.float32))
    parts = torch.full((num_images, 32, 32), REST)
    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    for image, part in zip(images, parts, strict=True):
        row, column = rng.integers(6, 26, 2)
        disc = (y - int(row)) ** 2 + (x - int(column)) ** 2 <= 16
        image[0, disc] += 0.5
        part[disc] = DISC
    return [View(images[i : i + 4], parts[i : i + 4]) for i in range(0, num_images, 4)]


def test_it_finds_a_planted_unit_as_ours_does(tmp_path: Path) -> None:
    colours = nn.Conv2d(3, 3, 1)
    nn.init.zeros_(colours.bias)
    with torch.no_grad():
        colours.weight.copy_(torch.eye(3)[:, :, None, None])
    network, views = nn.Sequential(colours), planted()
    parts = torch.cat([view.parts for view in views])
    shares = [float((parts == part).float().mean()) for part in (DISC, REST)]
    ours = dissect(network, ["0"], views, num_parts=2)["0"].iou
    theirs = netdissect(network, ["0"], views, 2, tmp_path, shares)["0"]
    red, green = 0, 1
    assert theirs[red, DISC] > 0.98
    assert theirs[green, DISC] < 0.1
    assert theirs[:, DISC] == pytest.approx(ours[:, DISC], abs=0.01)


@pytest.mark.parametrize("shares", [(SHARE,), (0.3, 0.01, 0.1)], ids=["one", "of each part"])
def test_overlap_is_that_of_a_brute_force_count(tmp_path: Path, shares: tuple[float, ...]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU())
    views = [
        View(torch.rand(b, 3, 32, 32), torch.randint(0, 3, (b, 24, 24), dtype=torch.long))
        for b in (3, 4, 2)
    ]
    found = netdissect(network, ["0", "1"], views, 3, tmp_path, shares)["1"]
    with Trace(network, ["1"]) as trace:
        network(torch.cat([view.images for view in views]))
    maps, parts = trace["1"], torch.cat([view.parts for view in views])
    large = F.interpolate(maps, size=(24, 24), mode="bilinear", align_corners=False)
    for unit in range(4):
        for part, share in enumerate(shares * (3 // len(shares))):
            cut = np.quantile(maps[:, unit].numpy(), 1 - share)
            active, mask = large[:, unit].numpy() > cut, parts.numpy() == part
            iou = (active & mask).sum() / (active | mask).sum()
            assert found[unit, part] == pytest.approx(iou, abs=1e-3)
    written = np.fromfile(tmp_path / "1", np.float32)
    assert written == pytest.approx(maps.flatten().numpy(), abs=1e-6), "all activations"


def test_a_unit_that_never_speaks_and_a_part_that_nobody_has_overlap_nothing(
    tmp_path: Path,
) -> None:
    silent = nn.Conv2d(3, 1, 1)
    nn.init.zeros_(silent.weight)
    views = [View(torch.rand(4, 3, 8, 8), torch.zeros(4, 8, 8, dtype=torch.long))]
    assert netdissect(nn.Sequential(silent), ["0"], views, 2, tmp_path)["0"].tolist() == [[0, 0]]
