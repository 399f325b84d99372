"""A trained network from a run, a checkpoint or an ONNX file, run the same way.

model = load_model("runs/orl-20260131-142501")
scores = model(windows)              # (B, 3, W, W) in [0, 1]
scores.logits, scores.embeddings     # (B, P), (B, D) of unit length
"""

from __future__ import annotations

import hashlib
import json
import threading
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from facenet_demo.faces.photos import ImageError
from facenet_demo.networks import FaceNetwork
from facenet_demo.networks.calibration import Calibration
from facenet_demo.networks.checkpoints import (
    MOST_WINDOW,
    TrainedNetwork,
    check_description,
    load_classifier,
)
from facenet_demo.predict.onnx_trial import SECONDS, try_out
from facenet_demo.system.errors import UserError

ONNX_KEY = "facenet_demo"
_ONNX_FORMAT = 3


class Scores(NamedTuple):
    """What a network says of a batch of faces.

    Attributes:
        logits: `(B, P)`, one for each person.
        embeddings: `(B, D)`, of length 1.
    """

    logits: torch.Tensor
    embeddings: torch.Tensor


class Model(ABC):
    """A network with what one must know to use it; safe to use from several threads.

    Attributes:
        people: names, in the order of the logits.
        window: side of the square it is shown, pixels.
        face_scale: how large the face is in it, see `faces.align.template`.
        calibration: how far its scores can be trusted.
        digest: SHA-256 of its weights, hexadecimal.
    """

    people: list[str]
    window: int
    face_scale: float
    calibration: Calibration
    digest: str

    @abstractmethod
    def __call__(self, windows: torch.Tensor) -> Scores:
        """Scores of windows `(B, 3, W, W)`, float in [0, 1].

        Raises:
            ImageError: if there are none, or no finite numbers: nothing can be made of them.
        """

    def check(self) -> None:
        """See whether it answers as its description says.

        Raises:
            ValueError, RuntimeError, ImageError: if it does not.
        """
        scores = self(torch.zeros(1, 3, self.window, self.window))
        if scores.logits.shape != (1, len(self.people)) or scores.embeddings.ndim != 2:
            raise ValueError(f"it gives scores of shape {tuple(scores.logits.shape)}")


class TorchModel(Model):
    """A network from a checkpoint, on the CPU."""

    def __init__(self, trained: TrainedNetwork) -> None:
        self.people = trained.people
        self.window = trained.window
        self.face_scale = trained.face_scale
        self.calibration = trained.calibration or Calibration()
        self.digest = weights_digest(trained.network)
        self.network = trained.network

    def __call__(self, windows: torch.Tensor) -> Scores:
        with torch.inference_mode():
            embedding, logits = self.network.recognize(windows)
            return _finite(Scores(logits, torch.nn.functional.normalize(embedding, dim=1)))


class OnnxModel(Model):
    """A network that `predict.export` wrote, run by onnxruntime; first once by another process.

    Raises:
        UserError: if onnxruntime is missing, or the file is damaged or no such network.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise UserError(
                f"{path} needs onnxruntime: pip install onnxruntime (the extra onnx)."
            ) from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            # As bytes: the file then cannot name others that hold its weights.
            content = path.read_bytes()
            try_out(content, MOST_WINDOW)
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            described = json.loads(self._session.get_modelmeta().custom_metadata_map[ONNX_KEY])
        except KeyError:
            raise UserError(f"{path} was not written by scripts/export.py.") from None
        except FileNotFoundError:
            raise UserError(f"There is no ONNX file {path}.") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from error
        except Exception as error:  # onnxruntime's errors have no common class
            reason = str(error).splitlines()[0] if str(error) else "it is damaged"
            raise UserError(f"{path} is no ONNX file that can be used: {reason}") from error
        try:
            if described["format"] != _ONNX_FORMAT:
                raise ValueError(f"format {described['format']}, this version reads {_ONNX_FORMAT}")
            check_description(described)
            self.people = described["people"]
            self.window = described["window"]
            self.face_scale = described["face_scale"]
            self.calibration = Calibration.from_values(described["calibration"])
            self.digest = str(described["digest"])
            self.check()
        except Exception as error:  # as above; the network is run here, too
            raise UserError(f"{path} does not fit together: {error}") from error

    def __call__(self, windows: torch.Tensor) -> Scores:
        import onnxruntime

        # What a face makes of a loop is known only now; nothing else ends one.
        options = onnxruntime.RunOptions()
        watch = threading.Timer(SECONDS * len(windows), setattr, (options, "terminate", True))
        watch.daemon = True
        watch.start()
        try:
            outputs = self._session.run(
                ["logits", "embedding"], {"windows": windows.numpy()}, options
            )
        except Exception as error:  # onnxruntime's errors have no common class
            raise ImageError(
                f"the network gives no answer: {str(error).splitlines()[0]}"
            ) from error
        finally:
            watch.cancel()
        return _finite(Scores(*(torch.from_numpy(output) for output in outputs)))


def load_model(path: Path | str) -> Model:
    """The network of a run folder, a checkpoint or an ONNX file.

    Raises:
        UserError: if there is none, or it cannot be used.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        return OnnxModel(path)
    model = TorchModel(load_classifier(path))
    try:
        model.check()
    except (ValueError, RuntimeError, ImageError) as error:
        raise UserError(f"{path} does not fit together: {error}") from error
    return model


def onnx_description(model: Model) -> str:
    """What an ONNX file carries under `ONNX_KEY`, so that it stands alone."""
    described: dict[str, Any] = {
        "format": _ONNX_FORMAT,
        "people": model.people,
        "window": model.window,
        "face_scale": model.face_scale,
        "calibration": asdict(model.calibration),
        "digest": model.digest,
    }
    return json.dumps(described)


def _finite(scores: Scores) -> Scores:
    if all(values.isfinite().all() for values in scores):
        return scores
    raise ImageError("the network's answer is not a finite number")


def weights_digest(network: FaceNetwork) -> str:
    """SHA-256 of all weights and buffers with their names, hexadecimal."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
