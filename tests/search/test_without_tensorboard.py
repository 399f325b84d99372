from __future__ import annotations

from pathlib import Path

from small_search import small

from facenet_demo.search.space import read_space
from facenet_demo.search.study import Search


def test_trials_do_without_tensorboard(
    people_folder: Path, space_file: Path, tmp_path: Path
) -> None:
    args = [*small(people_folder, epochs=1), "--trainer.logger=false"]
    search = Search(args, read_space(space_file), tmp_path / "s", num_trials=1, prune=False)
    (tmp_path / "s").mkdir()
    study = search.open()
    search.work(study)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]
    assert not list(tmp_path.rglob("events.out.tfevents.*"))
