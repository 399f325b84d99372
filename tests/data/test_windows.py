from __future__ import annotations

import numpy as np
import pytest
import torch
from drawing import draw_face

from facenet_demo.data.windows import (
    AugmentSettings,
    CentreWindow,
    RandomWindow,
    to_window,
)

FACE = draw_face(size=40)[:, :30]  # not square, so that a turn shows
OFF = AugmentSettings(shift=0, scale=0, rotation=0, flip=0, brightness=0, contrast=0, erase=0)


def crops(count: int = 4, size: int = 24) -> torch.Tensor:
    faces = np.stack([draw_face(i, size=size) for i in range(count)])
    return torch.from_numpy(faces).permute(0, 3, 1, 2)


def random_windows(crops: torch.Tensor, window: int = 16, **settings: float) -> torch.Tensor:
    torch.manual_seed(0)
    return RandomWindow(window, AugmentSettings(**{**vars(OFF), **settings}))(crops)


def test_the_centre_window_is_the_middle_in_0_to_1() -> None:
    stored = crops()
    expected = stored[:, :, 4:20, 4:20].numpy() / np.float32(255)
    assert np.array_equal(CentreWindow(16)(stored).numpy(), expected)


def test_without_changes_a_random_window_is_the_centre_window() -> None:
    torch.testing.assert_close(
        random_windows(crops()), CentreWindow(16)(crops()), atol=1e-5, rtol=0
    )


def test_a_certain_flip_is_the_mirror_image() -> None:
    mirrored = CentreWindow(16)(crops()).flip(-1)
    torch.testing.assert_close(random_windows(crops(), flip=1.0), mirrored, atol=1e-5, rtol=0)


def spot(size: int = 60, at: tuple[float, float] = (0.0, 0.0), count: int = 400) -> torch.Tensor:
    """Crops with one soft bright spot at x, y pixels from the centre."""
    place = torch.arange(size) - (size - 1) / 2
    y, x = torch.meshgrid(place, place, indexing="ij")
    picture = torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 8) * 255
    return picture.byte().expand(count, 3, -1, -1)


def found_spots(windows: torch.Tensor) -> torch.Tensor:
    """x, y from the centre of the spot in each window."""
    place = torch.arange(windows.shape[-1]) - (windows.shape[-1] - 1) / 2
    weight = windows.mean(1) / windows.mean(1).sum((1, 2), keepdim=True)
    return torch.stack([(weight.sum(1) * place).sum(1), (weight.sum(2) * place).sum(1)], 1)


def test_a_shift_reaches_its_share_of_the_window_both_ways_and_no_further() -> None:
    moved = found_spots(random_windows(spot(), window=40, shift=0.1))
    assert moved.abs().max() < 4.1
    assert moved.max(0).values.min() > 3.5
    assert moved.min(0).values.max() < -3.5


def test_a_turn_reaches_its_angle_and_keeps_the_distance() -> None:
    moved = found_spots(random_windows(spot(at=(10, 0)), window=40, rotation=20))
    angles = torch.rad2deg(torch.atan2(moved[:, 1], moved[:, 0]))
    assert angles.abs().max() < 20.5
    assert angles.max() > 18
    assert angles.min() < -18
    torch.testing.assert_close(moved.norm(dim=1), torch.full((400,), 10.0), atol=0.2, rtol=0)


def test_a_turned_mirror_image_is_not_sheared() -> None:
    moved = found_spots(random_windows(spot(at=(9, 5)), window=40, flip=1.0, rotation=20))
    torch.testing.assert_close(moved.norm(dim=1), torch.full((400,), 106**0.5), atol=0.2, rtol=0)
    turned = torch.rad2deg(torch.atan2(moved[:, 1], -moved[:, 0])) - np.degrees(np.arctan2(5, 9))
    assert 18 < turned.abs().max() < 20.5


def test_growth_and_shrinking_reach_their_share() -> None:
    distance = found_spots(random_windows(spot(at=(10, 0)), window=40, scale=0.25)).norm(dim=1)
    assert distance.max() == pytest.approx(12.5, abs=0.3)
    assert distance.min() == pytest.approx(8, abs=0.3)


def test_light_keeps_its_bounds_and_the_range() -> None:
    grey = torch.full((200, 3, 24, 24), 128, dtype=torch.uint8)
    change = random_windows(grey, brightness=0.1) - 128 / 255
    assert change.abs().max() <= 0.1 + 1e-6
    assert change.max() > 0.09
    assert change.min() < -0.09
    faces = random_windows(crops(), brightness=0.5, contrast=0.9)
    assert faces.min() >= 0
    assert faces.max() <= 1


def test_contrast_stretches_around_the_mean() -> None:
    plain = CentreWindow(16)(crops())
    ratio = random_windows(crops(), contrast=0.2).std((1, 2, 3)) / plain.std((1, 2, 3))
    assert ratio.max() <= 1.2 + 1e-4
    assert ratio.min() >= 1 / 1.2 - 1e-2


def test_erasing_covers_one_rectangle_of_the_stated_share_of_photos() -> None:
    grey = torch.full((400, 3, 60, 60), 128, dtype=torch.uint8)
    covered = (random_windows(grey, window=40, erase=0.3) - 128 / 255).abs().amax(1) > 1e-3
    hit = covered.any(2).any(1)
    assert 0.2 < hit.float().mean() < 0.4
    for mask in covered[hit][:20]:
        rows, columns = mask.any(1), mask.any(0)
        box = mask[rows][:, columns]
        assert box.float().mean() > 0.9, "noise that happens to be mid-grey may leave a hole"
        assert min(box.shape) >= 5
        assert max(box.shape) <= 18
        gaps = rows.nonzero().flatten().diff()
        assert (gaps <= 2).all()


def test_a_seed_repeats_the_windows() -> None:
    stored, settings = crops(), AugmentSettings()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(RandomWindow(16, settings)(stored))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_a_window_at_the_edge_of_the_default_changes_sees_real_pixels_only() -> None:
    """A crop of 1.5 windows leaves room: a mark on its border never comes into view."""
    size, window = 96, 64
    framed = torch.zeros(300, 3, size, size, dtype=torch.uint8)
    framed[..., 0, :] = framed[..., -1, :] = framed[..., :, 0] = framed[..., :, -1] = 255
    settings = {**vars(AugmentSettings()), "brightness": 0, "contrast": 0, "erase": 0}
    assert random_windows(framed, window=window, **settings).max() == 0


@pytest.mark.parametrize("seed", range(4))
def test_landmarks_follow_their_window(seed: int) -> None:
    """Five dots of five colours are drawn in a crop; the window shows them where it says."""
    size, window = 96, 64
    places = torch.tensor([[34.0, 38.0], [62.0, 37.0], [48.0, 50.0], [38.0, 62.0], [58.0, 63.0]])
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]])
    crop = torch.zeros(3, size, size, dtype=torch.uint8)
    for (x, y), colour in zip(places.int().tolist(), colours, strict=True):
        crop[:, y - 1 : y + 2, x - 1 : x + 2] = colour[:, None, None]
    crops = crop.repeat(8, 1, 1, 1)
    torch.manual_seed(seed)
    still = AugmentSettings(brightness=0, contrast=0, erase=0)
    for cut in (RandomWindow(window, still).cut, CentreWindow(window).cut):
        windows, theta = cut(crops)
        found = to_window(places.repeat(8, 1, 1), theta, size)
        mirrored = torch.linalg.det(theta[:, :, :2]) < 0
        for picture, points, is_mirrored in zip(windows, found, mirrored, strict=True):
            order = [1, 0, 2, 4, 3] if is_mirrored else [0, 1, 2, 3, 4]
            for point, colour in zip(points, colours[order], strict=True):
                near = (picture - colour[:, None, None] / 255).abs().sum(0)
                dot = torch.nonzero(near < 0.5).float().mean(0).flip(0)  # its middle, x, y
                assert (point * window - 0.5 - dot).abs().max() < 0.6
        if cut.__self__.__class__ is RandomWindow and seed == 0:
            assert 0 < mirrored.sum() < 8
