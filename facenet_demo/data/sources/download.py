"""Download an archive once: resumed where it stopped, checked, unpacked safely.

    fetch_archive(Archive(url, sha256, folder="lfw_funneled"), Path("cache"))

Processes that want the same archive at once wait for the first.
"""

from __future__ import annotations

import hashlib
import http.client
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facenet_demo.system.errors import UserError
from facenet_demo.system.files import file_lock, new_folder, open_no_link, remove_leftovers
from facenet_demo.system.terminal import download_bar

_CHUNK = 1 << 20
_TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True)
class Archive:
    """A tar archive on the net.

    Attributes:
        url: where it is.
        sha256: what its bytes must hash to.
        folder: the one folder it holds.
    """

    url: str
    sha256: str
    folder: str


def fetch_archive(archive: Archive, target: Path) -> Path:
    """Return `target / archive.folder`, downloaded and unpacked if it is not there yet.

    Raises:
        UserError: if the server cannot be reached, or sends something else than expected.
    """
    folder = target / archive.folder
    if folder.is_dir():
        return folder
    try:
        target.mkdir(parents=True, exist_ok=True)
        with file_lock(target / f"{archive.folder}.lock"):
            if folder.is_dir():  # another process was faster
                return folder
            remove_leftovers(folder)
            file = target / f"{archive.folder}.download"
            _download(archive, file)
            with new_folder(folder) as unpacked, tarfile.open(file) as tar:
                tar.extractall(unpacked, filter=_inside(archive.folder))
            file.unlink()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{archive.url} cannot be unpacked: {error}.") from error
    except OSError as error:
        raise UserError(
            f"{archive.folder} could not be written to {target}: {error.strerror or error}. Free "
            "some space there, or set another folder in FACENET_DEMO_CACHE."
        ) from error
    return folder


def _inside(folder: str) -> Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]:
    """Tar's data filter for what lies in `folder`, whose own name is left out."""

    def keep(member: tarfile.TarInfo, target: str) -> tarfile.TarInfo | None:
        first, _, rest = member.name.removeprefix("./").partition("/")
        if first != folder or not rest:
            return None
        return tarfile.data_filter(member.replace(name=rest), target)

    return keep


def _download(archive: Archive, file: Path) -> None:
    """Append to `file` what is still missing of the archive, then check it."""
    if file.is_symlink():
        file.unlink()
    have = file.stat().st_size if file.exists() else 0
    request = urllib.request.Request(archive.url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
            have = have if resumed else 0
            length = response.headers.get("Content-Length")
            total = have + int(length) if length else None
            with open_no_link(file, "ab" if resumed else "wb") as out, download_bar() as bar:
                task = bar.add_task(archive.folder, total=total, completed=have)
                while chunk := response.read(_CHUNK):
                    out.write(chunk)
                    bar.advance(task, len(chunk))
                    have += len(chunk)
    except urllib.error.HTTPError as error:
        # "Range not satisfiable": nothing is missing, the checksum below decides.
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _failed(archive, error) from error
        total = have
    except (OSError, http.client.HTTPException) as error:
        raise _failed(archive, error) from error
    if total is not None and have < total:
        raise _failed(archive, f"it stopped after {have} of {total} bytes")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != archive.sha256:
        file.unlink()
        raise UserError(
            f"{archive.url} sent something else than {archive.folder}: SHA-256 {digest} instead of "
            f"{archive.sha256}. It was removed. Try again, or name a copy that you have: "
            f"`data.source.root` .../{archive.folder}"
        )


def _failed(archive: Archive, why: object) -> UserError:
    return UserError(
        f"Could not download {archive.url}: {why}. What arrived is kept: the same command goes on "
        f"from there. If you have the folder, name it: `data.source.root` .../{archive.folder}"
    )
