from __future__ import annotations

import numpy as np

from facenet_demo.pictures import sheets


def test_tile_puts_pictures_in_rows_on_white() -> None:
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)
    sheet = sheets.tile(pictures, columns=2, gap=1)
    assert sheet.shape == (3 * 3 + 1, 2 * 4 + 1, 3)
    assert (sheet[1:3, 5:8] == 1).all()
    assert (sheet[7:9, 1:4] == 4).all()
    assert (sheet[7:9, 5:8] == 255).all(), "no sixth picture"
    assert (sheet[0] == 255).all()


def test_a_weight_of_0_is_mid_grey_and_the_largest_is_full() -> None:
    kernels = np.zeros((2, 3, 7, 7))
    kernels[0, 0, 3, 3] = 0.02
    kernels[1, 2, 0, 0] = -5
    sheet = sheets.kernel_sheet(kernels, magnify=1)
    assert sheet[4 + 3, 4 + 3].tolist() == [255, 128, 128]
    assert sheet[4, 4 + 7 + 4].tolist() == [128, 128, 0]
    assert sheet[4, 4].tolist() == [128, 128, 128]


def test_a_unit_has_one_scale_over_all_faces() -> None:
    windows = np.full((2, 4, 4, 3), 77, np.uint8)
    maps = np.zeros((2, 1, 2, 2))
    maps[0], maps[1, 0, 0, 0] = 0.5, 1.0
    sheet = sheets.activation_sheet(windows, maps)
    cell = 4 + 2
    first, second = sheet[2 : 2 + 4, 2 + cell :][:, :4], sheet[2 + cell :, 2 + cell :][:4, :4]
    assert (sheet[2:6, 2:6] == 77).all()
    assert (first == first[0, 0]).all()
    assert first[0, 0].sum() > second[3, 3].sum(), "0.5 is brighter than 0"
    assert second[0, 0].sum() > first[0, 0].sum(), "1 is brighter than 0.5"


def test_a_silent_unit_is_dark_without_dividing_by_zero() -> None:
    sheet = sheets.activation_sheet(np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 2, 2, 2)))
    assert sheet.max() == 255
    assert sheet[2:6, 8:12].max() < 10


def test_values_are_laid_over_a_grey_photo() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[..., 0] = 255
    values = np.array([[0.0, 2.0], [-1.0, -2.0]])
    (nothing, strong), (weak, against) = sheets.overlay(picture, values).astype(int)
    assert np.ptp(nothing) == 0, "grey at 0"
    assert strong[0] > strong[2] + 50, "red above 0"
    assert against[2] > against[0] + 50, "blue below"
    assert weak[2] > weak[0]
    assert (sheets.overlay(picture, values, largest=4.0)[0, 1] != strong).any()


def test_no_value_at_all_is_the_grey_photo() -> None:
    picture = np.full((2, 2, 3), 100, np.uint8)
    assert (sheets.overlay(picture, np.zeros((2, 2))) == 114).all()
