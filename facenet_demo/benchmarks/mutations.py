"""Thousands of damaged photos: each must be a photo or an error with a reason, soon.

results = run(num=10_000, seed=0)

Real files of several formats with bytes flipped, cut off, cut out or exchanged for another file's.
Each is read in this process, so that a crash ends the benchmark.
"""

from __future__ import annotations

import io
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from facenet_demo.data.sources import ORL
from facenet_demo.faces.photos import ImageError, read_image
from facenet_demo.system.terminal import track

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")


@dataclass(frozen=True)
class Mutations:
    """What came of it.

    Attributes:
        num: files tried.
        readable: files that were still photos.
        reasons: how often each kind of error was given, without its details.
        other_errors: errors of any other class, by class: there should be none.
        slowest: seconds of the slowest file.
        grown: MiB that memory grew by at most.
    """

    num: int
    readable: int
    reasons: dict[str, int]
    other_errors: dict[str, int]
    slowest: float
    grown: float

    def __str__(self) -> str:
        return (
            f"{self.num} damaged photos: {self.readable} readable, {sum(self.reasons.values())} "
            f"refused with a reason, {sum(self.other_errors.values())} other errors; slowest "
            f"{self.slowest:.2f} s, memory grew by {self.grown:.0f} MiB"
        )


def run(num: int, seed: int) -> Mutations:
    """Try `num` files."""
    rng = np.random.default_rng(seed)
    whole = _files()
    readable, slowest = 0, 0.0
    reasons: Counter[str] = Counter()
    others: Counter[str] = Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jpg"
        for number in track(range(num), num, "Damaged photos"):
            path.write_bytes(mutate(whole[number % len(whole)], whole, rng))
            started = time.perf_counter()
            try:
                read_image(path)
                readable += 1
            except ImageError as error:
                reasons[str(error).split("(")[0].strip()] += 1
            except Exception as error:  # what is counted here is a mistake of ours
                others[type(error).__name__] += 1
            slowest = max(slowest, time.perf_counter() - started)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return Mutations(num, readable, dict(reasons), dict(others), slowest, grown)


def mutate(content: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """One damaged file: bytes flipped, the end cut off, a piece cut out, or another's head."""
    changed = bytearray(content)
    where = int(rng.integers(len(changed)))
    match int(rng.integers(4)):
        case 0:
            # Headers say the most: half of the flips go there.
            end = len(changed) if rng.integers(2) else min(64, len(changed))
            for place in rng.integers(0, end, int(rng.integers(1, 10))):
                changed[place] ^= int(rng.integers(1, 256))
        case 1:
            del changed[where:]
        case 2:
            del changed[where : where + int(rng.integers(1, 99))]
        case _:
            other = others[int(rng.integers(len(others)))]
            length = int(rng.integers(4, 64))
            changed[:length] = other[:length]
    return bytes(changed)


def _files() -> list[bytes]:
    face = Image.fromarray(read_image(ORL().samples()[0].path))
    small = face.resize((46, 56))
    made = []
    for image in (face, small):
        for kind in _FORMATS:
            buffer = io.BytesIO()
            image.save(buffer, kind)
            made.append(buffer.getvalue())
        for settings in ({"progressive": True}, {"quality": 30, "subsampling": 2}):
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", **settings)
            made.append(buffer.getvalue())
    return made
