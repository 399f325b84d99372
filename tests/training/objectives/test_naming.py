from __future__ import annotations

from dataclasses import replace

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, top_k_accuracy_score
from small_training import make_trainer
from torch.utils.data import DataLoader

from facenet_demo.data.facts import Facts
from facenet_demo.data.records import PADDED, STRANGER, Batch
from facenet_demo.networks import FaceCNN
from facenet_demo.training.objectives import Naming
from facenet_demo.training.optimization import SGD, Schedule
from facenet_demo.training.task import FaceTask

NUM_PEOPLE, WINDOW = 7, 16
PEOPLE = [f"p{i}" for i in range(NUM_PEOPLE)]


FACTS = Facts(PEOPLE, WINDOW, 1.0, ([0.5] * 3, [0.25] * 3))


def make_task(facts: Facts = FACTS, **settings: object) -> FaceTask:
    torch.manual_seed(0)
    return FaceTask(facts, FaceCNN(channels=(4, 8), dropout=0.0), **settings)


def loader(num_photos: int, batch_size: int) -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(num_photos, 3, WINDOW, WINDOW, generator=generator)
    labels = torch.randint(NUM_PEOPLE, (num_photos,), generator=generator)
    rows = torch.arange(num_photos)
    photos = [Batch(*values) for values in zip(images, labels, rows, strict=True)]
    return DataLoader(photos, batch_size)


@pytest.mark.parametrize("batch_size", [1, 7, 30])
def test_metrics_equal_scikit_learns_for_any_batch_size(batch_size: int) -> None:
    task, photos = make_task(), loader(30, batch_size)
    trainer = make_trainer()
    trainer.test(task, photos, verbose=False)
    found = {name: float(value) for name, value in trainer.callback_metrics.items()}

    images, labels = (torch.stack(v) for v in list(zip(*photos.dataset, strict=True))[:2])
    with torch.no_grad():
        _, scores = task.eval().network.recognize(images)
    named = scores.argmax(1)
    expected = {
        "test/accuracy": np.mean((named == labels).numpy()),
        "test/top5_accuracy": top_k_accuracy_score(labels, scores, k=5, labels=range(NUM_PEOPLE)),
        "test/macro_f1": f1_score(labels, named, average="macro"),
        "test/loss": torch.nn.functional.cross_entropy(scores, labels, label_smoothing=0.1).item(),
    }
    assert found == pytest.approx(expected, abs=1e-5)


class Recorded(pl.Callback):
    """What callbacks see at the end of each epoch, and what was given to the loss."""

    def __init__(self) -> None:
        self.metrics: list[dict[str, float]] = []
        self.losses: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer, module, outputs, *args: object) -> None:  # noqa: ANN001
        self.losses.append(outputs["loss"])

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.metrics.append(values)


@pytest.mark.parametrize("max_steps", [-1, 5])
def test_an_epoch_counts_its_own_steps_also_where_it_ends_early(max_steps: int) -> None:
    task, recorded = make_task(), Recorded()
    trainer = make_trainer(max_epochs=2, max_steps=max_steps, callbacks=[recorded])
    photos = loader(9, 4)
    trainer.fit(task, loader(12, 4), photos)
    losses = [recorded.losses[:3], recorded.losses[3:]]
    assert len(losses[1]) == (3 if max_steps < 0 else 2)
    assert [found["train/loss"] for found in recorded.metrics] == [
        pytest.approx(torch.stack(steps).mean().item()) for steps in losses
    ]
    if max_steps < 0:  # else the epoch ended before its validation
        images, labels = (torch.stack(v) for v in list(zip(*photos.dataset, strict=True))[:2])
        with torch.no_grad():
            losses = task.eval().goal.loss(task.network(images), labels)
        assert recorded.metrics[1]["val/loss"] == pytest.approx(losses.mean().item())


def test_label_smoothing_is_the_one_of_cross_entropy() -> None:
    logits, labels = torch.randn(5, NUM_PEOPLE), torch.arange(5)
    share = 0.2
    wanted = torch.nn.functional.one_hot(labels, NUM_PEOPLE) * (1 - share) + share / NUM_PEOPLE
    by_hand = -(wanted * logits.log_softmax(1)).sum(1).mean()
    loss = Naming(share).build(FACTS).loss(logits, labels).mean()
    torch.testing.assert_close(loss, by_hand)


def test_the_answer_to_a_stranger_is_everybody_alike_and_padding_costs_nothing() -> None:
    logits = torch.randn(4, NUM_PEOPLE, requires_grad=True)
    labels = torch.tensor([2, STRANGER, PADDED, STRANGER])
    loss = Naming(0.2).build(FACTS).loss(logits, labels)
    chances = logits.softmax(1)
    for row in (1, 3):
        alike = torch.full((NUM_PEOPLE,), 1 / NUM_PEOPLE)
        expected = torch.nn.functional.cross_entropy(logits[row], alike)
        torch.testing.assert_close(loss[row], expected)
    assert loss[2] == 0
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    torch.testing.assert_close(gradient[1], chances[1] - 1 / NUM_PEOPLE)
    assert not gradient[2].any()


def test_strangers_teach_but_do_not_count() -> None:
    task = make_task()
    images, labels = torch.rand(6, 3, WINDOW, WINDOW), torch.tensor([0, 1, 2, 3, 4, 5])
    mixed = labels.clone()
    mixed[3:] = STRANGER
    task.eval()
    with_strangers = task._step(Batch(images, mixed, labels), "train")["loss"]
    found = {name: float(metric.compute()) for name, metric in task._metrics("train").items()}
    task._reset("train")
    task._step(Batch(images[:3], labels[:3], labels[:3]), "train")
    alone = {name: float(metric.compute()) for name, metric in task._metrics("train").items()}
    assert found == pytest.approx(alone)
    assert with_strangers.item() != pytest.approx(alone["loss"])


def test_pixel_statistics_become_the_networks_normalization() -> None:
    task = make_task(replace(FACTS, pixel_statistics=([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])))
    assert task.network.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert task.network.std.flatten().tolist() == pytest.approx([0.4, 0.5, 0.6])


def test_the_schedule_ends_with_the_last_step() -> None:
    task = make_task(optimizer=SGD(lr=0.1), schedule=Schedule("cosine"))
    trainer = make_trainer(max_epochs=3)
    trainer.fit(task, loader(10, 4))
    rate = trainer.optimizers[0].param_groups[0]["lr"]
    assert rate == pytest.approx(0.1 * 0.001)


def test_it_learns_by_heart_what_it_sees_often() -> None:
    # Noise as symmetric as faces roughly are: it is tested together with its mirror image.
    photos = [p._replace(images=p.images + p.images.flip(-1)) for p in loader(14, 14).dataset]
    photos = DataLoader(photos, 14)
    task = make_task(optimizer=SGD(lr=0.1, weight_decay=0.0, first_layer_weight_decay=0.0))
    trainer = make_trainer(max_epochs=200)
    trainer.fit(task, photos)
    trainer.test(task, photos, verbose=False)
    assert trainer.callback_metrics["test/accuracy"] == 1
