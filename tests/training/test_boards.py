"""Read back what TensorBoard would show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from facenet_demo.training.cli import CONFIGS, follow
from facenet_demo.training.train import TrainedRun

EPOCHS = 4


@pytest.fixture(scope="module")
def run(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """Drawn people, 4 epochs, pictures every 2; read only."""
    return follow([
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people_folder}",
        f"--run.folder={tmp_path_factory.mktemp('runs')}", f"--trainer.max_epochs={EPOCHS}",
        "--run.draw_every=2", "--model.network.channels=[4,8]",
        "--trainer.enable_progress_bar=false",
    ])  # fmt: skip


def events(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0}).Reload()


@pytest.mark.parametrize("name", ["loss", "accuracy"])
def test_training_and_validation_share_a_chart(run: TrainedRun, name: str) -> None:
    for stage in ("train", "val"):
        points = events(run.folder / stage).Scalars(name)
        assert [point.step for point in points] == list(range(1, EPOCHS + 1))
        assert np.isfinite([point.value for point in points]).all()


def test_the_lowest_validation_loss_in_the_chart_is_that_of_the_weights_kept(
    run: TrainedRun,
) -> None:
    lowest = min(point.value for point in events(run.folder / "val").Scalars("loss"))
    rows = run.data.split.rows["val"]
    labels = torch.from_numpy(run.data.split.labels[rows])
    with torch.no_grad():
        losses = run.task.goal.loss(run.task.network.eval()(run.data.windows(rows)), labels)
    assert lowest == pytest.approx(losses.mean().item(), abs=1e-5)


def test_the_learning_rate_is_that_of_the_schedule(run: TrainedRun) -> None:
    rates = [point.value for point in events(run.folder / "train").Scalars("learning_rate")]
    task = run.task
    expected = [
        task.optimizer_settings.lr * task.schedule.factor((epoch + 1) / EPOCHS)
        for epoch in range(EPOCHS)
    ]
    assert rates == pytest.approx(expected, rel=1e-5)


def test_kernels_and_maps_are_drawn_at_the_start_and_every_second_epoch(run: TrainedRun) -> None:
    shown = events(run.folder)
    for tag in ("kernels", "maps/stages.0", "maps/stages.1"):
        assert [image.step for image in shown.Images(tag)] == [0, 2, 4]


def test_the_kernels_shown_last_are_those_of_the_last_checkpoint(
    run: TrainedRun, tmp_path: Path
) -> None:
    from facenet_demo.networks.checkpoints import load_checkpoint
    from facenet_demo.pictures import sheets

    kernels = load_checkpoint(run.folder / "checkpoints/last.ckpt").network.first_kernels
    (tmp_path / "a.png").write_bytes(events(run.folder).Images("kernels")[-1].encoded_image_string)
    with Image.open(tmp_path / "a.png") as shown:
        assert np.array_equal(np.asarray(shown), sheets.kernel_sheet(kernels.numpy()))


def test_every_page_of_tensorboard_has_something(run: TrainedRun) -> None:
    shown = events(run.folder)
    tags = shown.Tags()
    pictures = {"test/confusion_matrix", "test/wrongly_named", "test/reliability"}
    assert pictures <= set(tags["images"])
    assert "classifier.weight" in tags["histograms"]
    assert tags["graph"]
    assert {"what is where/text_summary", "everybody", "person/p0"} <= set(tags["tensors"])


def test_the_hyperparameters_stand_beside_their_score(run: TrainedRun) -> None:
    found: dict = {}
    for file in run.folder.glob("events.out.tfevents*"):
        metadata = EventAccumulator(str(file)).Reload().summary_metadata
        plugin = {k: v for k, v in metadata.items() if v.plugin_data.plugin_name == "hparams"}
        for value in plugin.values():
            data = plugin_data_pb2.HParamsPluginData.FromString(value.plugin_data.content)
            found |= dict(data.session_start_info.hparams)
    assert found["model.network.dropout"].number_value == 0.4
    assert found["model.network"].string_value.endswith("FaceCNN")
    assert found["max_epochs"].number_value == EPOCHS
    assert found["seed"].number_value == 0
    scalars = events(run.folder).Scalars("test/accuracy")
    assert scalars[-1].value == pytest.approx(run.metrics["test/accuracy"])


def test_the_projector_has_a_point_a_name_and_a_face_for_each_test_photo(run: TrainedRun) -> None:
    (labels,) = run.folder.rglob("metadata.tsv")
    (points,) = run.folder.rglob("tensors.tsv")
    (sprites,) = run.folder.rglob("sprite.png")
    rows = run.data.split.rows["test"]
    names = [run.data.people[label] for label in run.data.split.labels[rows]]
    assert labels.read_text().split() == names
    # 8 units, averaged to a grid of 2 x 2.
    assert np.loadtxt(points).shape == (len(rows), 8 * 2 * 2)
    side = int(np.ceil(np.sqrt(len(rows))))
    with Image.open(sprites) as sheet:
        assert sheet.size == (48 * side, 48 * side)


def test_drawing_does_not_change_training(people_folder: Path, tmp_path: Path) -> None:
    kernels = []
    for draw_every in (0, 1):
        other = follow([
            f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people_folder}",
            f"--run.folder={tmp_path}", "--trainer.max_epochs=2", f"--run.draw_every={draw_every}",
            "--model.network.channels=[4,8]", "--trainer.enable_progress_bar=false",
        ])  # fmt: skip
        kernels.append(other.task.network.first_kernels)
    assert torch.equal(*kernels)


def test_of_a_network_of_tokens_only_what_has_maps_is_drawn(
    people_folder: Path, tmp_path: Path
) -> None:
    run = follow([
        f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people_folder}",
        f"--run.folder={tmp_path}", "--trainer.max_epochs=1", "--run.draw_every=1",
        "--model.network=Torchvision", "--model.network.name=swin_t", "--data.window=32",
        "--trainer.enable_progress_bar=false",
    ])  # fmt: skip
    drawn = {tag for tag in events(run.folder).Tags()["images"] if tag.startswith("maps/")}
    # Its features have the units last, (B, h, w, U).
    assert drawn == {"maps/body.permute", "maps/body.avgpool"}
