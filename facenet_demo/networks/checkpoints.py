"""A checkpoint stands alone: from its file to a network that can name people.

    trained = load_checkpoint("runs/orl")    # or one of the files in its folder checkpoints/
    trained.network, trained.window, trained.people

Files are read with `weights_only=True`: nothing in them can run code. A file names the class of its
network; that is taken from those that are imported, and nothing is imported for it.
"""

from __future__ import annotations

import math
import pickle
import re
import reprlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from facenet_demo.faces.align import MOST_SCALE
from facenet_demo.networks import FaceNetwork, NetworkSettings
from facenet_demo.networks.calibration import Calibration
from facenet_demo.networks.entries import as_entry, from_entry
from facenet_demo.networks.heads import HeadSettings
from facenet_demo.networks.rebuilding import rebuild
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import new_file
from facenet_demo.system.registry import NotImportedError

KEY = "facenet_demo"
BEST = Path("checkpoints/best.ckpt")  # in a run folder
_FORMAT = 3
_PREFIX = "network."
MOST_WINDOW = 4096
# Of the layer that says the most of a face, in four views of it; 4 GiB.
_MOST_NUMBERS = 2**28
# What a few bytes of a pickle can make of any size, though it is allowed with `weights_only`.
_MAKES_ANY_SIZE = re.compile(rb"\n(\w*Tensor|bytearray|UntypedStorage|TypedStorage|encode)\n")


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
    settings: NetworkSettings,
    people: Sequence[str],
    window: int,
    face_scale: float = 1.0,
    head: HeadSettings | None = None,
) -> dict[str, Any]:
    """The plain values that a checkpoint carries under `KEY`, from which it can be rebuilt."""
    own = {} if head is None else {"head": as_entry(head)}
    return {
        **own,
        "format": _FORMAT,
        "network": as_entry(settings),
        "people": list(people),
        "window": window,
        "face_scale": face_scale,
    }


def load_checkpoint(path: Path | str) -> TrainedNetwork:
    """Rebuild the network of a checkpoint.

    Args:
        path: the file, or a run folder, whose best checkpoint is then taken.

    Raises:
        NotImportedError: if its network is of a class that is not imported; no file imports one.
        UserError: if the file is missing, damaged, unsafe, or not a checkpoint of this project.
    """
    path = Path(path)
    if path.is_dir():
        path = path / BEST
    content = read_checkpoint(path)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), dict) for key in (KEY, "state_dict")
    ):
        raise UserError(f"{path} is not a checkpoint of facenet_demo.")
    described = content[KEY]
    if described.get("format") != _FORMAT:
        raise UserError(
            f"{path} has format {reprlib.repr(described.get('format'))}, this version reads "
            f"{_FORMAT}. Use the version of facenet_demo that the run's environment.json names."
        )
    try:
        check_description(described)
        settings = from_entry(described["network"], NetworkSettings, "network")  # type: ignore[type-abstract]
        weights = {
            name.removeprefix(_PREFIX): value
            for name, value in content["state_dict"].items()
            if name.startswith(_PREFIX)
        }
        head = _head(described)
        network = rebuild(settings, len(described["people"]), weights, head)
        _check_maps(settings, described["window"])
        found = described.get("calibration")
        return TrainedNetwork(
            network.eval(),
            settings,
            described["people"],
            described["window"],
            described["face_scale"],
            None if found is None else Calibration.from_values(found),
            _statistics(described),
        )
    except NotImportedError as error:
        raise NotImportedError(f"{path}: {error}", error.module) from None
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        ArithmeticError,
    ) as error:
        raise UserError(f"{path} does not fit together: {error}") from error


def read_checkpoint(path: Path) -> Any:
    """What a checkpoint holds, if it asks for no more than it brings.

    Raises:
        UserError: if the file is missing, damaged or unsafe.
    """
    try:
        _check_archive(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(
            f"There is no checkpoint {path}. A run keeps its own in checkpoints/."
        ) from None
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is not a checkpoint, or holds more than weights and was not opened."
        ) from error
    except Exception as error:  # a damaged file makes the unpickler raise almost anything
        reason = str(error).splitlines()[0] if str(error) else "it ends early"
        raise UserError(f"{path} cannot be read: {reason}") from error


def load_classifier(path: Path | str) -> TrainedNetwork:
    """Rebuild the network of a checkpoint that names people; otherwise as `load_checkpoint`."""
    trained = load_checkpoint(path)
    if trained.target_statistics is not None:
        raise UserError(
            f"The network of {path} was trained on numbers ({', '.join(trained.people[:3])}, ...), "
            "not to name people. Take a run that was trained with `data.target` person."
        )
    return trained


def add_calibration(path: Path, calibration: Calibration) -> None:
    """Write what was learned on validation photos into a checkpoint of this project."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    content[KEY]["calibration"] = asdict(calibration)
    write_checkpoint(content, path)


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint whole or not at all.

    Raises:
        UserError: if it cannot be written; what was there before is kept.
    """
    try:
        with new_file(path) as temporary:
            torch.save(content, temporary)
    except (OSError, RuntimeError) as error:  # torch's writer has an error of its own
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        kept = "The one before it is whole" if path.exists() else "There is none before it"
        raise UserError(
            f"The checkpoint {path} could not be written: {reason}. {kept}. Is the disk full, or "
            "the folder read-only?"
        ) from error


def check_description(described: Mapping[str, Any]) -> None:
    """Look at the values that a file says about its network before anything is made of them.

    Raises:
        ValueError, KeyError: if they cannot be those of a trained network.
    """
    people, window, face_scale = (described[key] for key in ("people", "window", "face_scale"))
    if not isinstance(people, list) or not people or not all(isinstance(p, str) for p in people):
        raise ValueError("the people are not a list of names")
    if not isinstance(window, int) or not 1 <= window <= MOST_WINDOW:
        raise ValueError(f"its window is {reprlib.repr(window)}")
    if not isinstance(face_scale, float | int) or not 0 < face_scale < MOST_SCALE:
        raise ValueError(f"its face_scale is {reprlib.repr(face_scale)}")


def _check_archive(path: Path) -> None:
    """Refuse a file that asks for more than it holds: it would fill the memory."""
    if not zipfile.is_zipfile(path):
        if path.stat().st_size == 0:
            raise EOFError
        raise pickle.UnpicklingError
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > path.stat().st_size:
            raise ValueError(f"it claims to hold {size} bytes, more than the file has")
        for name in archive.namelist():
            called = _MAKES_ANY_SIZE.search(archive.read(name)) if name.endswith(".pkl") else None
            if called:
                raise ValueError(f"it may ask {called[1].decode()} for more than it holds")


def _check_maps(settings: NetworkSettings, window: int) -> None:
    """Refuse a network that would fill the memory with what it says of a single face."""
    if (largest := settings.largest_map(window)) > _MOST_NUMBERS:
        raise ValueError(f"its largest layer would hold {largest:.1e} numbers of each face")


def _head(described: Mapping[str, Any]) -> HeadSettings | None:
    """What takes the place of the linear last layer, if something does."""
    found = described.get("head")
    return None if found is None else from_entry(found, HeadSettings, "head")  # type: ignore[type-abstract]


def _statistics(described: Mapping[str, Any]) -> tuple[list[float], list[float]] | None:
    found = described.get("target_statistics")
    if found is None:
        return None
    mean, deviation = found
    for value in [*mean, *deviation]:
        if not isinstance(value, float | int) or not math.isfinite(value):
            raise ValueError("the means and deviations of its targets are not finite numbers")
    return mean, deviation
