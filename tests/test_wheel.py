"""What is built to be installed: nothing is missing, and nothing comes from elsewhere.

.ci/smoke installs it and runs its commands.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

import facenet_demo
from facenet_demo.system import commands

ROOT = Path(facenet_demo.__file__).parents[1]
WHEEL = f"facenet_demo-{facenet_demo.__version__}-py3-none-any.whl"


def build(source: Path, target: Path) -> Path:
    """Build sdist and wheel of a source tree; returns the folder with both."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with sdist and wheel; read only."""
    return build(ROOT, tmp_path_factory.mktemp("built"))


def test_the_wheel_holds_the_package_and_the_configs_and_no_more(built: Path) -> None:
    files = {
        f"{folder}{path.relative_to(source).as_posix()}": path.read_bytes()
        for source, folder in ((ROOT, ""), (ROOT / "configs", "facenet_demo/configs/"))
        for path in (source if folder else source / "facenet_demo").rglob("*.*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"facenet_demo/py.typed", "facenet_demo/report/page/app.js"} <= files.keys()
    with ZipFile(built / WHEEL) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == files


def test_a_wheel_made_of_the_sdist_is_the_same(built: Path, tmp_path: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    again = build(source, tmp_path / "again")
    assert (again / WHEEL).read_bytes() == (built / WHEEL).read_bytes()


def test_a_config_is_found_without_the_repository(built: Path, tmp_path: Path) -> None:
    with ZipFile(built / WHEEL) as wheel:
        wheel.extractall(tmp_path)
    code = "from facenet_demo.training.configs import *; print(find_config('orl', SPACES))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert Path(done.stdout.strip()) == tmp_path / "facenet_demo/configs/search/orl.yaml"


def test_each_command_is_its_script(built: Path) -> None:
    with ZipFile(built / WHEEL) as wheel:
        (entries,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        parser = ConfigParser()
        parser.read_string(wheel.read(entries).decode())
    names = {path.stem for path in (ROOT / "scripts").glob("*.py")} - {"benchmark"}
    assert dict(parser["console_scripts"]) == {
        f"facenet-{name}": f"{commands.__name__}:{name}" for name in names
    }
    assert all(callable(getattr(commands, name)) for name in names)
