"""Against a server on loopback."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from facenet_demo.data.sources import LFW, download, lfw
from facenet_demo.data.sources.download import Archive, fetch_archive
from facenet_demo.system.errors import UserError

PHOTOS = {"faces/Ada/1.jpg": b"a" * 300_000, "faces/Grace/1.jpg": bytes(range(256)) * 2000}


def tar_of(files: dict[str, bytes], *links: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for link in links:
            tar.addfile(link)
    return buffer.getvalue()


class Server:
    """Serves `content`; `stop_after` bytes of one answer it hangs up."""

    def __init__(self) -> None:
        self.content = b""
        self.stop_after: int | None = None
        self.ranges = True
        self.status = 200
        self.requests: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                server.requests.append(wanted)
                if server.status != 200:
                    self.send_error(server.status)
                    return
                start = 0
                if wanted and server.ranges:
                    start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1))
                    if start >= len(server.content):
                        self.send_error(416)
                        return
                self.send_response(206 if start else 200)
                body = server.content[start:]
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                stop, server.stop_after = server.stop_after, None
                self.wfile.write(body[:stop])

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/faces.tgz"

    def archive(self, content: bytes) -> Archive:
        self.content = content
        return Archive(self.url, hashlib.sha256(content).hexdigest(), "faces")


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    thread = Thread(target=served.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.http.shutdown()
    thread.join()
    served.http.server_close()


def assert_unpacked(target: Path) -> None:
    for name, content in PHOTOS.items():
        assert (target / name).read_bytes() == content
    others = {p.name for p in target.iterdir()} - {"faces", "faces.lock"}
    assert not others, "the archive is gone, nothing is left over"


def test_an_archive_is_downloaded_and_unpacked(server: Server, tmp_path: Path) -> None:
    folder = fetch_archive(server.archive(tar_of(PHOTOS)), tmp_path)
    assert folder == tmp_path / "faces"
    assert_unpacked(tmp_path)


def test_a_second_call_asks_nobody(server: Server, tmp_path: Path) -> None:
    archive = server.archive(tar_of(PHOTOS))
    for _ in range(2):
        fetch_archive(archive, tmp_path)
    assert len(server.requests) == 1


@pytest.mark.parametrize("ranges", [True, False], ids=["from there", "anew"])
def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path, ranges: bool) -> None:
    archive = server.archive(tar_of(PHOTOS, mode="w"))
    server.stop_after, server.ranges = 400_000, ranges
    with pytest.raises(UserError, match="the same command goes on"):
        fetch_archive(archive, tmp_path)
    assert not (tmp_path / "faces").exists()
    fetch_archive(archive, tmp_path)
    assert server.requests == [None, "bytes=400000-"]
    assert_unpacked(tmp_path)


def test_what_arrived_is_counted_anew_by_a_server_that_starts_anew(
    server: Server, tmp_path: Path
) -> None:
    archive = server.archive(tar_of(PHOTOS, mode="w"))
    server.ranges = False
    for stop in (400_000, 300_000):
        server.stop_after = stop
        with pytest.raises(UserError, match=f"stopped after {stop} of {len(server.content)} bytes"):
            fetch_archive(archive, tmp_path)


def test_what_arrived_whole_before_a_kill_is_not_fetched_again(
    server: Server, tmp_path: Path
) -> None:
    archive = server.archive(tar_of(PHOTOS))
    (tmp_path / "faces.download").write_bytes(server.content)
    fetch_archive(archive, tmp_path)
    assert_unpacked(tmp_path)


@pytest.mark.parametrize("surplus", [b"", b"?" * 1_000_000], ids=["wrong", "wrong and too long"])
def test_a_wrong_beginning_is_removed_and_the_next_call_starts_anew(
    server: Server, tmp_path: Path, surplus: bytes
) -> None:
    archive = server.archive(tar_of(PHOTOS))
    (tmp_path / "faces.download").write_bytes(b"wrong" + surplus)
    with pytest.raises(UserError, match=r"SHA-256 .* instead of"):
        fetch_archive(archive, tmp_path)
    fetch_archive(archive, tmp_path)
    assert server.requests == [f"bytes={5 + len(surplus)}-", None]
    assert_unpacked(tmp_path)


def test_another_file_than_expected_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    archive = server.archive(tar_of(PHOTOS))
    server.content = server.content[:-1] + b"!"
    with pytest.raises(UserError, match=r"SHA-256 .* instead of"):
        fetch_archive(archive, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} <= {"faces.lock"}


def test_a_server_that_has_it_not_is_named(server: Server, tmp_path: Path) -> None:
    archive = server.archive(tar_of(PHOTOS))
    server.status = 404
    with pytest.raises(UserError, match=r"127\.0\.0\.1.*404.*`data\.source\.root`"):
        fetch_archive(archive, tmp_path)


def test_no_server_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    unused = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"http://127.0.0.1:{unused.server_port}/faces.tgz"
    unused.server_close()
    with pytest.raises(UserError, match=r"refused.*`data\.source\.root`"):
        fetch_archive(Archive(url, "0" * 64, "faces"), tmp_path)


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


@pytest.mark.parametrize(
    "content",
    [
        tar_of({**PHOTOS, "../evil": b"x"}),
        tar_of({**PHOTOS, "faces/../../evil": b"x"}),
        tar_of({**PHOTOS, "/tmp/facenet_demo_evil": b"x"}),
        tar_of({**PHOTOS, "elsewhere/evil": b"x"}),
        tar_of(PHOTOS, link("faces/evil", "../../secret")),
        tar_of(PHOTOS, link("faces/evil", "/etc/passwd")),
        tar_of(PHOTOS, link("faces/evil", "../secret", tarfile.LNKTYPE)),
    ],
    ids=["up", "up inside", "absolute", "beside", "link up", "link away", "hard link"],
)
def test_nothing_is_written_or_linked_outside_the_folder(
    server: Server, tmp_path: Path, content: bytes
) -> None:
    target = tmp_path / "deep" / "target"
    (tmp_path / "secret").write_text("secret")
    with contextlib.suppress(UserError):  # refused as a whole, or what is outside left out
        fetch_archive(server.archive(content), target)
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/tmp/facenet_demo_evil").exists()


def test_a_file_that_is_no_archive_is_an_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be unpacked"):
        fetch_archive(server.archive(b"hello" * 1000), tmp_path)
    assert not (tmp_path / "faces").exists()


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w"])
def test_an_archive_that_ends_too_early_is_an_error(
    server: Server, tmp_path: Path, mode: str
) -> None:
    content = tar_of(PHOTOS, mode=mode)
    with pytest.raises(UserError, match="cannot be unpacked"):
        fetch_archive(server.archive(content[: len(content) // 2]), tmp_path)
    assert not (tmp_path / "faces").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_disk_that_fills_while_downloading_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = server.archive(tar_of(PHOTOS, mode="w"))
    full = Path("/dev/full")
    monkeypatch.setattr(download, "open_no_link", lambda path, mode: full.open("wb", buffering=0))
    with pytest.raises(UserError, match="No space left on device"):
        fetch_archive(archive, tmp_path)
    assert not (tmp_path / "faces").exists()


@pytest.mark.parametrize("name", ["faces.download", "faces.lock"])
def test_nothing_is_written_through_a_link_that_somebody_planted(
    name: str, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / name).symlink_to(tmp_path / "mine")
    with contextlib.suppress(UserError):
        fetch_archive(server.archive(tar_of(PHOTOS)), tmp_path / "cache")
        assert_unpacked(tmp_path / "cache")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_full_disk_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **settings: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = server.archive(tar_of(PHOTOS))
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractall", full)
        with pytest.raises(UserError, match=r"No space left on device.*FACENET_DEMO_CACHE"):
            fetch_archive(archive, tmp_path)
    fetch_archive(archive, tmp_path)
    assert_unpacked(tmp_path)


def test_a_place_that_cannot_be_written_is_said(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="FACENET_DEMO_CACHE"):
        fetch_archive(server.archive(tar_of(PHOTOS)), tmp_path / "file")


def test_two_at_once_download_once(server: Server, tmp_path: Path) -> None:
    archive = server.archive(tar_of(PHOTOS))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: fetch_archive(archive, tmp_path), range(2)))
    assert len(server.requests) == 1
    assert_unpacked(tmp_path)


def test_lfw_without_a_folder_is_downloaded(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACENET_DEMO_CACHE", str(tmp_path))
    monkeypatch.setattr(lfw, "ARCHIVE", server.archive(tar_of(PHOTOS)))
    source = LFW()
    source.fetch()
    assert [s.person for s in source.samples()] == ["Ada", "Grace"]
