"""What programs and spreadsheets are given: UTF-8 everywhere, no formulas, a row for every file."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from facenet_demo.faces.photos import ImageError, Photo
from facenet_demo.predict import Predictor, copies, naming_files
from facenet_demo.predict.command import main
from facenet_demo.predict.copies import FileNamer
from facenet_demo.predict.inputs import find_files
from facenet_demo.predict.output import csv_rows, csv_writer
from facenet_demo.predict.results import Guess, PhotoResult, Prediction
from facenet_demo.system.errors import UserError
from facenet_demo.training.cli import CONFIGS

NAME = "李明 Zoë.pgm"


def run(run_folder: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    code = "import sys; from facenet_demo.predict.command import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, str(run_folder), *args],
        env={**os.environ, **environment}, capture_output=True, check=False,
    )  # fmt: skip


ENCODINGS = [
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "cp932"},
    {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONIOENCODING": ""},
]


@pytest.mark.parametrize("environment", ENCODINGS, ids=["cp1252", "cp932", "C"])
def test_what_programs_read_is_utf_8_and_the_table_does_without_what_cannot_be_shown(
    environment: dict[str, str], run_folder: Path, orl_root: Path, tmp_path: Path
) -> None:
    photo = tmp_path / NAME
    photo.symlink_to(orl_root / "s1/1.pgm")
    done = run(run_folder, str(photo), "--json", "-", **environment)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout.decode("utf-8"))["file"] == str(photo)
    done = run(run_folder, str(photo), "--csv", "-", **environment)
    assert done.returncode == 0, done.stderr.decode()
    (row,) = csv.DictReader(done.stdout.decode("utf-8").splitlines())
    assert row["file"] == str(photo)
    done = run(run_folder, str(photo), "--threshold", "0", **environment)
    assert done.returncode == 0, done.stderr.decode()
    encoding = environment["PYTHONIOENCODING"] or "ascii"
    shown = done.stdout.decode(encoding)
    assert "s1" in shown
    assert ("李明" if encoding == "cp932" else "\\u674e\\u660e") in shown.replace("\n", "")


def test_a_config_that_is_printed_is_utf_8(tmp_path: Path) -> None:
    code = "import sys; from facenet_demo.training.cli import main; sys.exit(main(sys.argv[1:]))"
    args = [f"--config={CONFIGS / 'folder.yaml'}", "--data.source.root=/日本é", "--print_config"]
    done = subprocess.run(
        [sys.executable, "-c", code, *args], check=True, capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )  # fmt: skip
    config = yaml.safe_load(done.stdout.decode("utf-8"))
    assert config["data"]["source"]["init_args"]["root"] == "/日本é"


def face(name: str | None) -> Prediction:
    guesses = (Guess("Ada", 0.97),)
    return Prediction(name, 0.97, -0.25, guesses, (-3.5, 1.0, 20.0, 30.0), (), 0.99, 29)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=cmd|" /C"!A0'])
def test_no_cell_is_a_formula(text: str, tmp_path: Path) -> None:
    result = PhotoResult(text, (40, 40), (face(text), face(f"a;{text}")), error=text)
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv_writer(file).writerows(csv_rows(result))
    with (tmp_path / "a.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["file"], first["name"], first["error"]) == (f"'{text}",) * 3
    assert second["name"] == f"a;{text}"
    assert '"a;' in (tmp_path / "a.csv").read_text(), "one cell, whatever parts cells"
    assert (first["x1"], first["certainty"]) == ("-3.5", "-0.25"), "numbers stay numbers"


def test_other_names_stay_as_they_are() -> None:
    for name in ("'t Hooft", "Ada", "a=b", " =1", "Zoë"):
        (row,) = csv_rows(PhotoResult("a.jpg", (4, 4), (face(name),)))
        assert (row["name"], row["file"]) == (name, "a.jpg")


def rows(path: Path) -> dict[str, dict]:
    lines = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    return {Path(row["file"]).name: row for row in lines}


def test_a_picture_that_cannot_be_annotated_is_a_row(
    run_folder: Path, orl_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    good = ["a.jpg", "x" * 251 + ".jpg", "z.jpg"]
    for name in good:
        (photos / name).symlink_to(orl_root / "s1/1.pgm")
    (photos / ("y" * 250 + ".png")).symlink_to(orl_root / "s1/1.pgm")  # + .jpg: too long
    Image.new("RGB", (600_000, 40), "grey").save(photos / "wide.png")
    (tmp_path / "named/photos/taken.jpg").mkdir(parents=True)
    (photos / "taken.jpg").symlink_to(orl_root / "s1/1.pgm")
    out = tmp_path / "named"
    args = [str(run_folder), str(photos), "--annotate", str(out), "--json", str(tmp_path / "a")]
    assert main(args) == 1
    found = rows(tmp_path / "a")
    assert {name for name, row in found.items() if row["error"] is None} == set(good)
    assert {path.name for path in out.rglob("*") if path.is_file()} == set(good)
    reasons = {name[:4]: row["error"] for name, row in found.items() if row["error"]}
    assert all(reason.startswith("not annotated: ") for reason in reasons.values())
    assert reasons["wide"] == "not annotated: a JPEG has at most 65500 pixels a side"
    assert "file name too long" in reasons["yyyy"]
    assert "is a directory" in reasons["take"]
    assert len(found["y" * 250 + ".png"]["faces"]) == 1, "it is named all the same"
    said = capsys.readouterr().err
    assert "3 not annotated" in said
    assert "not read" not in said


def test_a_photo_that_goes_before_it_is_drawn_is_said(
    run_folder: Path, orl_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: object) -> Photo:
        raise ImageError("no such file")

    monkeypatch.setattr(copies, "read_photo", gone)
    args = [str(run_folder), str(orl_root / "s1/1.pgm"), "--annotate", str(tmp_path / "named")]
    assert main([*args, "--json", str(tmp_path / "a")]) == 1
    assert rows(tmp_path / "a")["1.pgm"]["error"] == "not annotated: no such file"


def test_where_no_copy_can_be_written_the_work_ends(
    run_folder: Path, orl_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        size = (40, 40)

        def save(self, *args: object, **settings: object) -> None:
            Path("/dev/full").write_text("more than there is room for")

    monkeypatch.setattr(copies, "annotate", lambda photo, faces: Full())
    work = FileNamer(Predictor(run_folder), 5, tmp_path, find_files([orl_root / "s1/1.pgm"]))
    with pytest.raises(UserError, match=r"1\.jpg cannot be written: No space left on device"):
        work((orl_root / "s1/1.pgm", Path("1.jpg")))


@pytest.mark.parametrize("flag", ["--json", "--csv"])
def test_a_full_disk_names_the_file(
    flag: str, run_folder: Path, orl_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run_folder), str(orl_root / "s1/1.pgm"), flag, "/dev/full"]) == 2
    assert "Error: /dev/full: No space left on device" in capsys.readouterr().err


def test_a_second_ctrl_c_says_how_far_it_came(
    run_folder: Path, orl_root: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def stopped(*args: object) -> None:
        raise KeyboardInterrupt

    named = FileNamer.__call__

    def stopped_at_third(self: FileNamer, item: tuple[Path, Path]) -> object:
        return stopped() if item[0].name == "3.pgm" else named(self, item)

    monkeypatch.setattr(FileNamer, "__call__", stopped_at_third)
    monkeypatch.setattr(naming_files, "_conclude", stopped)
    files = [str(orl_root / f"s1/{number}.pgm") for number in (1, 2, 3, 4)]
    assert main([str(run_folder), *files, "--threads", "1"]) == 130
    said = capsys.readouterr().err
    assert "Interrupted: 2 of 4 done." in said
    assert "before the first file" not in said


def test_a_video_without_a_known_name_is_one(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clip").write_bytes(b"FLV\x01 damaged")
    assert main([str(run_folder), str(tmp_path), "--json", "-"]) == 1
    row = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["error"]) == ("video", "not a video that can be read")
