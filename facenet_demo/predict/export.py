"""A trained network as one ONNX file that stands alone.

    export(load_model("runs/orl-20260131-142501"), Path("model.onnx"))

Input `windows` `(B, 3, W, W)`, RGB float in [0, 1]: aligned faces. Outputs `probabilities`
`(B, P)`, calibrated, rows sum to 1; `logits` `(B, P)`; `embedding` `(B, D)` of length 1. Any B. The
metadata entry `facenet_demo` is JSON with what one must know to use it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from facenet_demo.networks import FaceNetwork
from facenet_demo.networks.calibration import Calibration
from facenet_demo.predict.models import (
    ONNX_KEY,
    OnnxModel,
    TorchModel,
    load_model,
    onnx_description,
)
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import new_file
from facenet_demo.system.imports import import_modules

LARGEST_DIFFERENCE = 1e-4
OPSET = 18
OUTPUTS = ("probabilities", "logits", "embedding")
_BATCH_SIZES = (1, 2, 7)


@dataclass(frozen=True)
class Check:
    """How the file's answers compare with the network's, on random faces.

    Attributes:
        difference: largest one of any logit.
        num_faces: how many were compared; all have the same first guess.
    """

    difference: float
    num_faces: int


class _CalibratedNetwork(nn.Module):
    def __init__(self, network: FaceNetwork, calibration: Calibration) -> None:
        super().__init__()
        self.network = network
        self.calibration = calibration

    def forward(self, windows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        embedding, logits = self.network.recognize(windows)
        unit = nn.functional.normalize(embedding, dim=1)
        return self.calibration.probability(logits).float(), logits, unit


def export(model: TorchModel, path: Path) -> Check:
    """Write `model` to `path`, unless the file would answer differently.

    Raises:
        UserError: if a package is missing, the file cannot be written, or its answers differ: by
            more than 1e-4 in a logit, or in a first guess.
    """
    try:
        import onnx  # noqa: F401 - needed below
        import onnxruntime  # noqa: F401 - needed for the check
        import onnxscript  # noqa: F401 - needed by torch.onnx
    except ImportError as error:
        raise UserError(
            f"Exporting needs {error.name}: pip install onnx onnxscript onnxruntime "
            "(the extra onnx)."
        ) from None
    try:
        with new_file(path) as temporary:
            temporary.write_bytes(_onnx_bytes(model))
            return check(model, OnnxModel(temporary))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error


def export_run(run: Path, file: Path | None = None, modules: Sequence[str] = ()) -> str:
    """Write the network of a run; returns a sentence on what was written.

    Args:
        run: a run folder or a checkpoint.
        file: to write; model.onnx in the run folder, or beside the checkpoint, if None.
        modules: dotted names of Python modules to import: the network may be one of theirs.

    Raises:
        UserError: for a run or a name of a file that cannot be used, and as `export`.
    """
    import_modules(modules)
    model = load_model(run)
    if not isinstance(model, TorchModel):
        raise UserError(f"{run} is an ONNX file already.")
    path = file or (run if run.is_dir() else run.parent) / "model.onnx"
    if path.suffix != ".onnx":
        raise UserError(f"The file's name must end in .onnx, not {path.suffix or path}.")
    result = export(model, path)
    return (
        f"{path}: {path.stat().st_size / 1e6:.1f} MB, {len(model.people)} people. "
        f"Same first guess as PyTorch on {result.num_faces} random faces, logits differ by at most "
        f"{result.difference:.1g}."
    )


def _onnx_bytes(model: TorchModel) -> bytes:
    import onnx

    windows = torch.rand(2, 3, model.window, model.window)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's own insides
        # The exporter that builds on torch.export, the only one that torch develops further.
        program = torch.onnx.export(
            _CalibratedNetwork(model.network, model.calibration).eval(),
            (windows,),
            input_names=["windows"],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto  # made anew at each access
    onnx.helper.set_model_props(proto, {ONNX_KEY: onnx_description(model)})
    return proto.SerializeToString()


def check(model: TorchModel, exported: OnnxModel) -> Check:
    """Compare the answers of both on random faces, in batches of several sizes.

    Raises:
        UserError: if they differ.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in _BATCH_SIZES:
        windows = torch.rand(batch, 3, model.window, model.window, generator=generator)
        ours, theirs = model(windows).logits, exported(windows).logits
        worst = max(worst, float((ours - theirs).abs().max()))
        if not worst <= LARGEST_DIFFERENCE or not torch.equal(ours.argmax(1), theirs.argmax(1)):
            raise UserError(f"The ONNX file answers differently (logits by {worst:.1g}); not kept.")
    return Check(worst, sum(_BATCH_SIZES))
