"""The commands, one after the other, with these versions of Python and packages.

    python tests/smoke.py                # a minute on 2 cores

Trains, predicts, visualises, searches and exports on the ORL faces, all of it briefly; whether the
answers are good is not asked here. The commands are those installed beside this Python; they and
this file need nothing of the repository, and work in an empty folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy
import torch

from facenet_demo.data.sources import ORL

SHORT = ["--trainer.max_epochs=2", "--trainer.enable_progress_bar=false", "--run.draw_every=0",
         "--model.network.channels=[4,6]"]  # fmt: skip


def main() -> None:
    """Run them all; the first that fails ends it."""
    print(f"Python {sys.version.split()[0]}, torch {torch.__version__}, numpy {numpy.__version__}, "
          f"OpenCV {cv2.__version__}", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        os.environ["FACENET_DEMO_CACHE"] = f"{name}/cache"
        smoke(Path(name))


def smoke(folder: Path) -> None:
    """Run the commands in `folder`."""
    photo = ORL().samples()[0].path
    os.chdir(folder)
    assert "facenet_demo.data.sources.LFW" in command(
        "train", "--config=lfw.yaml", "--print_config"
    )
    command("train", "--config=configs/orl.yaml", *SHORT)
    (run,) = Path("runs").iterdir()
    command("train", f"--resume={run}", "--trainer.max_epochs=3")
    command("predict", run, photo, "--json=faces.jsonl", "--annotate=named")
    assert named("faces.jsonl") == 1
    command("visualize", run, "--config=orl", "--num-views=40", "--images", photo)
    assert (run / "report" / "index.html").is_file()
    Path("space.yaml").write_text("model.optimizer.lr: {log: [0.01, 0.1]}\n")
    # A window of another size: the trials find that faces have not been cropped for it yet.
    command("tune", "--space=space.yaml", "--trials=2", "--folder=search", "--data.window=48",
            *SHORT)  # fmt: skip
    assert Path("search/winner.yaml").is_file()
    command("export", run, "model.onnx")
    command("predict", "model.onnx", photo, "--json=again.jsonl")
    assert named("again.jsonl") == 1


def command(name: str, *args: object) -> str:
    """Run a command; returns what it prints. What it says is shown when it fails."""
    started = time.perf_counter()
    line = [str(Path(sys.executable).with_name(f"facenet-{name}")), *map(str, args)]
    done = subprocess.run(line, capture_output=True, text=True)
    print(f"{name:10} {time.perf_counter() - started:5.1f} s", flush=True)
    if done.returncode:
        sys.exit(f"{' '.join(line)}\n{done.stdout}{done.stderr}exit {done.returncode}")
    return done.stdout


def named(file: str) -> int:
    """How many faces a file of results holds."""
    lines = Path(file).read_text("utf-8").splitlines()
    return sum(len(json.loads(line)["faces"]) for line in lines)


if __name__ == "__main__":
    main()
