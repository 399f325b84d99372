"""What made the runs of this folder, with the code of before; README.md says how to run it.

It imports what commit 0487954 had; the package as it is now has other places for it. The photos are
drawn in /tmp/old_run, whose name then stands in config.yaml and splits.json.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

PLACE = Path("/tmp/old_run")
HERE = Path(__file__).parent
KEPT = ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "config.yaml", "environment.json",
        "metrics.json", "splits.json")  # fmt: skip
PEOPLE = {"naming": (3, 6), "places": (6, 3)}  # people, photos of each
SETTINGS = {
    "naming": ["--data.batch_size=2", "--model.optimizer.lr=0.1", "--model.network.dropout=0.1",
               "--model.network.grid=4"],
    "places": ["--data.batch_size=4", "--data.target=landmarks", "--data.augment.erase=0"],
}  # fmt: skip


def main() -> None:
    os.environ["FACENET_DEMO_CACHE"] = str(PLACE / "cache")
    import torch
    from drawing import draw_face, draw_people
    from facenet_demo.checkpoints import load_checkpoint
    from facenet_demo.cli import CONFIGS

    from facenet_demo.predict.command import main as predict
    from facenet_demo.training import train
    from facenet_demo.visualize.command import visualize

    torch.set_num_threads(1)
    shutil.rmtree(PLACE, ignore_errors=True)
    window = torch.from_numpy(draw_face(1, 4, 32)).permute(2, 0, 1)[None] / 255  # (1, 3, 32, 32)
    expected: dict[str, Any] = {}
    for name, settings in SETTINGS.items():
        people = draw_people(PLACE / name, *PEOPLE[name])
        made = train([
            f"--config={CONFIGS / 'folder.yaml'}", f"--data.source.root={people}",
            f"--run.folder={PLACE / 'runs'}", f"--run.name={name}", "--run.draw_every=0",
            "--data.window=32", "--model.network.channels=[4,8]", "--trainer.max_epochs=2",
            "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", *settings,
        ])  # fmt: skip
        keep(made.folder, HERE / name)
        with torch.no_grad():
            outputs = load_checkpoint(made.folder).network(window)[0].tolist()
        expected[name] = {"outputs": outputs}
        if name == "naming":
            photo = str(people / "p1/4.png")
            predict([str(made.folder), photo, "--json", str(PLACE / "answers")])
            answer = json.loads((PLACE / "answers").read_text())
            (face,) = answer["faces"]
            expected[name]["face"] = {key: face[key] for key in ("name", "probability")}
            report = visualize(made.folder, num_views=40).parent
            progression = json.loads((report / "progression.json").read_text())
            expected[name]["progression"] = progression["networks"]["trained"]
        train([f"--resume={made.folder}", "--trainer.max_epochs=3"])
        weights = torch.load(made.folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
        expected[name]["resumed"] = {  # of each tensor its sum and its length
            key: [value.double().sum().item(), value.double().norm().item()]
            for key, value in weights.items()
            if key.startswith("network.") and value.is_floating_point()
        }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def keep(run: Path, folder: Path) -> None:
    """Copy what is read of a run again, without what its machine was."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in KEPT:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / file, folder / file)
    environment = folder / "environment.json"
    text = re.sub(r'("platform": "\w+)[^"]*', r"\1", environment.read_text())
    environment.write_text(text)


if __name__ == "__main__":
    main()
