from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from lightning.pytorch.loggers import CSVLogger
from small_training import config_of

from facenet_demo.search import command as search
from facenet_demo.system.errors import UserError
from facenet_demo.training import cli as training
from facenet_demo.training import trust
from facenet_demo.training.cli import configured_data, parse
from facenet_demo.training.parser import as_yaml
from facenet_demo.visualize import command as visualize

LAMBDA = "lightning.pytorch.callbacks.LambdaCallback"
# A module whose import alone can be seen.
SPY = """
from pathlib import Path
from lightning.pytorch.callbacks import Callback

Path(__file__).with_suffix(".imported").touch()

class Spy(Callback):
    def __init__(self, path: str = "") -> None:
        if path:
            Path(path).touch()

def spy(path: str) -> Callback:
    return Spy(path)
"""


def written(folder: Path, content: dict) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that lies in the working folder; each test has its own."""
    name = "spy_" + str(abs(hash(tmp_path)))
    (tmp_path / f"{name}.py").write_text(SPY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return name


def was_imported(name: str) -> bool:
    return Path(f"{name}.imported").exists()


# What a config may not name


@pytest.mark.parametrize(
    "setup",
    [
        "os.system",
        "builtins.exec",
        "torch.hub.load",
        "torch.utils.cpp_extension.load_inline",
        "facenet_demo.system.files.shutil.rmtree",  # reached through a module of this package
        "facenet_demo.training.cli.main",
        {"class_path": "subprocess.getoutput", "init_args": {"cmd": "touch ran"}},
        {"class_path": "functools.partial", "init_args": {"func": "os.system"}},
        {"class_path": "torch.nn.Linear", "init_args": {"in_features": 1, "out_features": 1}},
    ],
    ids=str,
)
def test_a_config_names_nothing_that_could_run_a_command(
    setup: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    callback = {"class_path": LAMBDA, "init_args": {"setup": setup}}
    for callbacks in (callback, [callback]):
        config = written(tmp_path, {"trainer": {"callbacks": callbacks}})
        with pytest.raises(UserError, match=r"A file names .* not part of this program"):
            parse([f"--config={config}"])
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("place", ["model.network", "data.source", "model.optimizer", "callbacks"])
def test_a_module_that_a_config_names_is_not_imported(
    place: str, spy: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    named = {"class_path": f"{spy}.Spy", "init_args": {"path": "ran"}}
    content = {
        "callbacks": {"trainer": {"callbacks": [named]}},
        "model.network": {"model": {"network": f"{spy}.Spy"}},
        "model.optimizer": {"model": {"optimizer": named}},
        "data.source": {"data": {"source": named}},
    }[place]
    config = written(tmp_path, content)
    assert training.main([f"--config={config}"]) == 2
    assert training.main(["--resume", str(tmp_path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.count(f"--import {spy}") == 2
    if place == "data.source":
        with pytest.raises(UserError, match=spy):
            configured_data(config)
    assert not was_imported(spy)
    assert not Path("ran").exists()


def test_neither_does_a_search_space(
    spy: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    space = tmp_path / "space.yaml"
    for value in ("{choice: ['" + f'{{"class_path": "{spy}.Spy"}}' + "']}",
                  "{choice: [{class_path: " + f"{spy}.Spy" + "}]}"):  # fmt: skip
        space.write_text(f"trainer.callbacks: {value}")
        assert search.main(["--space", str(space), "--folder", str(tmp_path / "search")]) == 2
        said = "".join(capsys.readouterr().err.split())  # lines may break within a path
        assert "space.yaml,line1" in said
        assert f"--import{spy}" in said
    assert not was_imported(spy)


def test_a_second_file_that_a_config_names_is_looked_at_too(spy: str, tmp_path: Path) -> None:
    (tmp_path / "callbacks.yaml").write_text(f"class_path: {spy}.Spy")
    (tmp_path / "away.yaml").write_text("class_path: ModelCheckpoint\ninit_args: {dirpath: /x}")
    for name in ("callbacks.yaml", "away.yaml"):
        with pytest.raises(UserError):
            parse([f"--config={written(tmp_path, {'trainer': {'callbacks': [name]}})}"])
    assert not was_imported(spy)


def test_a_function_of_an_imported_module_is_not_called_in_place_of_a_class(
    spy: str, tmp_path: Path
) -> None:
    named = {"class_path": "torchvision.models.get_model", "init_args": {"name": "resnet18"}}
    with pytest.raises(UserError, match="A file names"):
        parse([f"--config={written(tmp_path, {'trainer': {'callbacks': [named]}})}"])


# What somebody allows


def test_import_lets_a_config_name_a_module(spy: str, tmp_path: Path) -> None:
    config = written(tmp_path, {"trainer": {"callbacks": [{"class_path": f"{spy}.Spy"}]}})
    parsed = config_of([f"--import={spy}", f"--config={config}"])
    assert was_imported(spy)
    assert parsed.trainer.callbacks[0].class_path == f"{spy}.Spy"


def test_import_finds_modules_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    (tmp_path / "lies_here.py").write_text("")
    trust.allow(["lies_here"])
    with pytest.raises(UserError, match="lies_elsewhere cannot be imported: No module named"):
        trust.allow(["lies_elsewhere"])


def test_visualize_takes_import_too(
    spy: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = written(tmp_path, {"data": {"source": {"class_path": f"{spy}.Nobody"}}})
    with pytest.raises(UserError, match=f"allow the module {spy}"):
        configured_data(config)
    with pytest.raises(UserError, match="Nobody"):
        configured_data(config, [spy])
    assert was_imported(spy)
    with pytest.raises(SystemExit):
        visualize.main(["--help"])
    assert "--import MODULE" in capsys.readouterr().out


def test_what_is_typed_may_name_any_module(spy: str, tmp_path: Path) -> None:
    for typed in (
        [f"--trainer.callbacks={spy}.Spy"],
        [f'--trainer.callbacks=[{{"class_path": "{spy}.Spy"}}]'],
        ["--trainer.callbacks", f"{spy}.Spy"],
    ):
        callbacks = config_of(typed).trainer.callbacks
        (callback,) = callbacks if isinstance(callbacks, list) else [callbacks]
        assert callback.class_path == f"{spy}.Spy"


def test_what_a_space_says_is_not_typed(spy: str) -> None:
    with pytest.raises(UserError, match=f"allow the module {spy}"):
        parse([f"--trainer.callbacks={spy}.Spy"], typed=[])


def test_callbacks_and_loggers_of_lightning_that_stay_here_are_built(tmp_path: Path) -> None:
    content = {
        "trainer": {
            "callbacks": [
                {"class_path": "lightning.pytorch.callbacks.LearningRateMonitor"},
                {"class_path": "EarlyStopping", "init_args": {"monitor": "val/loss"}},
                {"class_path": "ModelCheckpoint", "init_args": {"dirpath": "more"}},
            ],
            "logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "logs"}},
        }
    }
    parsed = config_of([f"--config={written(tmp_path, content)}"])
    assert len(parsed.trainer.callbacks) == 3
    assert parsed.trainer.logger.class_path.endswith(CSVLogger.__name__)


@pytest.mark.parametrize("name", ["WandbLogger", "MLFlowLogger", "CometLogger"])
def test_a_logger_that_sends_data_away_must_be_typed(name: str, tmp_path: Path) -> None:
    config = written(tmp_path, {"trainer": {"logger": f"lightning.pytorch.loggers.{name}"}})
    with pytest.raises(UserError, match=f"`trainer.logger` {name}"):
        parse([f"--config={config}"])
    parse([f"--config={config}", f"--trainer.logger={name}"])


def test_the_name_of_a_config_opens_nothing(spy: str, tmp_path: Path) -> None:
    config = tmp_path / f"{spy}.yaml"
    config.write_text(yaml.safe_dump({"trainer": {"callbacks": [{"class_path": f"{spy}.Spy"}]}}))
    for typed in ([f"--config={spy}.yaml"], ["--config", f"{spy}.yaml"]):
        with pytest.raises(UserError, match=f"allow the module {spy}"):
            parse(typed)
    assert not was_imported(spy)


def test_a_typed_class_of_lightning_opens_no_other(tmp_path: Path) -> None:
    typed = "--trainer.callbacks=lightning.pytorch.callbacks.LearningRateMonitor"
    config = written(tmp_path, {"trainer": {"logger": "lightning.pytorch.loggers.WandbLogger"}})
    with pytest.raises(UserError, match=r"`trainer\.logger` WandbLogger"):
        parse([f"--config={config}", typed])


def test_a_setting_in_a_space_is_a_setting(
    spy: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for name in ("import", "config", "resume", "data", "trainer", "print_config"):
        space = tmp_path / "space.yaml"
        space.write_text(f"{name}: {{choice: [{spy}]}}")
        assert search.main(["--space", str(space)]) == 2
        said = "".join(capsys.readouterr().err.split())
        assert f"line1:{name}isnosettingofatraining" in said
    with pytest.raises(UserError):
        parse([f"--import={spy}", "--model.no=1"], typed=[])
    assert not was_imported(spy)


def test_the_winner_of_a_search_may_hold_what_was_typed(tmp_path: Path) -> None:
    typed = [f"--run.folder={tmp_path}/runs/", "--trainer.logger=CSVLogger",
             f"--trainer.logger.save_dir={tmp_path}"]  # fmt: skip
    config = tmp_path / "winner.yaml"
    config.write_text(as_yaml(config_of(typed)))
    with pytest.raises(UserError, match="may only name places"):
        parse([f"--config={config}"])
    parse([f"--config={config}"], typed=typed)


def test_a_second_file_does_not_grow_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bomb.yaml").write_text(bomb())
    with pytest.raises(UserError, match="stands for more than"):
        parse([f"--config={written(tmp_path, {'data': 'bomb.yaml'})}"])


def test_a_default_of_a_class_is_not_what_a_file_says(tmp_path: Path) -> None:
    strategy = {"class_path": "lightning.pytorch.strategies.DeepSpeedStrategy"}
    parse([f"--config={written(tmp_path, {'trainer': {'strategy': strategy}})}"])
    strategy["init_args"] = {"nvme_path": "/elsewhere"}
    with pytest.raises(UserError, match="nvme_path is /elsewhere"):
        parse([f"--config={written(tmp_path, {'trainer': {'strategy': strategy}})}"])


# Where a config may write


@pytest.mark.parametrize(
    "place", ["/tmp/x", "../x", "a/../../x", "{a/b/c:d}/../../../x", "~/x", "s3://bucket/x"]
)
def test_a_config_writes_below_the_working_folder_only(place: str, tmp_path: Path) -> None:
    for trainer in (
        {"callbacks": {"class_path": "ModelCheckpoint", "init_args": {"dirpath": place}}},
        {"logger": {"class_path": "CSVLogger", "init_args": {"save_dir": place}}},
        {"profiler": {"class_path": "lightning.pytorch.profilers.AdvancedProfiler",
                      "init_args": {"dirpath": place}}},
    ):  # fmt: skip
        with pytest.raises(UserError, match=r"may only name places below"):
            parse([f"--config={written(tmp_path, {'trainer': trainer})}"])
    parse(["--trainer.callbacks=ModelCheckpoint", f"--trainer.callbacks.dirpath={place}"])


def test_a_run_that_a_file_describes_lies_below_the_working_folder(tmp_path: Path) -> None:
    config = written(tmp_path, {"run": {"folder": str(tmp_path / "elsewhere")}})
    with pytest.raises(UserError, match=r"run\.folder is .*elsewhere: a file may only name"):
        parse([f"--config={config}"])
    parse([f"--config={config}", f"--run.folder={tmp_path}/mine/"])


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", "..", ".", "", "a\x1b[31m", "a\nb"])
def test_the_name_of_a_run_is_no_path(name: str, tmp_path: Path) -> None:
    config = written(tmp_path, {"run": {"name": name}})
    with pytest.raises(UserError, match="name must be the name of a folder"):
        parse([f"--config={config}", f"--run.folder={tmp_path / 'runs'}"])
    assert not (tmp_path / "runs").exists()


# Files that are no settings


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bomb().encode(), "stands for more than"),
        (b"a: &a [*a]", "stands for more than"),
        (b"[" * 5000, "nested too deeply"),
        (("[" * 100 + "]" * 100).encode(), "nested too deeply"),
        (b"x: 1\n" * 300_000, "larger than"),
        ("name: Jos\u00e9".encode("latin-1"), "not UTF-8 text: byte 9"),
        (b"\x00\x01", "no YAML"),
        (b"run: {name: [}", "no YAML"),
        (b"run: !!python/object/apply:os.system ['touch ran']", "no YAML"),
        (b"day: 2026-13-01", "no YAML"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_no_config_is_refused_in_a_sentence(
    content: bytes, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    for _ in ("--config", "--resume"):
        assert training.main([f"--config={path}"]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert reason in said
        assert "Traceback" not in said
    with pytest.raises(UserError, match=reason):
        configured_data(path)
    assert search.main(["--space", str(path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_yaml_reads_as_the_safe_loader_does(tmp_path: Path) -> None:
    text = "a: &x {b: 1e-3, c: [1, two, null, true]}\nd: {<<: *x, e: '1'}\n"
    path = tmp_path / "plain.yaml"
    path.write_text(text)
    assert trust.read_yaml(path) == yaml.safe_load(text)
    path.write_text("")
    assert trust.read_yaml(path) is None
