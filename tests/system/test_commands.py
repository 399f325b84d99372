"""The commands as they are called: as scripts, and as pip installs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import facenet_demo
from facenet_demo.system.commands import as_called

ROOT = Path(facenet_demo.__file__).parents[1]
HEAVY = {
    "PIL", "captum", "cv2", "jsonargparse", "lightning", "matplotlib", "numpy", "scipy",
    "tensorboard", "torch", "torchmetrics", "torchvision",
}  # fmt: skip


def installed(command: str, *args: str, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run what pip writes for an entry point, which is called facenet-COMMAND."""
    code = f"import sys; from facenet_demo.system.commands import {command} as command; "
    code += f"sys.argv[0] = '/usr/bin/facenet-{command}'; sys.exit(command())"
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (path, ROOT)))},
    )  # fmt: skip


def test_ctrl_c_while_an_installed_command_imports_its_packages(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    done = installed("predict", "runs/x", "photo.jpg", path=tmp_path)
    assert (done.returncode, done.stderr) == (130, "Interrupted before it began.\n")


@pytest.mark.parametrize("command", ["visualize", "predict", "export"])
@pytest.mark.parametrize(
    ("args", "code"),
    [(["--help"], 0), (["--import", "torch", "--help"], 0), ([], 2), (["--nonsense"], 2)],
    ids=["help", "help with a module", "too little", "too much"],
)
def test_help_and_mistakes_wait_for_nothing_heavy(command: str, args: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", ROOT / f"scripts/{command}.py", *args],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == code
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"argparse", "facenet_demo.system.exits"} <= imported
    assert not imported & HEAVY


def test_the_help_of_an_installed_command_shows_what_is_installed() -> None:
    done = installed("predict", "--help")
    assert done.stdout.startswith("usage: facenet-predict [-h]")
    assert "\n  facenet-predict runs/orl-20260131-142501 photo.jpg holiday/\n" in done.stdout
    assert "python scripts/" not in done.stdout


@pytest.mark.parametrize(
    ("called", "shown"),
    [
        ("scripts/train.py", "python scripts/tune.py --help"),
        ("/my demo/scripts/predict.py", "python '/my demo/scripts/tune.py' --help"),
        ("/usr/bin/facenet-train", "facenet-tune --help"),
        ("/lib/ipykernel_launcher.py", "facenet-tune --help"),
        ("", "facenet-tune --help"),
    ],
)
def test_a_command_is_shown_as_its_reader_calls_it(
    called: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert as_called("Try python scripts/tune.py --help") == f"Try {shown}"
