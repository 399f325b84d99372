"""Photos with boxes and names drawn on them, legible on light and dark.

picture = annotate(read_photo("photo.jpg"), result.faces)
picture.save("annotated.jpg")
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from facenet_demo.faces.photos import Photo
from facenet_demo.pictures.lettering import font_file, runs
from facenet_demo.predict.results import Prediction

# Two colours that people who see no red or green can tell apart (Wong 2011, Nature Methods 8:441).
_KNOWN, _UNKNOWN = (0, 158, 115), (213, 94, 0)
_SMALLEST_TEXT = 11
# Small photos are enlarged to this longer side, so that there is room to write.
_LEAST_SIDE = 640


def annotate(photo: Photo, faces: Sequence[Prediction]) -> Image.Image:
    """Draw each face's box and name; line and text grow with the photo.

    Args:
        photo: as it was read.
        faces: as they were predicted, in pixels of the whole photo.
    """
    picture = Image.fromarray(photo.pixels)
    enlarged = max(1, round(_LEAST_SIDE / max(picture.size)))
    picture = picture.resize((picture.width * enlarged, picture.height * enlarged))
    scale = picture.width / photo.size[1]
    draw = ImageDraw.Draw(picture)
    line = max(2, max(picture.size) // 350)
    size = max(_SMALLEST_TEXT, max(picture.size) // 32)
    for face in faces:
        x1, y1, x2, y2 = (round(v * scale) for v in face.box)
        colour = _UNKNOWN if face.name is None else _KNOWN
        # White, dark and coloured lines side by side: one of them stands out on any ground.
        for grow, shade in ((line, (255, 255, 255)), (0, colour), (-line, (0, 0, 0))):
            box = (x1 - grow, y1 - grow, x2 + grow, y2 + grow)
            if box[2] > box[0] and box[3] > box[1]:
                draw.rectangle(box, outline=shade, width=line)
        text = face.label
        if face.name is not None:
            text += f" {face.probability:.0%}"
        _label(draw, picture.size, (x1 - line, y1 - line, y2 + line), text, size, colour)
    return picture


def _label(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    place: tuple[int, int, int],
    text: str,
    letters: int,
    colour: tuple[int, int, int],
) -> None:
    """White text on the box's colour, above the box; below it, or inside, if there is no room."""
    x, top, bottom = place
    pad = round(letters / 4)
    pieces = [(piece, _font(letters, file)) for piece, file in runs(text, font_file("Bold"))]
    ascents, descents = zip(*(font.getmetrics() for _, font in pieces), strict=True)
    height = max(ascents) + max(descents) + 2 * pad
    lengths = [draw.textlength(piece, font=font) for piece, font in pieces]
    width = round(sum(lengths)) + 2 * pad
    if top >= height:
        y = top - height
    elif bottom + height <= size[1]:
        y = bottom
    else:
        y = max(0, top)
    x = max(0, min(x, size[0] - width))
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    left, baseline = float(x + pad), y + pad + max(ascents)
    for (piece, font), length in zip(pieces, lengths, strict=True):
        draw.text((left, baseline), piece, font=font, fill="white", anchor="ls")
        left += length


@cache
def _font(size: int, file: Path) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(file), size)
