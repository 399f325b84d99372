"""The commands, one after the other, with these versions of Python and packages.

    python tests/smoke.py                # in the root of the repository, a minute on 2 cores

Trains, predicts, visualises, searches and exports on the ORL faces, all of it briefly; whether the
answers are good is not asked here.
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

ROOT = Path(__file__).resolve().parents[1]
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
    """Run the commands with their files in `folder`."""
    runs, photo = folder / "runs", ORL().samples()[0].path
    command("train", "--config=configs/orl.yaml", f"--run.folder={runs}", *SHORT)
    (run,) = runs.iterdir()
    command("train", f"--resume={run}", "--trainer.max_epochs=3")
    command("predict", run, photo, "--json", folder / "faces.jsonl", "--annotate", folder / "named")
    assert named(folder / "faces.jsonl") == 1
    command("visualize", run, "--num-views=40", "--images", photo)
    assert (run / "report" / "index.html").is_file()
    space = folder / "space.yaml"
    space.write_text("model.optimizer.lr: {log: [0.01, 0.1]}\n")
    # A window of another size: the trials find that faces have not been cropped for it yet.
    command("tune", f"--space={space}", "--trials=2", f"--folder={runs / 'search'}",
            "--data.window=48", *SHORT)  # fmt: skip
    assert (runs / "search" / "winner.yaml").is_file()
    command("export", run, folder / "model.onnx")
    command("predict", folder / "model.onnx", photo, "--json", folder / "again.jsonl")
    assert named(folder / "again.jsonl") == 1


def command(name: str, *args: object) -> None:
    """Run a script of this repository; what it says is shown when it fails."""
    started = time.perf_counter()
    line = [sys.executable, f"scripts/{name}.py", *map(str, args)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    print(f"{name:10} {time.perf_counter() - started:5.1f} s", flush=True)
    if done.returncode:
        sys.exit(f"{' '.join(line)}\n{done.stdout}{done.stderr}exit {done.returncode}")


def named(file: Path) -> int:
    """How many faces a file of results holds."""
    return sum(len(json.loads(line)["faces"]) for line in file.read_text("utf-8").splitlines())


if __name__ == "__main__":
    main()
