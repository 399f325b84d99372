"""Files that are not what they claim: refused with a clear error, and nothing in them runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from facenet_demo.networks import FaceCNN
from facenet_demo.networks.checkpoints import KEY, describe, load_checkpoint
from facenet_demo.predict import Predictor
from facenet_demo.predict.gallery import load_gallery
from facenet_demo.predict.models import load_model
from facenet_demo.system.errors import UserError


class Evil:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.folder),))


@pytest.fixture(scope="module")
def whole(run_folder: Path) -> dict:
    return torch.load(run_folder / "checkpoints/best.ckpt", weights_only=True)


def saved(content: object, **settings: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **settings)
    return buffer.getvalue()


def changed(whole: dict, **values: object) -> bytes:
    return saved({**whole, KEY: {**whole[KEY], **values}})


def with_settings(whole: dict, **settings: object) -> bytes:
    network = whole[KEY]["network"]
    return changed(whole, network={**network, "settings": {**network["settings"], **settings}})


def stretched(whole: dict) -> bytes:
    """A weight that takes 4 bytes in the file and 400 GB when it is used."""
    huge = torch.zeros(1).expand(10**11)
    return saved({**whole, "state_dict": {**whole["state_dict"], "network.mean": huge}})


def deflated(whole: dict) -> bytes:
    """20 megabytes of zeros in a small file."""
    source = zipfile.ZipFile(io.BytesIO(saved(whole)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in source.infolist():
            archive.writestr(entry.filename, source.read(entry))
        with archive.open("best/data/zeros", "w") as zeros:
            for _ in range(2):
                zeros.write(bytes(10**7))
    return buffer.getvalue()


def calling(whole: dict, function: Callable, *args: object) -> bytes:
    """A file that is small and makes something large, by what torch's unpickler allows."""

    class Call:
        def __reduce__(self) -> tuple:
            return (function, args)

    return saved({**whole, "x": Call()})


def nested(depth: int) -> list:
    """A few bytes of pickle that are 2^depth numbers when they are walked or printed."""
    value: list = [1]
    for _ in range(depth):
        value = [value, value]
    return value


def with_weights(whole: dict, change: Callable[[torch.Tensor], object]) -> bytes:
    name = "network.stages.0.conv.weight"
    changed = change(whole["state_dict"][name].clone())
    return saved({**whole, "state_dict": {**whole["state_dict"], name: changed}})


def views(whole: dict) -> bytes:
    """Many names for views of the same numbers, each of which would be copied."""
    base = torch.zeros(300, 300)
    more = {f"network.more.{i}": base.t() for i in range(500)}
    return saved({**whole, "state_dict": {**whole["state_dict"], **more}})


def wide() -> bytes:
    """Few weights, which ask for 17 GB with the first face."""
    settings = FaceCNN(channels=(64,), first_stride=1)
    weights = settings.build(1).state_dict()
    state_dict = {f"network.{name}": value for name, value in weights.items()}
    return saved({KEY: describe(settings, ["Ada"], 4096), "state_dict": state_dict})


def torchvision(whole: dict, name: str, **change: object) -> bytes:
    network = {"name": "Torchvision", "settings": {"name": name, "dropout": 0.0}}
    return changed(whole, network=network, **change)


CHECKPOINTS: dict[str, Callable[[dict, Path], bytes]] = {
    "code in the weights": lambda w, p: saved({**w, "state_dict": {"network.x": Evil(p)}}),
    "code in the names": lambda w, p: changed(w, people=[Evil(p)]),
    "code, plain pickle": lambda w, p: pickle.dumps(Evil(p)),
    "code, old format": lambda w, p: saved(
        {**w, "x": Evil(p)}, _use_new_zipfile_serialization=False
    ),
    "a zip bomb": lambda w, _: deflated(w),
    "a stretched weight": lambda w, _: stretched(w),
    "huge channels": lambda w, _: with_settings(w, channels=[10**9, 10**9]),
    "endless layers": lambda w, _: with_settings(w, convolutions=10**12),
    "large channels": lambda w, _: with_settings(w, channels=[14_000, 14_000]),
    "many stages": lambda w, _: with_settings(w, channels=[1] * 3000),
    "a network of billions": lambda w, _: torchvision(w, "vit_h_14"),
    "huge maps": lambda w, _: wide(),
    "an array of any size": lambda w, _: calling(w, bytearray, 10**10),
    "a tensor of any size": lambda w, _: calling(w, torch.Tensor, 10**9),
    "settings without end": lambda w, _: with_settings(w, activation=nested(60)),
    "channels without end": lambda w, _: with_settings(w, channels=nested(60)),
    "a window without end": lambda w, _: changed(w, window=nested(60)),
    "a format without end": lambda w, _: changed(w, format=nested(60)),
    "views of the same weights": lambda w, _: views(w),
    "weights of no number": lambda w, _: with_weights(w, lambda x: x / 0),
    "infinite weights": lambda w, _: with_weights(w, lambda x: x + float("inf")),
    "weights without numbers": lambda w, _: with_weights(w, lambda x: x.to("meta")),
    "sparse weights": lambda w, _: with_weights(w, lambda x: x.to_sparse()),
    "a statistic of no number": lambda w, _: changed(w, target_statistics=([float("nan")], [1.0])),
    "a temperature beyond floats": lambda w, _: changed(w, calibration={"temperature": 10**400}),
    "a huge grid": lambda w, _: with_settings(w, grid=10**6),
    "settings of a wrong type": lambda w, _: with_settings(w, channels="many"),
    "settings of another class": lambda w, _: changed(w, network={"name": "os", "settings": {}}),
    "a huge window": lambda w, _: changed(w, window=10**9),
    "a window of a wrong type": lambda w, _: changed(w, window="64"),
    "no people": lambda w, _: changed(w, people=[]),
    "people of a wrong type": lambda w, _: changed(w, people="Ada"),
    "people who are numbers": lambda w, _: changed(w, people=[1, 2, 3, 4, 5, 6]),
    "an infinite face": lambda w, _: changed(w, face_scale=float("inf")),
    "a calibration of text": lambda w, _: changed(w, calibration={"temperature": "hot"}),
    "a calibration of nothing": lambda w, _: changed(
        w, calibration={"temperature": float("nan"), "threshold": 0.5}
    ),
    "a description of a wrong type": lambda w, _: saved({**w, KEY: [1, 2]}),
    "weights of a wrong type": lambda w, _: saved({**w, "state_dict": [1, 2]}),
    "weights that are text": lambda w, _: saved({**w, "state_dict": {"network.mean": "x"}}),
    "half a file": lambda w, _: saved(w)[:5000],
}


# Where the check must come before memory is asked for.
SAYS = {
    "a zip bomb": "claims to hold",
    "a stretched weight": "claim to be larger",
    "views of the same weights": "claim to be larger",
    "huge channels": "do not fit its weights",
    "large channels": r"do not fit its weights: stages.* ask for \(14000",
    "endless layers": "ask for more layers",
    "many stages": "ask for more layers",
    "a network of billions": "do not fit its weights",
    "a huge grid": "do not fit its weights",
    "huge maps": "largest layer",
    "an array of any size": "ask bytearray for more",
    "a tensor of any size": "ask Tensor for more",
    "settings without end": "activation is not a plain value",
    "channels without end": "channels is not a plain value",
    "weights of no number": r"stages.0.conv.weight holds .*NaN",
    "infinite weights": "stages.0.conv.weight holds",
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_hostile_checkpoint_is_refused(name: str, whole: dict, tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(CHECKPOINTS[name](whole, tmp_path / "pwned"))
    with pytest.raises(UserError, match=rf"a\.ckpt.*{SAYS.get(name, '')}"):
        load_checkpoint(tmp_path / "a.ckpt")
    assert not (tmp_path / "pwned").exists()


def test_a_network_that_answers_no_number_is_refused(whole: dict, tmp_path: Path) -> None:
    """Each weight is a number; what comes of them is none."""
    (tmp_path / "a.ckpt").write_bytes(with_weights(whole, lambda x: torch.full_like(x, -3e38)))
    load_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt.*not a finite number"):
        load_model(tmp_path / "a.ckpt")


def test_a_network_that_does_not_fit_its_window_is_refused(whole: dict, tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(changed(whole, window=1))
    with pytest.raises(UserError, match=r"a\.ckpt does not fit together"):
        load_model(tmp_path / "a.ckpt")


def test_a_face_for_which_the_network_has_no_number_is_a_row(
    run_folder: Path, orl_root: Path
) -> None:
    predictor = Predictor(run_folder)
    embed, calls = predictor.model.network.embed, iter([True, False])
    predictor.model.network.embed = lambda x: embed(x) / (0 if next(calls) else 1)
    bad, good = (predictor(orl_root / "s1/1.pgm") for _ in range(2))
    assert (bad.error, bad.faces) == ("the network's answer is not a finite number", ())
    assert good.error is None
    assert good.faces


GOOD = {
    "embeddings": torch.eye(4),
    "labels": torch.arange(4) // 2,
    "strangers": torch.zeros(4),
}


def gallery_file(
    tensors: dict | None = None, key: str = "facenet_demo_gallery", **change: object
) -> bytes:
    described = {"format": 2, "people": ["a", "b"], "digest": "x", "temperature": 0.1, **change}
    return save({**GOOD, **(tensors or {})}, {key: json.dumps(described)})


def header(content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(content) if length is None else length) + content


HUGE = b'{"embeddings":{"dtype":"F32","shape":[1000000000,1000000000],"data_offsets":[0,4]}}'
GALLERIES: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda p: b"",
    "text": lambda p: b"hello, this is text",
    "code": lambda p: pickle.dumps(Evil(p)),
    "a header without end": lambda p: header(b"{}", 2**62),
    "a header of no JSON": lambda p: header(b"{{{{{{{{"),
    "a huge tensor": lambda p: header(HUGE) + bytes(4),
    "half a file": lambda p: gallery_file()[:-20],
    "no description": lambda p: gallery_file(key="another"),
    "another format": lambda p: gallery_file(format=9),
    "people of a wrong type": lambda p: gallery_file(people={"a": 1}),
    "people who are numbers": lambda p: gallery_file(people=[1, 2]),
    "too many people": lambda p: gallery_file(people=["a", "b", "c"]),
    "a temperature of text": lambda p: gallery_file(temperature="hot"),
    "no temperature": lambda p: gallery_file(temperature=0.0),
    "labels beyond the people": lambda p: gallery_file({"labels": torch.arange(4)}),
    "labels below them": lambda p: gallery_file({"labels": torch.arange(4) - 1}),
    "labels that are floats": lambda p: gallery_file({"labels": torch.zeros(4)}),
    "embeddings of no number": lambda p: gallery_file({"embeddings": torch.eye(4) / 0}),
    "embeddings of another length": lambda p: gallery_file({"embeddings": 5 * torch.eye(4)}),
    "embeddings of another shape": lambda p: gallery_file({"embeddings": torch.eye(3)}),
    "strangers of another shape": lambda p: gallery_file({"strangers": torch.eye(4)}),
    "made with another network": lambda p: gallery_file(),
}


@pytest.mark.parametrize("name", GALLERIES)
def test_a_hostile_gallery_is_refused(name: str, predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(GALLERIES[name](tmp_path / "pwned"))
    with pytest.raises(UserError):
        load_gallery(path, predictor.model)
    assert not (tmp_path / "pwned").exists()


def onnx_file(description: str | None = None, outside: str | None = None) -> bytes:
    """A network of one step, with weights in another file if its path is given."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = onnx.TensorProto(name="w", data_type=kind, dims=[1])
    if outside is None:
        weights.float_data.append(1.0)
    else:
        weights.data_location = onnx.TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=outside)
    graph = helper.make_graph(
        [helper.make_node("Mul", ["windows", "w"], [name]) for name in ("logits", "embedding")],
        "g",
        [helper.make_tensor_value_info("windows", kind, [None, 3, 8, 8])],
        [helper.make_tensor_value_info(name, kind, None) for name in ("logits", "embedding")],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if description is not None:
        helper.set_model_props(model, {"facenet_demo": description})
    return model.SerializeToString()


def described(**change: object) -> str:
    plain = {"format": 2, "people": ["a"], "window": 8, "face_scale": 1.0, "digest": "x",
             "calibration": {"temperature": 1.0}}  # fmt: skip
    return json.dumps({**plain, **change})


ONNX: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda p: b"",
    "text": lambda p: b"hello",
    "code": lambda p: pickle.dumps(Evil(p)),
    "half a file": lambda p: onnx_file(described())[:60],
    "no description": lambda p: onnx_file(),
    "a description of no JSON": lambda p: onnx_file("{{"),
    "a description without end": lambda p: onnx_file("[" * 100_000),
    "a description of a wrong type": lambda p: onnx_file("[1]"),
    "another format": lambda p: onnx_file(described(format=9)),
    "a huge window": lambda p: onnx_file(described(window=10**9)),
    "no people": lambda p: onnx_file(described(people=[])),
    "a calibration of text": lambda p: onnx_file(described(calibration={"temperature": "x"})),
    "scores of another shape": lambda p: onnx_file(described()),
    "weights in another file": lambda p: onnx_file(described(), str(p.parent / "secret")),
    "weights outside its folder": lambda p: onnx_file(described(), "../../../etc/hostname"),
}


@pytest.mark.parametrize("name", ONNX)
def test_a_hostile_onnx_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(4))
    (tmp_path / "a.onnx").write_bytes(ONNX[name](tmp_path / "pwned"))
    with pytest.raises(UserError, match=r"a\.onnx"):
        load_model(tmp_path / "a.onnx")
    assert not (tmp_path / "pwned").exists()
