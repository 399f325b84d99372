from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Timer

from facenet_demo.data.datamodule import DataSettings
from facenet_demo.data.sources import ORL, Folder
from facenet_demo.data.splits import SplitSettings
from facenet_demo.data.windows import AugmentSettings
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
    assert logging.getLogger("lightning.pytorch").level == logging.WARNING, "as quiet as a command"
    assert run.metrics["test/loss"] == other.metrics["test/loss"]
    ours, theirs = (load_checkpoint(each.folder).network.state_dict() for each in (run, other))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


# A mistake ends in a sentence, as it is made


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Recipe(trainer={"max_epoch": 3}), "max_epoch. Did you mean max_epochs?"),
        (lambda: Recipe(trainer={"epochs_of_gold": 3}), "Trainer has no argument epochs_of_gold."),
        (lambda: Recipe(trainer=["max_epochs"]), "Recipe.trainer must be Mapping[str, Any], not ["),
        (lambda: Recipe(data="orl"), "Recipe.data must be DataSettings(...), not 'orl'."),
        (lambda: Recipe(data=Folder("x")), "It is the source of one: DataSettings(source=...)."),
        (lambda: Recipe(network=FaceCNN), "not the class FaceCNN. Make one of it: FaceCNN(...)."),
        (lambda: Recipe(network="FaceCNN"), "FaceCNN(...)"),
        (lambda: Recipe(network=Torchvision(18)), "Torchvision.name must be str, not 18."),
        (lambda: Recipe(objective="margin"), "Margin(...), Naming(...)"),
        (lambda: Recipe(optimizer=torch.optim.SGD), "must be AdamW(...) or SGD(...), not the"),
        (lambda: Recipe(run="runs"), "Recipe.run must be RunSettings(...), not 'runs'."),
        (lambda: Recipe(seed="1"), "Recipe.seed must be int | bool, not '1'."),
        (lambda: Recipe(seed=-1), "`seed` must be 0 or more, not -1."),
        (lambda: DataSettings(target="faces"), "must be 'person', 'landmarks' or 'number', not"),
        (lambda: DataSettings(window="64"), "DataSettings.window must be int, not '64'."),
        (lambda: DataSettings(source=ORL), "not the class ORL. Make one of it: ORL(...)."),
        (lambda: SplitSettings(val="2"), "SplitSettings.val must be float, not '2'."),
        (lambda: AugmentSettings(flip="no"), "AugmentSettings.flip must be float, not 'no'."),
        (lambda: FaceCNN(channels=8), "FaceCNN.channels must be tuple[int, ...], not 8."),
        (lambda: FaceCNN(activation="rely"), "FaceCNN.activation must be 'relu', 'leaky_relu',"),
        (lambda: SGD(lr="0.1"), "SGD.lr must be float, not '0.1'."),
        (lambda: Schedule("cosin"), "Schedule.name must be 'one_cycle', 'cosine' or 'constant',"),
        (lambda: Naming("much"), "Naming.label_smoothing must be float, not 'much'."),
        (lambda: Margin(margin="much"), "margin must be float, not 'much'."),
        (lambda: RunSettings(patience=2.5), "RunSettings.patience must be int, not 2.5."),
        (lambda: train(["--config=orl"]), "A training is made from a Recipe, not from list."),
        (lambda: train(Recipe(), callbacks="x"), "list of Lightning's callbacks, not 'x'."),
        (lambda: train(Recipe(), callbacks=[Timer]), "must be a list of Lightning's callbacks"),
        (lambda: train(Recipe(), callbacks=Timer()), "must be a list of Lightning's callbacks"),
        (lambda: train(Recipe(), resume="gone"), "There is no run to go on with in gone"),
        (lambda: train(Recipe(trainer={"max_epochs": "three"})), "trainer.max_epochs"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_a_sentence(make: Callable[[], object], said: str) -> None:
    with pytest.raises((TypeError, ValueError, UserError)) as caught:
        make()
    assert said in str(caught.value)
    assert "facenet_demo" in traceback.extract_tb(caught.value.__traceback__)[-1].filename
    assert caught.value.__cause__ is None


def test_texts_and_lists_will_do_for_paths_and_tuples() -> None:
    recipe = Recipe(
        data=DataSettings(Folder("photos")), network=FaceCNN([4, 8]), run=RunSettings("elsewhere")
    )
    assert recipe == Recipe(
        data=DataSettings(Folder(Path("photos"))),
        network=FaceCNN((4, 8)),
        run=RunSettings(Path("elsewhere")),
    )


def test_a_class_of_a_script_is_to_be_moved_where_others_find_it(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model: {network: {class_path: __main__.Tiny}}")
    with pytest.raises(UserError, match=r"Tiny, which was defined in a script or notebook.* Move"):
        read_recipe(config)


def test_a_class_that_no_config_can_name_is_refused_before_anything_is_made() -> None:
    class Hidden(FaceCNN):
        pass

    with pytest.raises(UserError, match="Hidden is defined inside a function"):
        to_config(Recipe(network=Hidden()))


def test_another_seed_is_another_split_too() -> None:
    other = Recipe().with_seed(4)
    assert (other.seed, other.data.split.seed) == (4, 4)
