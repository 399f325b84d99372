"""ONNX files that ask for more time or memory than there is: refused, and ended from outside."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from facenet_demo.faces.photos import ImageError
from facenet_demo.predict import onnx_trial
from facenet_demo.predict.models import OnnxModel, load_model
from facenet_demo.predict.onnx_trial import TrialError, try_out
from facenet_demo.system.errors import UserError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT, INT, BOOL = (getattr(onnx.TensorProto, name) for name in ("FLOAT", "INT64", "BOOL"))
ENDLESS = 2**60


def onnx_file(*steps: object, **constants: np.ndarray) -> bytes:
    """A network that takes the mean `m` of a face and makes `r` of it in some steps."""
    mean = helper.make_node("ReduceMean", ["windows", "axes"], ["mean"], keepdims=0)
    one = helper.make_node("Reshape", ["mean", "flat"], ["m"])
    answers = [
        helper.make_node("Reshape", ["r", "square"], [name]) for name in ("logits", "embedding")
    ]
    constants = {
        "axes": np.arange(4),
        "flat": np.array([1]),
        "square": np.array([1, 1]),
        **constants,
    }
    graph = helper.make_graph(
        [mean, one, *steps, *answers],
        "g",
        [helper.make_tensor_value_info("windows", FLOAT, [None, 3, 8, 8])],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in ("logits", "embedding")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    described = {"format": 3, "people": ["a"], "window": 8, "face_scale": 1.0, "digest": "x",
                 "calibration": {"temperature": 1.0}}  # fmt: skip
    helper.set_model_props(model, {"facenet_demo": json.dumps(described)})
    return model.SerializeToString()


def loop(count: str, start: str, result: str) -> object:
    """Adds a number to itself, many times."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["on2"]), helper.make_node("Add", ["x", "x"], ["y"])],
        "body",
        [helper.make_tensor_value_info("i", INT, []), helper.make_tensor_value_info("on", BOOL, []),
         helper.make_tensor_value_info("x", FLOAT, [1])],
        [helper.make_tensor_value_info("on2", BOOL, []),
         helper.make_tensor_value_info("y", FLOAT, [1])],
    )  # fmt: skip
    return helper.make_node("Loop", [count, "", start], [result], body=body)


def good() -> bytes:
    return onnx_file(helper.make_node("Identity", ["m"], ["r"]))


def endless() -> bytes:
    return onnx_file(loop("n", "m", "r"), n=np.array(ENDLESS))


def endless_before_it_is_asked() -> bytes:
    """A loop over constants, which onnxruntime ends while it loads the file."""
    return onnx_file(
        loop("n", "one", "q"),
        helper.make_node("Add", ["m", "q"], ["r"]),
        n=np.array(ENDLESS),
        one=np.ones(1, np.float32),
    )


def endless_for_bright_faces() -> bytes:
    """As many rounds as 255 times the mean is large, to the eighth power; none for a black face."""
    return onnx_file(
        helper.make_node("Mul", ["m", "white"], ["bright"]),
        helper.make_node("Pow", ["bright", "eight"], ["many"]),
        helper.make_node("Cast", ["many"], ["whole"], to=INT),
        helper.make_node("Squeeze", ["whole"], ["n"]),
        loop("n", "zero", "q"),
        helper.make_node("Add", ["m", "q"], ["r"]),
        white=np.full(1, 255, np.float32),
        eight=np.full(1, 7, np.float32),
        zero=np.zeros(1, np.float32),
    )


def huge_constant() -> bytes:
    """4 TB, made while the file is loaded."""
    ones = numpy_helper.from_array(np.ones(1, np.float32))
    return onnx_file(
        helper.make_node("ConstantOfShape", ["n"], ["huge"], value=ones),
        helper.make_node("ReduceMean", ["huge"], ["q"], keepdims=0),
        helper.make_node("Add", ["m", "q"], ["r"]),
        n=np.array([2**40]),
    )


def huge_answer() -> bytes:
    """34 GB, made while a face is looked at; Linux would promise them."""
    return onnx_file(
        helper.make_node("Expand", ["m", "n"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["q"], keepdims=0),
        helper.make_node("Add", ["m", "q"], ["r"]),
        n=np.array([2**33]),
    )


def no_number() -> bytes:
    nan = np.full(1, np.nan, np.float32)
    return onnx_file(helper.make_node("Add", ["m", "nan"], ["r"]), nan=nan)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "endless": (endless, "no answer within 2 seconds"),
    "endless before it is asked": (endless_before_it_is_asked, "no answer within 2 seconds"),
    "a huge constant": (huge_constant, "ConstantOfShape"),
    "a huge answer": (huge_answer, "Expand"),
    "no number": (no_number, "not a finite number"),
}


@pytest.fixture
def processes() -> Callable[[], set[int]]:
    """The processes that this one started and that are still there."""

    def children() -> set[int]:
        pids = Path(f"/proc/{os.getpid()}/task").glob("*/children")
        return {int(pid) for path in pids for pid in path.read_text().split()}

    return children


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_and_leaves_no_process(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    processes: Callable[[], set[int]],
) -> None:
    monkeypatch.setattr(onnx_trial, "SECONDS", 2)
    make, says = HOSTILE[name]
    (tmp_path / "a.onnx").write_bytes(make())
    before = processes()
    with pytest.raises(UserError, match=rf"a\.onnx.*{says}"):
        load_model(tmp_path / "a.onnx")
    assert processes() <= before


def test_a_good_file_answers(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(good())
    model = load_model(tmp_path / "a.onnx")
    assert model(torch.full((1, 3, 8, 8), 0.25)).logits.tolist() == [[0.25]]


def test_a_loop_that_only_a_face_starts_ends_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.onnx").write_bytes(endless_for_bright_faces())
    model = OnnxModel(tmp_path / "a.onnx")
    assert model(torch.zeros(1, 3, 8, 8)).logits.tolist() == [[0]]
    monkeypatch.setattr("facenet_demo.predict.models.SECONDS", 0.5)
    with pytest.raises(ImageError, match="gives no answer"):
        model(torch.ones(1, 3, 8, 8))


def test_nothing_in_the_current_folder_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime.py", "numpy.py", "json.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    try_out(good(), 4096)
    assert not (tmp_path / "pwned").exists()


WAITING = """
import sys
from pathlib import Path
from facenet_demo.predict.models import load_model
print("ready", flush=True)
load_model(sys.argv[1])
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_one_that_waits_ends_both(stop: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(endless())
    waiting = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(tmp_path / "a.onnx")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"ready\n"
    (child,) = _until(lambda: _busy_children(waiting.pid))
    waiting.send_signal(stop)
    waiting.communicate(timeout=30)  # long before the trial would end by itself
    assert waiting.returncode != 0
    _until(lambda: not _alive(child))


def _until(condition: Callable) -> object:
    end = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def _busy_children(pid: int) -> list[int]:
    """Those that have worked for a second: the file is loaded and runs."""
    found = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    ticks = os.sysconf("SC_CLK_TCK")

    def seconds(child: int) -> float:
        return int(Path(f"/proc/{child}/stat").read_text().rsplit(")")[-1].split()[11]) / ticks

    return [child for child in found if seconds(child) > 1]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def test_a_script_without_a_guard_and_a_process_that_was_spawned_may_load_one(
    tmp_path: Path,
) -> None:
    """multiprocessing would run the script again, or refuse children to its own."""
    (tmp_path / "a.onnx").write_bytes(good())
    (tmp_path / "script.py").write_text(
        "import sys\nfrom facenet_demo.predict.models import load_model\n"
        "print(load_model(sys.argv[1]).people)\n"
    )
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "a.onnx")]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"['a']\n"
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:  # daemons
        assert pool.apply(_people, [tmp_path / "a.onnx"]) == ["a"]


def _people(path: Path) -> list[str]:
    return load_model(path).people


def test_what_kills_the_process_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text("import os; os.abort()")
    monkeypatch.setattr(onnx_trial, "__file__", str(tmp_path / "crash.py"))
    with pytest.raises(TrialError, match="SIGABRT"):
        try_out(good(), 4096)
