from __future__ import annotations

import csv
import inspect
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from rich.console import Console

from facenet_demo.predict.command import _parser, main
from facenet_demo.predict.copies import FileNamer, places_of_copies
from facenet_demo.predict.inputs import InputFiles
from facenet_demo.predict.output import CSV_COLUMNS, photo_table
from facenet_demo.predict.predictor import Predictor
from facenet_demo.predict.results import SCHEMA, PhotoResult
from facenet_demo.predict.video import predict_video
from facenet_demo.training.cli import CONFIGS


@pytest.fixture
def holiday(orl_root: Path, tmp_path: Path) -> Path:
    """Photos as people have them: s1, a folder with s2, nobody, and three that are none."""
    folder = tmp_path / "holiday"
    (folder / "sub.jpg").mkdir(parents=True)
    for source, name in (("s1/1.pgm", "a.jpg"), ("s2/1.pgm", "sub.jpg/b c\n'\"😀.png")):
        with Image.open(orl_root / source) as image:
            image.save(folder / name)
    Image.new("RGB", (80, 60), "grey").save(folder / "nobody.png")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("hello")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "sub.jpg/up").symlink_to(folder)
    (folder / "notes.txt").write_text("not a photo")
    (folder / ".hidden.jpg").write_text("not ours")
    return folder


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_file_is_a_row_and_one_that_cannot_be_read_stops_nothing(
    run_folder: Path, holiday: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    code = main([str(run_folder), str(holiday), "--json", str(tmp_path / "a.jsonl")])
    assert code == 1
    found = {Path(row["file"]).name: row for row in rows(tmp_path / "a.jsonl")}
    assert {name: row["error"] for name, row in found.items()} == {
        "a.jpg": None,
        "b c\n'\"😀.png": None,
        "nobody.png": None,
        "empty.jpg": "empty file",
        "text.jpg": "not an image",
        "loop.jpg": "too many levels of symbolic links",
    }
    assert {name: len(row["faces"]) for name, row in found.items()} == {
        "a.jpg": 1, "b c\n'\"😀.png": 1, "nobody.png": 0, "empty.jpg": 0, "text.jpg": 0,
        "loop.jpg": 0,
    }  # fmt: skip
    said = capsys.readouterr()
    assert "6 files, 2 faces" in said.err
    assert "3 not read" in said.err
    assert "1 files in folders ignored" in said.err
    assert "no face found" in said.out
    assert "empty file" in said.out


def test_all_read_is_exit_code_0(
    run_folder: Path, orl_root: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([str(run_folder), str(orl_root / "s1/1.pgm"), "--threshold", "0"]) == 0
    said = capsys.readouterr()
    assert "s1" in said.out
    assert "Unknown: a certainty of 0.0% or less, as you said." in said.err


def test_the_json_has_its_schema(run_folder: Path, orl_root: Path, tmp_path: Path) -> None:
    """What docs/predictions.md promises; a change here is a new schema."""
    main([str(run_folder), str(orl_root / "s1/1.pgm"), "--json", str(tmp_path / "a"), "--top", "2"])
    (row,) = rows(tmp_path / "a")
    assert row.keys() == {"schema", "kind", "file", "size", "faces", "error"}
    assert (row["schema"], row["kind"], row["size"]) == (SCHEMA, "photo", [112, 92])
    (face,) = row["faces"]
    assert face.keys() == {
        "name", "probability", "certainty", "guesses", "box", "landmarks", "detector_score", "size",
        "warnings",
    }  # fmt: skip
    assert [guess.keys() for guess in face["guesses"]] == [{"name", "probability"}] * 2
    assert len(face["box"]) == 4
    assert [len(point) for point in face["landmarks"]] == [2] * 5
    documented = (CONFIGS.parent / "docs/predictions.md").read_text("utf-8")
    assert SCHEMA in documented
    for key in row.keys() | face.keys():
        assert f"`{key}`" in documented


def test_the_csv_has_a_row_for_each_face_and_file(
    run_folder: Path, holiday: Path, tmp_path: Path
) -> None:
    main([str(run_folder), str(holiday), "--csv", str(tmp_path / "new/a.csv")])
    with (tmp_path / "new/a.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert tuple(found[0]) == CSV_COLUMNS
    errors = sorted(row["error"] for row in found)
    assert errors == ["", "", "empty file", "no face found", "not an image",
                      "too many levels of symbolic links"]  # fmt: skip
    named = [row for row in found if not row["error"]]
    assert all(0 < float(row["probability"]) <= 1 for row in named)


def test_json_on_the_terminal_is_nothing_but_json(
    run_folder: Path, orl_root: Path, capsys: pytest.CaptureFixture
) -> None:
    main([str(run_folder), str(orl_root / "s1/1.pgm"), str(orl_root / "s1/2.pgm"), "--json", "-"])
    assert len([json.loads(line) for line in capsys.readouterr().out.splitlines()]) == 2


@pytest.mark.parametrize("end", ["\n", "\0"])
def test_a_list_comes_from_standard_input(
    end: str, run_folder: Path, orl_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / ("two\nlines.pgm" if end == "\0" else "two words.pgm")
    odd.symlink_to(orl_root / "s2/1.pgm")
    listed = f"{orl_root / 's1/1.pgm'}{end}{odd}{end}".encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(listed)))
    assert main([str(run_folder), "-", "--json", str(tmp_path / "a.jsonl")]) == 0
    assert [row["file"] for row in rows(tmp_path / "a.jsonl")] == [
        str(orl_root / "s1/1.pgm"),
        str(odd),
    ]


def test_a_name_that_is_no_text_will_do(run_folder: Path, orl_root: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.pgm"))
    try:
        path.symlink_to(orl_root / "s1/1.pgm")
    except OSError:
        pytest.skip("this file system refuses the name")
    args = [str(run_folder), str(path), "--json", str(tmp_path / "a"), "--csv", str(tmp_path / "b")]
    assert main([*args, "--annotate", str(tmp_path / "named")]) == 0
    assert rows(tmp_path / "a")[0]["file"].endswith("/\\xff\\xfe.pgm")


def test_copies_with_names_keep_their_places_apart(
    run_folder: Path, holiday: Path, orl_root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "named"
    args = [str(run_folder), str(holiday), str(orl_root / "s1/1.pgm"), str(orl_root / "s2/1.pgm")]
    main([*args, "--annotate", str(out)])
    made = {str(path.relative_to(out)) for path in out.rglob("*.jpg") if path.is_file()}
    assert made == {
        "holiday/a.jpg", "holiday/sub.jpg/b c\n'\"😀.png.jpg", "holiday/nobody.png.jpg",
        "1.pgm.jpg", "1.pgm-2.jpg",
    }  # fmt: skip
    with Image.open(out / "1.pgm.jpg") as image:
        assert image.size == (92 * 6, 112 * 6)


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        (["/none/a.jpg", "b.jpg"], ["/none/a.jpg", "b.jpg"]),
        (["/none/a.jpg", "/none/sub/b.jpg"], ["in /none", "│ a.jpg ", "│ sub/b.jpg "]),
    ],
)
def test_a_table_says_once_what_all_paths_begin_with(files: list[str], shown: list[str]) -> None:
    console = Console(record=True, width=120)
    console.print(photo_table([PhotoResult(file, None, error="no such file") for file in files]))
    text = console.export_text()
    assert all(part in text for part in shown)


def test_no_copy_is_written_over_another() -> None:
    places = ["a.jpg", "a.jpg", "a-2.jpg", "a.png", "a.png.jpg", "sub/a.jpg", "a.mp4", "a.mp4"]
    found = InputFiles()
    for number, place in enumerate(places):
        found.add(Path(str(number)), Path(place), "video" if place.endswith("mp4") else "photo")
    copies = [str(copy) for copy in places_of_copies(found)]
    assert copies == [
        "a.jpg", "a-2.jpg", "a-2-2.jpg", "a.png.jpg", "a.png-2.jpg", "sub/a.jpg", "a.mp4",
        "a-2.mp4",
    ]  # fmt: skip


def test_a_video_is_a_table_of_people(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "party.mp4").write_text("hello")
    assert main([str(run_folder), str(tmp_path / "party.mp4"), "--json", "-"]) == 1
    row = json.loads(capsys.readouterr().out)
    assert row == {
        "schema": SCHEMA, "kind": "video", "file": str(tmp_path / "party.mp4"), "num_frames": 0,
        "appearances": [], "error": "not a video that can be read",
    }  # fmt: skip


def test_a_gallery_is_kept_and_used(
    run_folder: Path, orl_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for person in ("s20", "s21", "s22"):
        (tmp_path / "people" / person).mkdir(parents=True)
        (tmp_path / "people" / person / "1.pgm").symlink_to(orl_root / person / "1.pgm")
    kept = str(tmp_path / "people.safetensors")
    args = [str(run_folder), str(orl_root / "s20/2.pgm"), "--threshold", "-1", "--gallery"]
    assert main([*args, str(tmp_path / "people"), "--save-gallery", kept]) == 0
    first = capsys.readouterr()
    assert "3 people, 3 photos" in first.err
    assert "s20" in first.out
    assert main([*args, kept]) == 0
    assert capsys.readouterr().out == first.out


def test_ctrl_c_keeps_what_is_finished(
    run_folder: Path, orl_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    named = FileNamer.__call__

    def stopped(self: FileNamer, item: tuple[Path, Path]) -> object:
        if item[0].name == "3.pgm":
            raise KeyboardInterrupt
        return named(self, item)

    monkeypatch.setattr(FileNamer, "__call__", stopped)
    files = [str(orl_root / f"s1/{number}.pgm") for number in (1, 2, 3, 4)]
    assert main([str(run_folder), *files, "--json", str(tmp_path / "a"), "--threads", "1"]) == 130
    assert [Path(row["file"]).name for row in rows(tmp_path / "a")] == ["1.pgm", "2.pgm"]
    said = capsys.readouterr()
    assert "2 of 4 done" in said.err
    assert "2.pgm" in said.out


WRONG: list[tuple[Callable[[Path, Path], list[str]], str]] = [
    (lambda run, tmp: [str(tmp / "gone"), "a.jpg"], "no checkpoint"),
    (lambda run, tmp: [str(tmp / "gone.onnx"), "a.jpg"], "no ONNX file"),
    (lambda run, tmp: [str(run), str(tmp / "empty")], "No photos or videos in"),
    (lambda run, tmp: [str(run), "a.jpg", "--save-gallery", "b"], "--gallery"),
    (lambda run, tmp: [str(run), "a.jpg", "--gallery", "b", "--save-gallery", "c"], "must end in"),
    (lambda run, tmp: [str(run), "a.jpg", "--json", "b", "--csv", "b"], "both write to b"),
    (lambda run, tmp: [str(run), "a.jpg", "--strangers", "b"], "gallery"),
    (lambda run, tmp: [str(run), "a.jpg", "--gallery", str(tmp / "gone")], "does not exist"),
    (lambda run, tmp: [str(run), "a.jpg", "--threshold", "0.5", "--false-accept-rate", "0.1"],
     "not both"),
    (lambda run, tmp: [str(run), str(tmp / "a.jpg"), "--json", str(tmp / "a.jpg")], "to read"),
    (lambda run, tmp: [str(run), "a.jpg", "--json", "/proc/none/a"], "cannot be written"),
    (lambda run, tmp: [str(run), str(tmp / "a.jpg"), "--annotate", str(tmp)], "written over"),
    (lambda run, tmp: [str(run), str(tmp / "b/a.jpg"), str(tmp / "a.jpg"), "--annotate", str(tmp)],
     "written over"),
    (lambda run, tmp: [str(run), str(tmp / "a.jpg"), "--annotate", "/proc/none"], "be made"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "says"), WRONG)
def test_wrong_use_is_exit_code_2(
    args: Callable[[Path, Path], list[str]], says: str, run_folder: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "a.jpg")
    (tmp_path / "b").mkdir()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "b/a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    assert main(args(run_folder, tmp_path)) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "a.jpg").read_bytes() == before


@pytest.mark.parametrize("args", [[], ["run"], ["run", "a.jpg", "--top", "0"], ["--nonsense"]])
def test_wrong_flags_are_exit_code_2(args: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(args)
    assert exit_.value.code == 2


def test_what_is_not_said_is_as_in_python() -> None:
    said = _parser().parse_args(["run", "photo.jpg"])
    photos = inspect.signature(Predictor).parameters
    assert said.top == photos["num_guesses"].default
    assert said.search_side == photos["search_side"].default
    assert said.max_megapixels * 1_000_000 == photos["max_pixels"].default
    assert said.every == inspect.signature(predict_video).parameters["every"].default


def test_help_teaches(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    said = capsys.readouterr().out
    assert said.count("facenet-predict") >= 5
    assert "exit code" in said


def test_naming_a_face_needs_no_lightning(run_folder: Path, orl_root: Path) -> None:
    """What takes seconds to import is not."""
    script = (
        "import sys\n"
        "from facenet_demo.predict.command import main\n"
        f"code = main([{str(run_folder)!r}, {str(orl_root / 's1/1.pgm')!r}])\n"
        "heavy = {'lightning', 'torchvision', 'matplotlib', 'scipy', 'torchmetrics', 'onnx'}\n"
        "print(code, sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
