from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hand_set import ColourUnits
from torch import nn

from facenet_demo.features.dissection import dissect
from facenet_demo.features.observe import View
from facenet_demo.features.trace import Trace

DISC, OTHER, REST = 0, 1, 2


def planted(num_images: int = 40, moving: bool = True, seed: int = 0) -> list[View]:
    """Grey images with a red disc, part 0, and a blue square, part 1, in batches of 4."""
    rng = np.random.default_rng(seed)
    images = torch.full((num_images, 3, 32, 32), 0.3)
    parts = torch.full((num_images, 32, 32), REST)
    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    for image, part in zip(images, parts, strict=True):
        row, column = rng.integers(6, 26, 2) if moving else (4, 4)
        disc = (y - int(row)) ** 2 + (x - int(column)) ** 2 <= 16
        top, left = rng.integers(0, 26, 2)
        square = torch.zeros(32, 32, dtype=torch.bool)
        square[top : top + 6, left : left + 6] = True
        square &= ~disc
        image[:, disc] = torch.tensor([1.0, 0.0, 0.0])[:, None]
        image[:, square] = torch.tensor([0.0, 0.0, 1.0])[:, None]
        part[disc], part[square] = DISC, OTHER
    return [View(images[i : i + 4], parts[i : i + 4]) for i in range(0, num_images, 4)]


def test_a_unit_that_fires_on_a_planted_disc_is_found() -> None:
    found = dissect(ColourUnits(), ["maps"], planted(), num_parts=3)["maps"]
    red, green, blue = 0, 1, 2
    assert found.iou[red, DISC] > 0.99
    assert found.auc[red, DISC] > 0.99
    assert found.prior[red, DISC] < 0.2, "the disc moves"
    assert found.iou[red, OTHER] < 0.05
    assert found.iou[blue, OTHER] > 0.99
    assert found.iou[green].max() < 0.05, "never active"
    assert found.auc[green] == pytest.approx(0.5, abs=0.01)


def test_a_unit_that_fires_at_a_place_scores_nothing_above_the_prior() -> None:
    found = dissect(ColourUnits(), ["maps"], planted(moving=False), num_parts=3)["maps"]
    corner = 3
    assert found.iou[corner, DISC] > 0.7, "all discs are there"
    assert (found.iou - found.prior)[corner, DISC] == pytest.approx(0, abs=0.01)


def counted(views: list[View]) -> list[tuple[slice, slice]]:
    """Rows and columns of the grid that are looked at in each batch: every second, by turns."""
    turns = range(len(views))
    return [(slice(turn % 2, None, 2), slice(turn // 2 % 2, None, 2)) for turn in turns]


@pytest.mark.parametrize("side", [32, 24, 7], ids=["larger", "not a multiple", "odd and small"])
def test_overlap_is_that_of_a_brute_force_count(side: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 5, 5, stride=4), nn.ReLU())
    views = [
        View(torch.rand(b, 3, 32, 32), torch.randint(0, 3, (b, side, side)))
        for b in (3, 4, 2, 3, 5)
    ]
    found = dissect(network, ["1"], views, num_parts=3)["1"]
    shared, union, other_shared, other_union = (np.zeros((5, 3)) for _ in range(4))
    for view, (rows, columns) in zip(views, counted(views), strict=True):
        with Trace(network, ["1"]) as trace:
            network(view.images)
        maps = F.interpolate(trace["1"], size=(side, side), mode="bilinear", align_corners=False)
        maps = maps[:, :, rows, columns]
        parts = view.parts[:, rows, columns]
        for part in range(3):
            mask = (parts == part)[:, None]
            others = mask.roll(1, dims=0)
            cut = torch.from_numpy(found.thresholds[:, part])[:, None, None]
            active = maps > cut
            shared[:, part] += (active & mask).sum((0, 2, 3)).numpy()
            union[:, part] += (active | mask).sum((0, 2, 3)).numpy()
            other_shared[:, part] += (active & others).sum((0, 2, 3)).numpy()
            other_union[:, part] += (active | others).sum((0, 2, 3)).numpy()
    assert found.iou == pytest.approx(shared / union, abs=1e-6)
    assert found.prior == pytest.approx(other_shared / other_union, abs=1e-6)


def test_all_cells_come_in_turn() -> None:
    network = nn.Sequential(nn.Conv2d(3, 1, 1))
    nn.init.ones_(network[0].weight)
    for place in range(4):
        views = [
            View(torch.zeros(2, 3, 8, 8), torch.zeros(2, 8, 8, dtype=torch.long)) for _ in range(4)
        ]
        for view in views:
            view.parts[:, place // 2 :: 2, place % 2 :: 2] = 1
        found = dissect(network, ["0"], views, num_parts=2)["0"]
        assert found.overlap.masked.sum(0).tolist() == [3 * 32, 32]


def test_thresholds_are_matched_to_the_parts() -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(3, 4, 3, padding=1)
    views = [View(torch.rand(8, 3, 32, 32), torch.zeros(8, 32, 32, dtype=torch.long))] * 8
    views[0].parts[:, :6] = 1  # 18.75 % of all cells
    views[0].parts[:, 20:22, :20] = 2  # 3.9 %
    found = dissect(nn.Sequential(network), ["0"], views, num_parts=3)["0"]
    active = found.overlap.active.sum(0) / found.overlap.masked.sum()
    assert active[:, 1] == pytest.approx(0.1875, abs=0.003)
    assert active[:, 2] == pytest.approx(40 / 1024, abs=0.003)


def test_results_do_not_hang_on_when_values_were_first_seen() -> None:
    """Levels are laid by the first images; others must not change what comes of all of them."""
    views = planted(160)
    found = dissect(ColourUnits(), ["maps"], views, num_parts=3)["maps"]
    turned = dissect(ColourUnits(), ["maps"], views[80:] + views[:80], num_parts=3)["maps"]
    assert turned.iou == pytest.approx(found.iou, abs=0.01)


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1))
    views = [View(torch.rand(8, 3, 32, 32), torch.randint(0, 2, (8, 32, 32))) for _ in range(4)]
    for view in views:
        view.images[:, 0] += 0.5 * (view.parts == 1)
    found = dissect(network, ["0"], views, num_parts=2)["0"]
    maps = torch.cat([network(v.images) for v in views]).detach()
    truth = torch.cat([v.parts for v in views]).flatten() == 1
    for unit in range(4):
        expected = metrics.roc_auc_score(truth, maps[:, unit].flatten())
        assert found.auc[unit, 1] == pytest.approx(expected, abs=0.03), "a quarter of the cells"


def test_a_rotation_mixes_units_and_changes_no_sum_of_squares() -> None:
    views = planted()
    plain = dissect(ColourUnits(), ["maps"], views, num_parts=3)["maps"]
    rotated = dissect(ColourUnits(), ["maps"], views, num_parts=3, rotation_seed=0)["maps"]
    again = dissect(ColourUnits(), ["maps"], views, num_parts=3, rotation_seed=0)["maps"]
    assert rotated.iou[:, DISC].max() < plain.iou[:, DISC].max()
    assert np.array_equal(rotated.iou, again.iou)


def test_weights_count_blocks_of_images() -> None:
    views = planted(8)
    both = dissect(ColourUnits(), ["maps"], views, num_parts=3)["maps"]
    iou, _ = both.overlap.scores(np.array([1.0, 0.0] + [0.0] * 18))
    thresholds = both.thresholds[:, DISC]
    with Trace(network := ColourUnits(), ["maps"]) as trace:
        network(views[0].images)
    active = trace["maps"] > torch.from_numpy(thresholds)[:, None, None]
    active, mask = active[:, :, ::2, ::2], (views[0].parts == DISC)[:, None, ::2, ::2]
    expected = (active & mask).sum((0, 2, 3)) / (active | mask).sum((0, 2, 3))
    assert iou[:, DISC] == pytest.approx(expected.numpy())


def test_nothing_to_dissect_is_an_error() -> None:
    with pytest.raises(ValueError, match="no images"):
        dissect(ColourUnits(), ["maps"], [], num_parts=3)
