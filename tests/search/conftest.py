from __future__ import annotations

from pathlib import Path

import pytest

SPACE = """
model.optimizer.lr: {log: [0.001, 0.3], points: 3}
model.network.dropout: {float: [0, 0.4], step: 0.2}
"""


@pytest.fixture
def space_file(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path
