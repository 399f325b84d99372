"""A checkpoint stands alone: from its file to a network that can name people.

    trained = load_checkpoint("runs/orl/checkpoints/best.ckpt")
    trained.network, trained.window, trained.people

Files are read with `weights_only=True`: nothing in them can run code.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from facenet_demo import networks
from facenet_demo.calibration import Calibration
from facenet_demo.networks import FaceNetwork, NetworkSettings
from facenet_demo.records import UserError
from facenet_demo.storage import new_file

KEY = "facenet_demo"
_FORMAT = 1
_PREFIX = "network."


@dataclass(frozen=True)
class TrainedNetwork:
    """What a checkpoint holds for those who use it.

    Attributes:
        network: in evaluation mode, on the CPU.
        settings: what it was built from.
        people: names, in the order of its outputs; of a regression what each output says.
        window: side of the square it is shown, pixels.
        face_scale: how large the face is in it, see `faces.align.template`.
        calibration: how far its scores can be trusted, None if there were no validation photos.
        target_statistics: of a regression the mean and the standard deviation of each target: an
            answer is output * deviation + mean. None if it names people.
    """

    network: FaceNetwork
    settings: NetworkSettings
    people: list[str]
    window: int
    face_scale: float
    calibration: Calibration | None = None
    target_statistics: tuple[list[float], list[float]] | None = None


def describe(
    settings: NetworkSettings, people: Sequence[str], window: int, face_scale: float = 1.0
) -> dict[str, Any]:
    """The plain values that a checkpoint carries under `KEY`, from which it can be rebuilt."""
    return {
        "format": _FORMAT,
        "network": {"name": type(settings).__name__, "settings": asdict(settings)},
        "people": list(people),
        "window": window,
        "face_scale": face_scale,
    }


def load_checkpoint(path: Path | str) -> TrainedNetwork:
    """Rebuild the network of a checkpoint file.

    Raises:
        UserError: if the file is missing, damaged, unsafe, or not a checkpoint of this project.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(
            f"There is no checkpoint {path}. A run keeps its own in checkpoints/."
        ) from None
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is not a checkpoint, or holds more than weights and was not opened."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends early"
        raise UserError(f"{path} cannot be read: {reason}") from error
    if not isinstance(content, dict) or KEY not in content or "state_dict" not in content:
        raise UserError(f"{path} is not a checkpoint of facenet_demo.")
    described = content[KEY]
    if described.get("format") != _FORMAT:
        raise UserError(
            f"{path} has format {described.get('format')}, this version reads {_FORMAT}. Use the "
            "version of facenet_demo that the run's environment.json names."
        )
    try:
        settings = _settings(**described["network"])
        network = settings.build(len(described["people"]))
        weights = {
            name.removeprefix(_PREFIX): value
            for name, value in content["state_dict"].items()
            if name.startswith(_PREFIX)
        }
        network.load_state_dict(weights)
        found = described.get("calibration")
        return TrainedNetwork(
            network.eval(),
            settings,
            described["people"],
            described["window"],
            described["face_scale"],
            None if found is None else Calibration(**found),
            described.get("target_statistics"),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path} does not fit together: {error}") from error


def add_calibration(path: Path, calibration: Calibration) -> None:
    """Write what was learned on validation photos into a checkpoint of this project."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    content[KEY]["calibration"] = asdict(calibration)
    with new_file(path) as temporary:
        torch.save(content, temporary)


def _settings(name: str, settings: dict[str, Any]) -> NetworkSettings:
    # Only the classes of this project: a file must not choose what is imported.
    classes: dict[str, Callable[..., NetworkSettings]] = {
        c.__name__: c for c in (networks.FaceCNN, networks.Torchvision)
    }
    if name not in classes:
        raise ValueError(f"unknown network {name!r}")
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    return classes[name](**plain)
