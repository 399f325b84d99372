from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facenet_demo.data.datamodule import DataSettings
from facenet_demo.data.sources import Folder
from facenet_demo.data.splits import SplitSettings
from facenet_demo.networks import FaceCNN, Torchvision
from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS, follow, parse, read_recipe
from facenet_demo.training.objectives import Margin, Naming, Numbers
from facenet_demo.training.optimization import SGD, AdamW, Schedule
from facenet_demo.training.parser import as_yaml, to_config, to_recipe
from facenet_demo.training.recipe import Recipe, RunSettings
from facenet_demo.training.train import train

VARIED = Recipe(
    data=DataSettings(Folder(Path("/photos")), window=48, split=SplitSettings(val=2)),
    network=Torchvision("mobilenet_v2", dropout=0.1),
    objective=Margin(margin=0.3),
    optimizer=AdamW(lr=0.01),
    schedule=Schedule("constant"),
    run=RunSettings(Path("elsewhere"), "mine", patience=3),
    trainer={"max_epochs": 7},
    seed=5,
)


@pytest.mark.parametrize("recipe", [Recipe(), VARIED])
def test_a_config_is_a_recipe_written_down(recipe: Recipe, tmp_path: Path) -> None:
    config = to_config(recipe)
    again = to_recipe(config)
    assert replace(again, trainer={}) == replace(recipe, trainer={})
    assert recipe.trainer.items() <= again.trainer.items()
    assert as_yaml(to_config(again)) == as_yaml(config)
    (tmp_path / "config.yaml").write_text(as_yaml(config).replace("elsewhere", "runs"))
    read = read_recipe(tmp_path / "config.yaml")
    assert replace(read, run=recipe.run, trainer={}) == replace(recipe, trainer={})


def test_the_shipped_config_reads_as_it_is_written() -> None:
    recipe = read_recipe(CONFIGS / "orl.yaml")
    assert recipe.network == FaceCNN((16, 24, 48, 96))
    assert recipe.data == DataSettings(
        face_scale=0.8, split=SplitSettings(val=1, test=5), batch_size=16
    )
    assert (recipe.optimizer, recipe.objective, recipe.seed) == (SGD(), Naming(), 0)
    assert recipe.trainer["max_epochs"] == 70


def test_the_objective_follows_the_target_unless_it_was_chosen() -> None:
    landmarks = DataSettings(target="landmarks")
    assert Recipe(data=landmarks).objective == Numbers()
    assert parse(["--data.target=number"]).recipe.objective == Numbers()
    with pytest.raises(ValueError, match="Margin learns person, and the data's target is land"):
        Recipe(data=landmarks, objective=Margin())
    with pytest.raises(UserError, match="Numbers learns landmarks or number"):
        parse(["--model.objective=Numbers"])


def test_python_and_the_command_line_train_the_same_network(
    people_folder: Path, tmp_path: Path
) -> None:
    recipe = Recipe(
        data=DataSettings(Folder(people_folder), split=SplitSettings(val=1, test=2)),
        network=FaceCNN((4, 8)),
        run=RunSettings(tmp_path / "a", draw_every=0),
        trainer={"max_epochs": 2, "enable_progress_bar": False, "accelerator": "cpu"},
        seed=3,
    )
    run = train(recipe)
    (tmp_path / "config.yaml").write_text(as_yaml(to_config(recipe)))
    other = follow([f"--config={tmp_path / 'config.yaml'}", f"--run.folder={tmp_path / 'b'}"])
    assert run.metrics["test/loss"] == other.metrics["test/loss"]
    ours, theirs = (load_checkpoint(each.folder).network.state_dict() for each in (run, other))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_a_class_that_no_config_can_name_is_refused_before_anything_is_made() -> None:
    class Hidden(FaceCNN):
        pass

    with pytest.raises(UserError, match="Hidden is defined inside a function"):
        to_config(Recipe(network=Hidden()))


def test_another_seed_is_another_split_too() -> None:
    other = Recipe().with_seed(4)
    assert (other.seed, other.data.split.seed) == (4, 4)
