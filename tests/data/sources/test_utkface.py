from __future__ import annotations

from pathlib import Path

import pytest
from drawing import draw_face
from PIL import Image

from facenet_demo.data.sources import UTKFace
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, follow

# The layout of the real ones; the last lacks a part, as three of them do.
NAMES = {
    "part1/25_0_1_20170116174525125.jpg.chip.jpg": 25,
    "part1/1_1_0_20161219140623097.jpg.chip.jpg": 1,
    "part2/116_1_0_20170120134744096.jpg.chip.jpg": 116,
    "part2/61_1_20170109142408075.jpg.chip.jpg": 61,
}


def test_the_age_is_in_the_name(tmp_path: Path) -> None:
    for name in [*NAMES, "readme.txt", "part1/face.jpg"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = {str(s.path.relative_to(tmp_path)): s.number for s in UTKFace(tmp_path).samples()}
    assert found == NAMES
    assert len({s.person for s in UTKFace(tmp_path).samples()}) == 4


def test_what_is_no_utkface(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`data\.source\.root`"):
        list(UTKFace().samples())
    with pytest.raises(UserError, match="is no folder"):
        list(UTKFace(tmp_path / "nix").samples())
    with pytest.raises(UserError, match="begins with an age"):
        list(UTKFace(tmp_path).samples())


def test_the_shipped_config_learns_ages(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for i in range(20):
        Image.fromarray(draw_face(i)).save(tmp_path / f"faces/{i + 5}_0_1_{i}.jpg.chip.jpg")
    run = follow([
        f"--config={CONFIGS / 'utkface.yaml'}", f"--data.source.root={tmp_path / 'faces'}",
        f"--run.folder={tmp_path}", "--trainer.max_epochs=2", "--trainer.enable_progress_bar=false",
    ])  # fmt: skip
    rows = run.data.split.rows
    assert {stage: len(rows[stage]) for stage in rows} == {"train": 16, "val": 2, "test": 2}
    mean, _ = run.data.target_statistics
    ages = [int(Path(run.data.crops.files[row]).name.split("_")[0]) for row in rows["train"]]
    assert mean == pytest.approx([sum(ages) / len(ages)])
    assert 0 < run.metrics["test/rmse"] < 30
    assert "test/nme" not in run.metrics
