"""The commands: which module each runs, and how somebody calls it.

    raise SystemExit(train())        # scripts/train.py, and facenet-train where it is installed
    as_called("To go on: python scripts/train.py --resume runs/...")

Nothing heavy may be imported here, as in `start`.
"""

from __future__ import annotations

import re
import shlex
import sys
from functools import partial
from pathlib import Path

from facenet_demo.system.start import start

train = partial(start, "facenet_demo.training.cli")
visualize = partial(start, "facenet_demo.visualize.command")
predict = partial(start, "facenet_demo.predict.command")
tune = partial(start, "facenet_demo.search.command")
export = partial(start, "facenet_demo.predict.export_command")
benchmark = partial(start, "facenet_demo.benchmarks.command")  # a script only


def as_called(text: str) -> str:
    """A text with each `python scripts/NAME.py` as this process was called, or facenet-NAME."""
    return re.sub(r"python scripts/(\w+)\.py", lambda found: _called(found[1]), text)


def _called(name: str) -> str:
    own = Path(sys.argv[0])
    if own.parent.name == "scripts" and own.suffix == ".py":
        return f"python {shlex.quote(str(own.with_name(f'{name}.py')))}"
    return f"facenet-{name}"  # which a notebook's environment has, too
