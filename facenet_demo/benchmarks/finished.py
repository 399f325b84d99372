"""What an earlier call of a benchmark has measured already."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from facenet_demo.system.errors import UserError

Row = TypeVar("Row")


def read_finished(output: Path, name: str, row: Callable[..., Row]) -> list[Row]:
    """The rows under `name` in a JSON file of results, each made by `row`; none without a file.

    Raises:
        UserError: if it is another file.
    """
    if not output.exists():
        return []
    try:
        return [row(**values) for values in json.loads(output.read_text("utf-8"))[name]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{output} is no result of this benchmark ({error}). Name another `output`."
        ) from error
