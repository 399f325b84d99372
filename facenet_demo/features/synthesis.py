"""Pictures that excite a unit most: what it looks for, freed from any photo.

    colours = colour_basis(photos)                       # (N, 3, H, W) in [0, 1] -> (3, 3)
    pictures = synthesize(network, "stages.2", range(64), size=64, colours=colours)

After Olah et al. 2017, "Feature Visualization" (distill.pub/2017/feature-visualization): the
picture is held as whitened noise, to which the colours and the 1/f spectrum of natural images are
given, and the network sees it slightly moved, turned and scaled at every step. Instead of Adam
under a free contrast, Frank and Wolfe's method (1956) climbs among pictures of one given contrast:
it has no rate to tune, is blind to the scale of a unit, fades what the unit does not care about to
grey, and for a linear unit arrives at its matched filter.

The unit is excited at the centre of its map, so the picture shows one instance of what it looks
for, at the place and size of its patch; the mean over the map gives wallpaper of it, and plain
black or white for many a first-layer unit.

What it cannot tell: whether a photo with such a thing exists, or whether the unit matters. These
are illustrations; synthesised pictures can mislead (Geirhos et al. 2023, arXiv 2306.04719).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from facenet_demo.features.closeup import Closeup, closeup
from facenet_demo.features.receptive_field import ReceptiveField
from facenet_demo.features.trace import Trace, device_of, evaluating

# Of ImageNet: principal axes of the colours of its pixels, one per column, times their deviation.
# From lucid/optvis/param/color.py (github.com/tensorflow/lucid).
IMAGENET_COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])

_CONTRAST = 0.25  # root mean square of the whitened picture
_FIRST_STEP, _LAST_STEP = 0.2, 0.03  # shares of the way; in between they shrink evenly
_SHIFT, _TURN, _SCALE = 2.0, 0.08, 0.08  # at most: pixels, radians, share of the size
_NUM_STARTS = 128
_PICTURES_AT_ONCE = 32


def synthesize(
    network: nn.Module,
    layer: str,
    units: Sequence[int],
    size: int,
    *,
    steps: int = 32,
    seed: int = 0,
    colours: torch.Tensor = IMAGENET_COLOURS,
    field: ReceptiveField | None = None,
) -> torch.Tensor:
    """One picture per unit that excites it strongly.

    A unit's picture does not depend on which others are asked for, but for rounding. The network is
    run in evaluation mode and left as it was.

    Args:
        network: takes RGB `(B, 3, H, W)` in [0, 1].
        layer: dotted name of a layer that puts out maps `(B, U, h, w)` or numbers `(B, U)`.
        units: which of its units.
        size: side of the pictures in pixels, one that the network takes. Close to the receptive
            field it shows most detail.
        steps: how often each picture is improved.
        seed: of the noise to start from and of the movements.
        colours: `(3, 3)` from `colour_basis`, so that colours vary as in those photos.
        field: the layer's receptive field in pictures of this size. Where it is known, only what
            the units see is computed, and the pictures are the same.

    Returns:
        `(len(units), 3, size, size)` in [0, 1], on the CPU. Plain mid-grey for a unit that no
        starting noise excites: it seems dead.

    Raises:
        ValueError: if there is no such layer or unit, or the layer puts out something else.
    """
    device = device_of(network)
    # Lightning validates in inference mode, in which nothing has a gradient.
    with evaluating(network), torch.inference_mode(False), torch.enable_grad():
        pictures = torch.empty(len(units), 3, size, size)
        generator = torch.Generator().manual_seed(seed)
        near = None if field is None else closeup(network, layer, size, field)
        starts = torch.randn(_NUM_STARTS, 3, size, size, generator=generator).to(device)
        moves = [_random_move(size, generator) for _ in range(steps)]
        painter = _Painter(size, colours, device)
        noise = _best_starts(network, layer, units, painter, starts)
        for i in range(0, len(units), _PICTURES_AT_ONCE):
            some = slice(i, i + _PICTURES_AT_ONCE)
            found = _climb(network, layer, units[some], painter, noise[some], moves, near)
            pictures[some] = painter(found).cpu()
    return pictures


def colour_basis(images: torch.Tensor) -> torch.Tensor:
    """How the colours of photos vary: `(3, 3)`, one principal axis per column, strongest first.

    Each axis is as long as the deviation along it, relative to that along the first. Of grey photos
    only the first is not zero, so pictures painted with it are grey too.

    Args:
        images: `(N, 3, H, W)` in [0, 1].
    """
    pixels = images.transpose(0, 1).flatten(1)
    variances, axes = torch.linalg.eigh(torch.cov(pixels.double()))
    basis = (axes * variances.clamp_min(0).sqrt()).flip(1).float()
    return basis / basis[:, 0].norm().clamp_min(1e-12)


class _Painter:
    """Whitened noise to pictures: gives it the spectrum and colours of natural images.

    Filtering white noise is the Fourier parametrisation in other coordinates: equally long steps in
    the noise are long at low frequencies and short at high ones.
    """

    def __init__(self, size: int, colours: torch.Tensor, device: torch.device) -> None:
        rows, columns = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)
        amplitude = 1 / (rows**2 + columns**2).sqrt().clamp_min(1 / size)
        self._amplitude = (amplitude / amplitude.square().mean().sqrt()).to(device)
        strongest = colours.norm(dim=0).max().clamp_min(1e-12)
        self._colours = (colours / strongest).to(device)
        self._size = (size, size)

    def __call__(self, noise: torch.Tensor) -> torch.Tensor:
        """`(B, 3, S, S)` of any values to `(B, 3, S, S)` in [0, 1], 0.5 where it is 0."""
        natural = torch.fft.irfft2(torch.fft.rfft2(noise) * self._amplitude, s=self._size)
        coloured = torch.einsum("ck,bkhw->bchw", self._colours, natural)
        return torch.sigmoid(4 * coloured)


def _climb(
    network: nn.Module,
    layer: str,
    units: Sequence[int],
    painter: _Painter,
    noise: torch.Tensor,
    moves: Sequence[torch.Tensor],
    near: Closeup | None,
) -> torch.Tensor:
    """Noise `(B, 3, S, S)` that excites one unit each; zero where the unit never answered."""
    answered, ever = noise, torch.zeros(len(units), 1, 1, 1, dtype=torch.bool, device=noise.device)
    for move, step in zip(moves, np.linspace(_FIRST_STEP, _LAST_STEP, len(moves)), strict=True):
        noise = noise.detach().requires_grad_()
        maps = _maps(network, layer, units, _moved(painter(noise), move, near))
        centre = _middle(maps) if near is None else near.middle(maps)  # (B, B): picture, unit
        (gradient,) = torch.autograd.grad(centre.diagonal().sum(), noise)
        length = gradient.flatten(1).norm(dim=1)[:, None, None, None]
        target = gradient * (_radius(noise) / length.clamp_min(1e-30))
        noise = noise.detach()
        # A step or movement too far silences a rectified unit: go half the way back.
        speaks = length > 0
        ever |= speaks
        onward = noise + step * (target - noise)
        back = (noise + answered) / 2
        answered = torch.where(speaks, noise, answered)
        noise = torch.where(speaks, onward, back)
    return noise * ever


@torch.no_grad()
def _best_starts(
    network: nn.Module,
    layer: str,
    units: Sequence[int],
    painter: _Painter,
    starts: torch.Tensor,
) -> torch.Tensor:
    """For each unit the noise that excites it most at the centre, if need be shifted there.

    A rectified unit that is silent has no gradient to follow, so it must start where it speaks.

    Returns:
        noise `(len(units), 3, S, S)`.
    """
    size = starts.shape[-1]
    starts = _CONTRAST * starts
    values, places, centres = [], [], []
    for some in starts.split(_PICTURES_AT_ONCE):
        maps = _maps(network, layer, units, painter(some))
        height, width = maps.shape[2:]
        middle = height // 2 * width + width // 2
        top, left = height // 4, width // 4
        inner = torch.full_like(maps, -torch.inf)
        inside = slice(top, height - top), slice(left, width - left)
        inner[:, :, *inside] = maps[:, :, *inside]
        value, place = inner.flatten(2).max(dim=2)
        values.append(value)
        places.append(place)
        centres.append(maps.flatten(2)[:, :, middle])
    # What speaks elsewhere may owe it to the border, and be silent once shifted.
    loudest, at_centre = torch.cat(centres).max(dim=0)
    best = torch.where(loudest > 0, at_centre, torch.cat(values).argmax(dim=0))
    place = torch.where(loudest > 0, middle, torch.cat(places)[best, range(len(units))])
    chosen = starts[best]
    for i, (y, x) in enumerate(divmod(where, width) for where in place.tolist()):
        shift = (height // 2 - y) * size // height, (width // 2 - x) * size // width
        chosen[i] = chosen[i].roll(shift, dims=(1, 2))
    return chosen


def _radius(noise: torch.Tensor) -> float:
    """How long a whitened picture of the given contrast is."""
    return _CONTRAST * noise[0].numel() ** 0.5


def _maps(
    network: nn.Module, layer: str, units: Sequence[int], images: torch.Tensor
) -> torch.Tensor:
    """Maps of some units `(B, len(units), h, w)`, 1 x 1 if the layer has no space."""
    with Trace(network, [layer], stop=True, keep_grad=True) as trace:
        network(images)
    output = trace[layer]
    if output.ndim not in (2, 4):
        raise ValueError(
            f"Layer {layer!r} puts out {tuple(output.shape)}: neither maps (B, U, h, w) nor "
            "numbers (B, U)."
        )
    wrong = [unit for unit in units if not 0 <= unit < output.shape[1]]
    if wrong:
        raise ValueError(f"Layer {layer!r} has units 0 to {output.shape[1] - 1}, not {wrong[0]}.")
    maps = output if output.ndim == 4 else output[:, :, None, None]
    return maps[:, list(units)]


def _random_move(size: int, generator: torch.Generator) -> torch.Tensor:
    """A small shift, turn and change of scale, `(2, 3)` for `affine_grid`."""
    turn, zoom, x, y = (2 * torch.rand(4, generator=generator) - 1).unbind()
    angle, scale = turn * _TURN, 1 + zoom * _SCALE
    cos, sin = scale * angle.cos(), scale * angle.sin()
    reach = 2 * _SHIFT / size  # affine_grid counts from -1 to 1
    return torch.stack([cos, -sin, x * reach, sin, cos, y * reach]).view(2, 3)


def _moved(pictures: torch.Tensor, move: torch.Tensor, near: Closeup | None = None) -> torch.Tensor:
    """Pictures that were moved, or what is near the middle of them then."""
    grid = F.affine_grid(
        move.to(pictures).expand(len(pictures), 2, 3), list(pictures.shape), align_corners=False
    )
    if near is not None:
        grid = near.cut(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _middle(maps: torch.Tensor) -> torch.Tensor:
    return maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
