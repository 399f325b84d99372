"""Figures: results as matplotlib draws them, for the end of a run.

No function here sees a network: arrays in, pictures out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from rich.cells import cell_len

from facenet_demo.pictures.lettering import lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = (
    {"color": "#c8102e", "linewidth": 2.2},
    {"color": "#555555", "linewidth": 1.6, "linestyle": "--"},
    {"color": "#8a6fbf", "linewidth": 1.6, "linestyle": ":"},
)
# None of them near a colour of `_LINES`.
_PARTS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#17becf", "#8c564b", "#bcbd22", "#e377c2")
_COLOURS = {"train": "#1f77b4", "val": "#ff7f0e"}


def curves(
    history: Sequence[Mapping[str, float]],
    best_epoch: int | None,
    score: str = "accuracy",
    label: str = "Accuracy",
) -> Figure:
    """Loss and a score over epochs, training and validation together.

    Args:
        history: for each epoch a mapping with `train/loss`, `val/loss`, `train/accuracy`, ...
        best_epoch: the epoch (from 0) whose weights were kept, marked; None if there is none.
        score: what is drawn beside the loss: `train/SCORE`.
        label: of the score, in words.
    """
    figure = _figure(9, 3.6)
    titles = {"loss": "Loss", score: label}
    for axes, (name, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        for stage, legend in (("train", "training"), ("val", "validation")):
            key = f"{stage}/{name}"
            points = [(i + 1, e[key]) for i, e in enumerate(history) if key in e]
            if points:
                axes.plot(*zip(*points, strict=True), color=_COLOURS[stage], label=legend)
        if best_epoch is not None:
            axes.axvline(best_epoch + 1, color="0.6", linestyle=":", label="kept")
        axes.set(xlabel="epoch", title=title)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def reliability(probability: np.ndarray, right: np.ndarray, num_bins: int = 15) -> Figure:
    """How often the network is right, by how sure it was; on the diagonal it is as right as sure.

    Args:
        probability: `(N,)` largest of each photo, in [0, 1].
        right: `(N,)` bool.
        num_bins: of equal width.
    """
    figure = _figure(4.6, 4.4)
    axes = figure.subplots()
    edges = np.linspace(0, 1, num_bins + 1)
    bins = np.clip(np.digitize(probability, edges) - 1, 0, num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins)
    filled = counts > 0
    middle = (edges[:-1] + edges[1:])[filled] / 2
    share = np.bincount(bins, right, num_bins)[filled] / counts[filled]
    axes.bar(middle, share, 1 / num_bins, color=_COLOURS["train"], alpha=0.75, edgecolor="white")
    on_white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # above the diagonal
    for x, y, count in zip(middle, share, counts[filled], strict=True):
        axes.annotate(str(count), (x, y), (0, 2), textcoords="offset points", ha="center",
                      fontsize=6, color="0.35", bbox=on_white)  # fmt: skip
    axes.plot([0, 1], [0, 1], color="0.4", linestyle=":", label="as right as sure")
    axes.set(xlim=(0, 1), ylim=(0, 1.06), title="Test photos by certainty (numbers: photos)",
             xlabel="how sure: calibrated probability", ylabel="how often right")  # fmt: skip
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, loc="upper left")
    return figure


def known_and_strangers(
    certainty: np.ndarray, outsider_certainty: np.ndarray, threshold: float
) -> Figure:
    """How sure the network was of people it knows and of strangers.

    Args:
        certainty: `(N,)` of photos of known people, in [0, 1]: see `calibration.certainty`.
        outsider_certainty: `(M,)` the same for strangers.
        threshold: what is not above it is called unknown.
    """
    figure = _figure(6.2, 3.6)
    axes = figure.subplots()
    edges = np.linspace(0, 1, 41).tolist()
    for values, stage, label in (
        (certainty, "train", "people it knows"),
        (outsider_certainty, "val", "strangers"),
    ):
        weights = np.full(len(values), 1 / max(len(values), 1))
        axes.hist(values, edges, weights=weights, color=_COLOURS[stage], alpha=0.65,
                  label=f"{label}: {len(values)} photos")  # fmt: skip
    top = axes.get_ylim()[1]
    axes.vlines(threshold, 0, top, "0.3", "--", label=f"threshold {threshold:.2f}")
    axes.set_ylim(0, 1.15 * top)  # room for the legend above the bars
    axes.set(xlim=(0, 1), xlabel="how sure: probability of the first name, before calibration",
             ylabel="share of photos", title="Known people and strangers, test photos")  # fmt: skip
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, loc="upper center", ncols=3, fontsize=8)
    return figure


def confusion_matrix(counts: np.ndarray, people: Sequence[str], most: int = 40) -> Figure:
    """Who was taken for whom.

    Args:
        counts: `(P, P)`, photos of the row's person named as the column's.
        people: names.
        most: with more people only those most often mistaken are shown.
    """
    chosen = np.arange(len(people))
    if len(people) > most:
        wrong = counts.sum(1) + counts.sum(0) - 2 * np.diag(counts)
        chosen = np.sort(np.argsort(-wrong, kind="stable")[:most])
    shown = counts[np.ix_(chosen, chosen)]
    share = shown / np.maximum(counts[chosen].sum(axis=1, keepdims=True), 1)
    written = lettering([people[int(i)].replace("_", " ") for i in chosen])
    names = written.texts
    # Laid out by hand, in inches: matplotlib would measure all names, which takes long.
    side = max(1.5, 0.19 * len(names))
    margin = 0.5 + 0.055 * max(max(len(name), cell_len(name)) for name in names)
    figure = _figure(margin + side + 1.1, margin + side + 0.45, layout=None)
    axes = _axes(figure, margin, margin, side, side)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])  # texts in their place are drawn sooner
    for i, name in enumerate(names):
        axes.text(i, len(names) - 0.3, name, rotation=90, ha="center", va="top", fontsize=7,
                  **written.style)  # fmt: skip
        axes.text(-0.7, i, name, ha="right", va="center", fontsize=7, **written.style)
    for row, column in zip(*np.nonzero(shown), strict=True):
        if row != column:
            axes.text(column, row, str(shown[row, column]), ha="center", va="center",
                      fontsize=7, color="crimson")  # fmt: skip
    title = "Who was taken for whom"
    if len(names) < len(people):
        title += f": the {len(names)} of {len(people)} people most often mistaken"
    axes.set_xlabel("named", labelpad=72 * (margin - 0.35))
    axes.set_ylabel("in the photo", labelpad=72 * (margin - 0.35))
    axes.set_title(title, y=1)
    bar = _axes(figure, margin + side + 0.2, margin + 0.1 * side, 0.15, 0.8 * side)
    figure.colorbar(image, cax=bar, label="share of the person's photos")
    return figure


def wrong_faces(
    windows: np.ndarray,
    named: Sequence[str],
    right: Sequence[str],
    probability: Sequence[float],
    num_photos: int,
) -> Figure:
    """Faces that were given a wrong name, the surest mistake first.

    Args:
        windows: `(F, H, W, 3)` uint8.
        named: the wrong name each got.
        right: the name it should have got.
        probability: how sure the network was, in [0, 1].
        num_photos: how many photos were looked at.
    """
    columns = min(6, max(3, len(windows)))
    written = lettering([name.replace("_", " ") for name in (*named, *right)])
    rows = max(1, -(-len(windows) // columns))
    width, height = 2.3, 2.25  # of a cell, inches
    figure = _figure(width * columns, height * rows + 0.4, layout=None)
    for i, window in enumerate(windows):
        row, column = divmod(i, columns)
        axes = _axes(figure, width * column + 0.3, height * (rows - 1 - row) + 0.1, 1.7, 1.7)
        axes.axis("off")
        axes.imshow(window, interpolation="bilinear")
        wrong, its_own = written.texts[i], written.texts[len(named) + i]
        text = f"named {wrong} ({probability[i]:.0%})\nis {its_own}"
        axes.set_title(text, fontsize=7, **written.style)
    found = f"{len(windows)} of" if len(windows) else "none of"
    figure.suptitle(f"Wrongly named: {found} {num_photos} photos", fontsize=10)
    return figure


def to_array(figure: Figure) -> np.ndarray:
    """A figure as picture `(H, W, 3)` uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    # No pyplot: it keeps figures alive and wants a screen.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout=layout)


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


class Panel(Protocol):
    """A measure, as far as its panel goes; those of `features.measures` are."""

    name: ClassVar[str]
    label: ClassVar[str]
    axis: ClassVar[str]


def progression(
    panels: Sequence[Panel],
    layers: Sequence[str],
    fields: Sequence[int],
    networks: Mapping[str, Mapping[str, np.ndarray]],
    lines: Mapping[str, Mapping[str, np.ndarray]],
) -> Figure:
    """Each measure from the first layer to the last, with 95 % intervals.

    Args:
        panels: the measures.
        layers: their names.
        fields: side of the receptive field of each, pixels.
        networks: name -> name of a measure -> `(L, 3)` value and its interval; NaN where there is
            none. The first is the network on trial, the others are controls.
        lines: name of a measure -> name -> `(L,)`: what the trained network's curve is made of.
    """
    columns = 2 if len(panels) <= 4 else 3
    rows = -(-len(panels) // columns)
    figure = _figure(5.5 * columns, 3.7 * rows)
    places = figure.subplots(rows, columns, squeeze=False).flat
    place = np.arange(len(layers))
    written = lettering(layers)
    # Panels first: zip asks them first, and takes no place once they are at an end.
    for panel, axes in zip(panels, places, strict=False):
        finer = lines.get(panel.name, {})
        for (name, line), colour in zip(finer.items(), cycle(_PARTS), strict=False):
            axes.plot(place, line, linewidth=1.2, color=colour, label=name)
        for (name, curves), style in zip(networks.items(), _LINES, strict=False):
            if panel.name in curves:
                value, low, high = curves[panel.name].T
                axes.plot(place, value, label=name, marker="o", markersize=4, **style)
                axes.fill_between(place, low, high, color=style["color"], alpha=0.15, linewidth=0)
        axes.set_title(panel.label, fontsize=12, fontweight="bold", loc="left")
        axes.set_ylabel(panel.axis, fontsize=9)
        labels = [f"{n}\n{f} px" for n, f in zip(written.texts, fields, strict=True)]
        axes.set_xticks(place, labels, fontsize=7.5, **written.style)
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7.5, ncols=2 if finer else 1)
    for axes in places:  # that no panel needs
        axes.set_visible(False)
    figure.supxlabel("layer, and the side of the image region that its units see", fontsize=9)
    return figure
