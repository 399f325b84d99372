"""The last checkpoint of a run that somebody else made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facenet_demo.system.errors import UserError
from facenet_demo.training.interruption import MovableCheckpoint, read_progress


@pytest.mark.parametrize("key", ["best_model_path", "kth_best_model_path", "best_k_models"])
def test_a_checkpoint_does_not_lead_out_of_its_folder(key: str, tmp_path: Path) -> None:
    """Lightning removes what is no longer the best, folders too."""
    away = "/runs/a/checkpoints/../../../home"
    state = {"dirpath": "/runs/a/checkpoints", key: {away: 1.0} if "models" in key else away}
    loops = {"fit_loop": {"epoch_progress": {"current": {"processed": 1}}}}
    content = {"loops": loops, "global_step": 1, "callbacks": {"ModelCheckpoint{}": state}}
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="outside of its folder"):
        read_progress(tmp_path / "last.ckpt")
    torch.save({**content, "callbacks": {}}, tmp_path / "last.ckpt")
    assert read_progress(tmp_path / "last.ckpt").epochs == 1


def test_a_moved_checkpoint_names_files_of_its_own_folder(tmp_path: Path) -> None:
    callback = MovableCheckpoint(tmp_path)
    places = dict.fromkeys(
        ("best_model_path", "kth_best_model_path", "last_model_path"), "/x/../../home/best.ckpt"
    )
    callback.load_state_dict({**MovableCheckpoint("/x").state_dict(), **places})
    assert callback.best_model_path == str(tmp_path / "best.ckpt")


def test_what_is_gone_on_from_asks_for_no_more_than_it_holds(tmp_path: Path) -> None:
    torch.save({"loops": bytearray(8)}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="bytearray for more than it holds"):
        read_progress(tmp_path / "last.ckpt")
