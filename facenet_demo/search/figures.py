"""A search as pictures and a page: how it went, which settings mattered, what did well."""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from facenet_demo.pictures.lettering import lettering
from facenet_demo.search.space import Setting
from facenet_demo.search.study import best, counted
from facenet_demo.system.files import new_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE = "#1f77b4", "#ff7f0e"
_NOT_DRAWN = -0.15


def write_page(
    folder: Path,
    study: optuna.Study,
    space: Sequence[Setting],
    objective: str,
    result: Mapping[str, Any],
) -> None:
    """Write index.html and its pictures into `folder`.

    Args:
        folder: of the search.
        study: with at least one trial that came to its end.
        space: what was searched.
        objective: the figure the trials were judged by.
        result: what is said of the winner.
    """
    figures = {
        "history.png": ("How it went", history(study, objective)),
        "importance.png": ("Which settings mattered", importance(study)),
        "parallel.png": ("All trials, best ones dark", parallel(study, space, objective)),
        "slices.png": ("Each setting alone", slices(study, space, objective)),
    }
    for name, (_, figure) in figures.items():
        with new_file(folder / name) as temporary:
            figure.savefig(temporary, dpi=110)
    pictures = "".join(
        f'<h2>{title}</h2>\n<img src="{name}" alt="{title}">\n'
        for name, (title, _) in figures.items()
    )
    with new_file(folder / "index.html") as temporary:
        temporary.write_text(
            _PAGE.format(
                title=html.escape(folder.name),
                winner=_rows(result.items()),
                pictures=pictures,
                trials=_trials(study, objective),
            ),
            "utf-8",
        )


def history(study: optuna.Study, objective: str) -> Figure:
    """The figure of each trial in order, and the best so far."""
    figure = _figure(8, 3.6)
    axes = figure.subplots()
    trials = counted(study)
    done = _complete(trials)
    numbers, values = [t.number for t in done], [t.value for t in done]
    axes.plot(numbers, values, "o", color=_BLUE, label="trial")
    better = np.minimum if study.direction.name == "MINIMIZE" else np.maximum
    axes.step(numbers, better.accumulate(values), color=_ORANGE, where="post", label="best so far")
    for state, mark, label in (
        (TrialState.PRUNED, "|", "ended early: hopeless"),
        (TrialState.FAIL, "x", "failed"),
    ):
        others = [t.number for t in trials if t.state == state]
        if others:
            axes.plot(others, [min(values)] * len(others), mark, color="0.4", label=label)
    axes.set(xlabel="trial", ylabel=objective)
    axes.locator_params(axis="x", integer=True)
    if min(values) > 0 and max(values) > 10 * min(values):
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def importance(study: optuna.Study) -> Figure:
    """How much each setting explains of the differences between good trials and the others.

    By PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255), over the settings that all trials have.
    """
    figure = _figure(8, 3)
    axes = figure.subplots()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental, and says so
        try:
            found = optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
        except (ValueError, RuntimeError):  # too few trials, or all equally good
            found = {}
    if not found:
        axes.axis("off")
        axes.text(0.5, 0.5, "too few trials to tell", ha="center", va="center", color="0.4")
        return figure
    names = list(found)[::-1]
    places, written = range(len(names)), lettering(names)
    axes.barh(places, [found[name] for name in names], color=_BLUE)
    axes.set_yticks(places, written.texts, **written.style)
    axes.set(xlabel="share of importance")
    axes.grid(alpha=0.3, axis="x")
    return figure


def parallel(study: optuna.Study, space: Sequence[Setting], objective: str) -> Figure:
    """A line for each trial through its settings; the better, the darker."""
    figure = _figure(max(8, 1.7 * (len(space) + 1)), 4.2)
    axes = figure.subplots()
    done = _complete(counted(study))
    values = np.array([t.value for t in done])
    sign = 1 if study.direction.name == "MINIMIZE" else -1
    rank = np.argsort(np.argsort(sign * values)) / max(1, len(done) - 1)  # 0 is best
    for trial, place in sorted(zip(done, rank, strict=True), key=lambda pair: -pair[1]):
        heights = [_height(setting, trial.params.get(setting.name)) for setting in space]
        span = values.max() - values.min()
        heights.append((trial.value - values.min()) / span if span else 0.5)
        axes.plot(range(len(heights)), heights, color=_BLUE, alpha=float(0.9 - 0.8 * place),
                  linewidth=2.4 - 1.6 * place, marker="o", markersize=3)  # fmt: skip
    for i, setting in enumerate(space):
        axes.axvline(i, color="0.8", zorder=0)
        levels, texts = zip(*_ticks(setting), strict=True)
        written = lettering(texts)
        for height, text in zip(levels, written.texts, strict=True):
            axes.annotate(text, (i, height), (4, 0), textcoords="offset points", fontsize=7,
                          va="center", color="0.3", **written.style)  # fmt: skip
    axes.axvline(len(space), color="0.8", zorder=0)
    for height, value in ((0, values.min()), (1, values.max())):
        axes.annotate(f"{value:.3g}", (len(space), height), (4, 0), textcoords="offset points",
                      fontsize=7, va="center", color="0.3")  # fmt: skip
    written = lettering([setting.name.rpartition(".")[2] for setting in space] + [objective])
    axes.set_xticks(range(len(written.texts)), written.texts, **written.style)
    axes.set(yticks=[], xlim=(-0.3, len(space) + 0.5))
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def slices(study: optuna.Study, space: Sequence[Setting], objective: str) -> Figure:
    """The figure of every trial over each setting alone."""
    columns = min(3, len(space))
    rows = -(-len(space) // columns)
    figure = _figure(3.4 * columns, 2.6 * rows)
    done = _complete(counted(study))
    winner = best(study)
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if i >= len(space):
            axes.axis("off")
            continue
        _slice(axes, space[i], done, winner)
        written = lettering([space[i].name])
        axes.set_xlabel(written.texts[0], fontsize=8, **written.style)
        axes.set_ylabel(objective if i % columns == 0 else "")
        axes.grid(alpha=0.3)
    return figure


def _slice(axes: Axes, setting: Setting, done: Sequence[Any], winner: FrozenTrial) -> None:
    for trial in done:
        if setting.name in trial.params:
            value = trial.params[setting.name]
            place = setting.choices.index(value) if setting.choices else value
            best_one = trial.number == winner.number
            axes.plot(place, trial.value, "o", color=_ORANGE if best_one else _BLUE,
                      alpha=1 if best_one else 0.6, zorder=2 + best_one)  # fmt: skip
    if setting.kind == "log":
        axes.set_xscale("log")
    if setting.choices:
        written = lettering([str(choice) for choice in setting.choices])
        axes.set_xticks(range(len(written.texts)), written.texts, fontsize=7, **written.style)
        axes.set_xlim(-0.5, len(setting.choices) - 0.5)


def _height(setting: Setting, value: Any) -> float:
    """Where a value stands on its axis, 0 to 1, or below it if the setting was not drawn."""
    if value is None:
        return _NOT_DRAWN
    if setting.choices:
        return setting.choices.index(value) / max(1, len(setting.choices) - 1)
    if setting.kind == "log":
        return float(np.log(value / setting.low) / np.log(setting.high / setting.low))
    return (value - setting.low) / (setting.high - setting.low)


def _ticks(setting: Setting) -> list[tuple[float, str]]:
    values: Sequence[Any] = setting.choices or (setting.low, setting.high)
    ticks = [(_height(setting, v), f"{v:g}" if isinstance(v, float) else str(v)) for v in values]
    return [*ticks, (_NOT_DRAWN, "not used")] if setting.when else ticks


def _complete(trials: Sequence[FrozenTrial]) -> list[Any]:
    # Any: a complete trial has a value, which the type does not know.
    return [trial for trial in trials if trial.state == TrialState.COMPLETE]


def _trials(study: optuna.Study, objective: str) -> str:
    head = (
        f"<tr><th>trial</th><th>{html.escape(objective)}</th><th>seconds</th><th>settings</th></tr>"
    )
    lines = []
    for trial in counted(study):
        outcome = {TrialState.COMPLETE: f"{trial.value}", TrialState.PRUNED: "ended early"}.get(
            trial.state, str(trial.user_attrs.get("reason", trial.state.name.lower()))
        )
        settings = ", ".join(f"{name} {value}" for name, value in trial.params.items())
        cells = (trial.number, outcome, trial.user_attrs.get("seconds", ""), settings)
        lines.append("<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in cells) + "</tr>")
    return head + "\n".join(lines)


def _rows(items: Any) -> str:
    return "\n".join(
        f"<tr><th>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in items
    )


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }}
img {{ max-width: 100% }}
table {{ border-collapse: collapse; font-size: 13px }}
th, td {{ text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd;
         vertical-align: top }}
</style>
<h1>{title}</h1>
<h2>The winner</h2>
<p>Chosen on validation photos; its test score was measured once, after the search.</p>
<table>
{winner}
</table>
{pictures}<h2>Trials</h2>
<table>
{trials}
</table>
</html>
"""
