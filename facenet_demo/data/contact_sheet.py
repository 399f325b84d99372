"""A page with the face that was taken of each photo, person by person.

write_contact_sheet(run / "people.html", data.crops, data.split.left_out)

One file that needs no other. It shows faces beside names: personal data, as the run is.
"""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facenet_demo.data.stored import Crops, LeftOut
from facenet_demo.system.files import new_file

_SIDE, _FRAME, _COLUMNS = 64, 3, 16  # of a face: pixels, with its frame; how many in a line
_PLAIN, _SEVERAL, _OVERRULED, _LEFT_OUT = range(4)
_COLOURS = ((255, 255, 255), (230, 159, 0), (0, 114, 178), (213, 94, 0))
_MEANINGS = (
    "",
    "the photo shows several faces, the main one was taken",
    "of several faces the one most like the person's other photos was taken",
    "left out",
)
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Faces taken</title>
<meta name="viewport" content="width=device-width">
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 1140px; margin: 2rem auto;
         padding: 0 1rem; color: #222; background: #fff; }
  h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; } h2 small { font-weight: normal; color: #666; }
  img { max-width: 100%; display: block; }
  ol, summary { font-size: .9rem; overflow-wrap: anywhere; }
  b { padding: 0 .4em; color: #fff; }
</style>
<h1>The face that was taken of each photo</h1>
<p>Personal data: keep this page as you keep the photos.</p>
"""


def write_contact_sheet(path: Path, crops: Crops, left_out: Iterable[LeftOut] = ()) -> None:
    """Write the page, whole or not at all.

    Args:
        path: of the file, HTML.
        crops: the faces.
        left_out: photos with a face that is used for nothing, each with its reason.
    """
    reasons = {entry.file: entry.reason for entry in left_out}
    kinds = np.where(np.asarray(crops.num_faces) > 1, _SEVERAL, _PLAIN)
    kinds[crops.overruled] = _OVERRULED
    rows: dict[str, list[int]] = defaultdict(list)
    for row, (person, file) in enumerate(zip(crops.people, crops.files, strict=True)):
        if file in reasons:
            kinds[row] = _LEFT_OUT
        rows[person].append(row)
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8") as page:
        page.write(_HEAD)
        for colour, meaning in zip(_COLOURS[1:], _MEANINGS[1:], strict=True):
            page.write(f'<p><b style="background:rgb{colour}">frame</b> {meaning}</p>\n')
        for person in sorted(rows):
            own = sorted(rows[person], key=lambda row: -kinds[row])  # what to look at comes first
            page.write(f"<h2>{escape(person)} <small>{len(own)} photos</small></h2>\n")
            page.write(_picture(crops, own, kinds))
            framed = [row for row in own if kinds[row] != _PLAIN]
            if framed:
                page.write(f"<details><summary>{len(framed)} framed</summary><ol>\n")
                for row in framed:
                    file = crops.files[row]
                    why = reasons.get(file) or f"{crops.num_faces[row]} faces"
                    page.write(f"<li>{escape(file)}: {escape(why)}</li>\n")
                page.write("</ol></details>\n")


def _picture(crops: Crops, rows: Sequence[int], kinds: np.ndarray) -> str:
    """The faces of some rows in framed squares, as an element of the page."""
    outer = _SIDE + 2 * _FRAME
    lines = -(-len(rows) // _COLUMNS)
    columns = min(len(rows), _COLUMNS)
    sheet = np.full((lines * outer, columns * outer, 3), 255, np.uint8)
    for place, row in enumerate(rows):
        top, left = (outer * number for number in divmod(place, _COLUMNS))
        sheet[top : top + outer, left : left + outer] = _COLOURS[kinds[row]]
        face = cv2.resize(crops.images[row], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        inside = (
            slice(top + _FRAME, top + outer - _FRAME),
            slice(left + _FRAME, left + outer - _FRAME),
        )
        sheet[inside] = face
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, "JPEG", quality=85)
    data = base64.b64encode(content.getvalue()).decode()
    height, width = sheet.shape[:2]
    return (
        f'<img width="{width}" height="{height}" alt="{len(rows)} faces" '
        f'src="data:image/jpeg;base64,{data}">\n'
    )
