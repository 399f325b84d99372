"""The lecture's drawings: what neurons and small networks answer over the plane.

    draw_line(axes, neuron)              # where a neuron changes its mind
    draw_plane(axes, mlp.over_plane(64)[-1][0])
    draw_points(axes, points, values)

Blue is -1 or less, orange 1 or more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from facenet_demo.basics.neuron import Neuron

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.image import AxesImage

BLUE, ORANGE = "#2a6fbb", "#e8791c"


def draw_points(axes: Axes, points: torch.Tensor, values: torch.Tensor, size: float = 25.0) -> None:
    """Points `(N, 2)` in the colours of their values `(N,)`, -1 to 1."""
    x, y = points.T.tolist()
    axes.scatter(x, y, s=size, c=values.tolist(), cmap=_colours(), vmin=-1, vmax=1,
                 edgecolors="white", linewidths=0.7, zorder=3)  # fmt: skip


def draw_plane(axes: Axes, picture: torch.Tensor, reach: float = 1.0) -> AxesImage:
    """What a unit answers over [-reach, reach]^2, `(size, size)`, y upwards; clipped to -1, 1."""
    extent = (-reach, reach, -reach, reach)
    image = axes.imshow(picture.numpy(), origin="lower", extent=extent, cmap=_colours(), vmin=-1,
                        vmax=1, alpha=0.75, interpolation="bilinear")  # fmt: skip
    axes.set(xticks=[], yticks=[])
    return image


def draw_line(axes: Axes, neuron: Neuron, color: str = "0.2", label: str | None = None) -> None:
    """The line on which a neuron with two inputs has the sum 0; nothing if there is none."""
    bias, *weights = neuron.weights.tolist()
    length = (weights[0] ** 2 + weights[1] ** 2) ** 0.5
    if length == 0:
        return
    foot = [-bias * weight / length**2 for weight in weights]
    axes.axline((foot[0], foot[1]), (foot[0] - weights[1] / length, foot[1] + weights[0] / length),
                color=color, label=label)  # fmt: skip


def _colours() -> LinearSegmentedColormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("no_yes", [BLUE, "#f4f4f4", ORANGE])
