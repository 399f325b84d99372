from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_training import make_trainer
from torch.utils.data import DataLoader

from facenet_demo.data.datamodule import DataSettings, FaceDataModule
from facenet_demo.data.facts import Facts
from facenet_demo.data.records import Batch
from facenet_demo.data.sources import ORL
from facenet_demo.data.splits import SplitSettings
from facenet_demo.data.targets import LANDMARKS
from facenet_demo.networks import FaceCNN
from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, follow
from facenet_demo.training.objectives.numbers import Numbers, normalised_error
from facenet_demo.training.task import FaceTask


def test_the_error_is_counted_in_eye_distances() -> None:
    wanted = torch.tensor([[[0.2, 0.3], [0.6, 0.6], [0.5, 0.6], [0.3, 0.8], [0.7, 0.8]]])
    moved = wanted.clone()
    moved[0, 2] += torch.tensor([0.3, 0.4])  # by 0.5, the distance of the eyes
    found = normalised_error(moved.flatten(1), wanted.flatten(1))
    assert found.tolist() == pytest.approx([1 / 5])


@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_metrics_equal_those_by_hand_for_any_batch_size(batch_size: int) -> None:
    torch.manual_seed(0)
    mean, std = torch.rand(10), torch.rand(10) + 0.5
    statistics = (mean.tolist(), std.tolist())
    facts = Facts(LANDMARKS, 16, 1.0, ([0.5] * 3, [0.25] * 3), statistics)
    task = FaceTask(facts, FaceCNN((4, 8), dropout=0.0), Numbers())
    images, targets = torch.rand(20, 3, 16, 16), torch.rand(20, 10)
    labels = torch.zeros(20, dtype=torch.int64)
    labels[13] = -1  # fills up a batch, and counts nowhere
    photos = [Batch(*v) for v in zip(images, labels, torch.arange(20), targets, strict=True)]
    trainer = make_trainer()
    trainer.test(task, DataLoader(photos, batch_size), verbose=False)
    found = {name: float(value) for name, value in trainer.callback_metrics.items()}
    real = labels == 0
    with torch.no_grad():
        answers, wanted = task.eval()(images)[real], targets[real]
    assert found == pytest.approx({
        "test/loss": float((((answers - wanted) / std) ** 2).mean()),
        "test/rmse": float(((answers - wanted) ** 2).mean().sqrt()),
        "test/nme": float(normalised_error(answers, wanted).mean()),
        "test/nme_of_mean_shape": float(normalised_error(mean.expand(19, 10), wanted).mean()),
    }, rel=1e-4)  # fmt: skip


def landmark_data(**settings: object) -> FaceDataModule:
    return DataSettings(
        ORL(), split=SplitSettings(val=6, test=10), target="landmarks", **settings
    ).build()


def test_what_it_is_judged_by_is_moved_and_does_not_depend_on_the_batch() -> None:
    data = landmark_data()
    rows = data.split.rows["test"][:6]
    images = torch.from_numpy(data.crops.images[rows]).permute(0, 3, 1, 2)
    windows, theta = data.evaluation_windows(images, rows)
    alone, theta_alone = data.evaluation_windows(images[3:4], rows[3:4])
    torch.testing.assert_close(windows[3:4], alone)
    torch.testing.assert_close(theta[3:4], theta_alone)
    assert (torch.linalg.det(theta[:, :, :2]) > 0).all()
    places = data.target.values(rows, theta).unflatten(1, (5, 2))
    assert places.std(0).min() > 0.005
    assert (places[:, 0, 0] < places[:, 1, 0]).all()  # left eye, right eye
    people = {
        stage: {data.crops.people[r] for r in rows} for stage, rows in data.split.rows.items()
    }
    assert not people["train"] & people["test"]


def test_the_shipped_config_beats_the_mean_shape(tmp_path: Path) -> None:
    run = follow([
        f"--config={CONFIGS / 'orl_landmarks.yaml'}", f"--run.folder={tmp_path}",
        "--trainer.max_epochs=8", "--run.draw_every=4", "--trainer.enable_progress_bar=false",
    ])  # fmt: skip
    rows = run.data.split.rows["test"]
    images = torch.from_numpy(run.data.crops.images[rows]).permute(0, 3, 1, 2)
    windows, theta = run.data.evaluation_windows(images, rows)
    wanted = run.data.target.values(rows, theta)
    assert run.metrics["test/nme"] < run.metrics["test/nme_of_mean_shape"] / 1.5
    # The checkpoint alone answers the same.
    trained = load_checkpoint(run.folder / "checkpoints/best.ckpt")
    assert trained.people == list(LANDMARKS)
    mean, std = (torch.tensor(v) for v in trained.target_statistics)
    with torch.no_grad():
        answers = trained.network(windows) * std + mean
    assert float(normalised_error(answers, wanted).mean()) == pytest.approx(
        run.metrics["test/nme"], rel=1e-4
    )


def test_a_data_set_without_numbers_says_so(people_folder: Path, tmp_path: Path) -> None:
    args = [f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people_folder}",
            f"--run.folder={tmp_path}", "--data.target=number", "--data.split.val=1",
            "--data.split.test=1"]  # fmt: skip
    with pytest.raises(UserError, match="knows no number of its photos"):
        follow(args)
