"""Draw the README's picture from a run on ORL: python docs/readme_picture.py runs/orl-..."""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from facenet_demo.data.datamodule import DataSettings
from facenet_demo.data.sources import ORL
from facenet_demo.data.windows import to_pixels
from facenet_demo.features.trace import Trace
from facenet_demo.networks.checkpoints import load_checkpoint
from facenet_demo.pictures import sheets

FACES = ["s1", "s2", "s15", "s20"]
UNITS = 6

trained = load_checkpoint(Path(sys.argv[1]) / "checkpoints/best.ckpt")
network = trained.network
data = DataSettings(ORL(), window=trained.window, face_scale=trained.face_scale).build()
windows = data.windows(np.array([data.crops.people.index(person) for person in FACES]))
with torch.no_grad(), Trace(network, network.layers) as trace:
    network(windows)
faces = to_pixels(windows)

# A sheet of maps is as high as its faces and as wide as a face and its units.
width = (1 + UNITS) / len(FACES)
figure = Figure(figsize=(14, 2.25), dpi=120, layout="constrained")
panels = figure.subplots(
    1, 1 + len(network.layers), width_ratios=[1, *[width] * len(network.layers)]
)
rows = np.split(network.first_kernels[:16].numpy(), 4)
panels[0].imshow(np.concatenate([sheets.kernel_sheet(row) for row in rows]))
panels[0].set_title("kernels, 7 x 7", fontsize=9)
for panel, layer in zip(panels[1:], network.layers, strict=True):
    maps = trace[layer].numpy()
    # The units that differ most over these faces, so that no silent one is shown.
    chosen = np.argsort(-maps.std(axis=(0, 2, 3)))[:UNITS]
    panel.imshow(sheets.activation_sheet(faces, maps[:, chosen]))
    panel.set_title(
        f"{layer}: {maps.shape[1]} units, maps {maps.shape[2]} x {maps.shape[3]}", fontsize=9
    )
for panel in panels:
    panel.axis("off")
figure.savefig(Path(__file__).parent / "layers.png")
