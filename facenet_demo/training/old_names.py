"""Settings as versions before 0.2 wrote them -> as they are called now.

Configs of runs that were made then still load, and flags that were typed then still hold, with a
hint; both for one version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facenet_demo.system.spelling import with_new_names

_MODULES = {
    "facenet_demo.datasets.": "facenet_demo.data.sources.",
    "facenet_demo.tasks.optimization.": "facenet_demo.training.optimization.",
}
_FLAGS = {"--model.label_smoothing": "--model.objective.label_smoothing"}


def renewed(content: Any) -> Any:
    """Plain values of a config, in the names of now."""
    if isinstance(content, str):
        for old, new in _MODULES.items():
            if content.startswith(old):
                return new + content.removeprefix(old)
        return content
    if isinstance(content, list):
        return [renewed(inner) for inner in content]
    if not isinstance(content, dict):
        return content
    content = {key: renewed(inner) for key, inner in content.items()}
    model = content.get("model")
    if isinstance(model, dict) and "label_smoothing" in model:
        share = model.pop("label_smoothing")
        naming = {"class_path": "Naming", "init_args": {"label_smoothing": share}}
        model.setdefault("objective", naming)
    return content


def renewed_flags(args: Sequence[str]) -> list[str]:
    """A command line in the names of now; says which are old."""
    return with_new_names(args, _FLAGS)
