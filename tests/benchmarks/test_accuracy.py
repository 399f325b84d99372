from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from facenet_demo.benchmarks import accuracy
from facenet_demo.benchmarks.accuracy import NETWORK, Protocol, Row
from facenet_demo.system.errors import UserError


def rows(*accuracies: float, method: str = NETWORK) -> list[Row]:
    return [Row("orl", "x", i, method, a, 10.0 + i, 0.9, 0.0) for i, a in enumerate(accuracies)]


def printed(table: object) -> str:
    console = Console(width=160, record=True, file=None, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(table)
    return capture.get()


def test_the_table_holds_mean_and_spread_the_best_first() -> None:
    (table,) = accuracy.tables([*rows(0.5, 0.6, method="HOG + SVM"), *rows(0.98, 0.99, 1.0)])
    lines = printed(table).splitlines()
    first = next(i for i, line in enumerate(lines) if NETWORK in line)
    second = next(i for i, line in enumerate(lines) if "HOG" in line)
    assert first < second
    figures = [cell.strip(" │") for cell in lines[first].split("│")][2:]
    assert figures[:6] == ["99.00", "98.00", "100.00", f"{100 * np.std([.98, .99, 1]):.2f}", "3",
                           "11"]  # fmt: skip


def test_a_second_call_goes_on_where_the_first_one_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, done = tmp_path / "a.json", []

    def measure(name: str, settings: str, seed: int, *more: object) -> list[Row]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(seed)
        return [Row(name, settings, seed, method, 0.5 + seed / 100, 1.0)
                for method in (NETWORK, *accuracy.PEERS)]  # fmt: skip

    monkeypatch.setattr(accuracy, "_measure", measure)
    with pytest.raises(KeyboardInterrupt):
        accuracy.run(["orl"], output, num_seeds=3)
    done.clear()
    found = accuracy.run(["orl"], output, num_seeds=3)
    assert done == [2]
    assert [row.accuracy for row in found if row.method == NETWORK] == [0.5, 0.51, 0.52]


def test_a_changed_config_is_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "CONFIGS", tmp_path)
    monkeypatch.setattr(
        accuracy, "_measure",
        lambda name, settings, seed, *more: [
            Row(name, settings, seed, method, 0.5, 1.0) for method in (NETWORK, *accuracy.PEERS)
        ],
    )  # fmt: skip
    (tmp_path / "orl.yaml").write_text("a: 1")
    first = accuracy.run(["orl"], tmp_path / "a.json", num_seeds=1)
    (tmp_path / "orl.yaml").write_text("# a header changes nothing\na: 1")
    assert accuracy.run(["orl"], tmp_path / "a.json", num_seeds=1) == first
    (tmp_path / "orl.yaml").write_text("a: 2")
    second = accuracy.run(["orl"], tmp_path / "a.json", num_seeds=1)
    assert {row.settings for row in first}.isdisjoint(row.settings for row in second)


def test_a_real_row_is_that_of_a_training_with_all_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One epoch on ORL: every figure is there and within its range."""
    config = tmp_path / "orl.yaml"
    text = (accuracy.CONFIGS / "orl.yaml").read_text()
    config.write_text(text + "\n  enable_progress_bar: false\n  limit_train_batches: 2\n")
    monkeypatch.setattr(accuracy, "CONFIGS", tmp_path)
    monkeypatch.setitem(accuracy.PROTOCOLS, "orl", Protocol("ORL", "orl.yaml", 1))
    found = accuracy.run(["orl"], tmp_path / "a.json", runs=tmp_path / "runs")
    assert {row.method for row in found} == {NETWORK, *accuracy.PEERS}
    for row in found:
        assert 0 <= row.accuracy <= 1
        assert row.seconds > 0
    (network,) = (row for row in found if row.method == NETWORK)
    assert network.untrained_gabor_share == 0
    by_method = {row.method: row.accuracy for row in found}
    assert by_method["linear SVM on pixels"] > 0.9, "peers see faces and labels that fit"
    assert accuracy.run(["orl"], tmp_path / "a.json") == found, "read back: equal"
    assert asdict(found[0]).keys() == asdict(network).keys()


def test_an_unknown_protocol_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="orl, lfw, lfw7"):
        accuracy.run(["yale"], tmp_path / "a.json")


def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"mine": 1}')
    with pytest.raises(UserError, match="no result of this benchmark"):
        accuracy.run(["orl"], tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == '{"mine": 1}'
