"""Names in pictures: as they are, in fonts that have their letters.

    written = lettering(["Ada", "李明"])                        # matplotlib
    axes.text(0, 0, written.texts[1], **written.style)
    for text, file in runs("李明 97%", font_file("Bold")): ...  # Pillow

matplotlib's own font has Latin, Greek, Cyrillic and Arabic letters. For others the fonts of this
machine are looked through; what none of them has is a box, and said once for each script.
"""

from __future__ import annotations

import logging
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from facenet_demo.system.terminal import console
from facenet_demo.system.texts import printable

BOX = "□"
_CERTAIN = "\u024f"  # every font has the Latin letters up to here
_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC")


@dataclass(frozen=True)
class Lettering:
    """Texts for matplotlib.

    Attributes:
        texts: what is drawn.
        style: settings of whatever draws them: fonts to try, and that `$` is no mathematics.
    """

    texts: list[str]
    style: dict[str, Any]


def lettering(texts: Sequence[str]) -> Lettering:
    """Names, paths and other texts that hold anything, ready for matplotlib."""
    from matplotlib import font_manager, rcParams

    texts = [printable(text) for text in texts]
    families = list(rcParams["font.family"])
    foreign = sorted({letter for text in texts for letter in text if letter > _CERTAIN})
    if foreign:
        first = Path(font_manager.findfont(font_manager.FontProperties()))
        _FONTS.look_for(foreign, first)
        files = dict.fromkeys(_FONTS.of(letter, first) for letter in foreign)
        families += [_family(file) for file in files if file not in (None, first)]
        texts = ["".join(_or_box(letter, first) for letter in text) for text in texts]
    return Lettering(texts, {"parse_math": False, "fontfamily": families})


def runs(text: str, first: Path) -> Iterator[tuple[str, Path]]:
    """A text in one line, cut where it needs another font: each piece and the font's file.

    Args:
        text: such as a name.
        first: the font that is taken where it has the letters.
    """
    text = printable(text)
    _FONTS.look_for([letter for letter in text if letter > _CERTAIN], first)
    files: list[Path] = []
    for letter in text:
        follows = unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf")  # accents, joiners
        files.append(files[-1] if follows and files else _FONTS.of(letter, first) or first)
    for file, piece in groupby(zip(text, files, strict=True), key=lambda pair: pair[1]):
        yield "".join(_or_box(letter, first) for letter, _ in piece), file


def font_file(weight: str = "") -> Path:
    """The file of matplotlib's own font."""
    import matplotlib

    name = f"DejaVuSans{'-' * bool(weight)}{weight}.ttf"
    return Path(matplotlib.get_data_path()) / "fonts/ttf" / name


def system_fonts() -> list[Path]:
    """The font files of this machine, upright and plain ones first."""
    from matplotlib import font_manager

    def rank(file: Path) -> tuple[bool, bool, int, str]:
        return "Regular" not in file.stem, "Serif" in file.stem, len(file.name), str(file)

    return sorted(map(Path, font_manager.findSystemFonts()), key=rank)


@dataclass
class _Fonts:
    """Which font has which letter: looked up once, a script of which none is found not again."""

    found: dict[tuple[str, Path], Path | None] = field(default_factory=dict)
    chosen: list[Path] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look_for(self, letters: Sequence[str], first: Path) -> None:
        """Find fonts for the letters that were not looked for before."""
        with self.lock:
            new = {letter for letter in letters if (letter, first) not in self.found}
            new -= self._take(new, first, first)
            for file in self.chosen:
                new -= self._take(new, file, first)
            unknown = {letter for letter in new if _script(letter) not in self.missing}
            if unknown:
                self._search(unknown, first)
            lost = {letter for letter in new if (letter, first) not in self.found}
            self.found |= {(letter, first): None for letter in lost}
            for script in {_script(letter) for letter in lost} - self.missing:
                self._miss(script, [letter for letter in lost if _script(letter) == script])

    def of(self, letter: str, first: Path) -> Path | None:
        """The font to draw a letter with; None if none has it."""
        return first if letter <= _CERTAIN else self.found[letter, first]

    def _take(self, letters: set[str], file: Path, first: Path) -> set[str]:
        has = _letters_in(file, letters)
        self.found |= {(letter, first): file for letter in has}
        return has

    def _search(self, letters: set[str], first: Path) -> None:
        """Choose fonts of the machine, each time the one that has most of what is missing."""
        have = {file: has for file in system_fonts() if (has := _letters_in(file, letters))}
        while letters and have:
            best = max(have, key=lambda file: len(have[file] & letters))
            if not have[best] & letters:
                return
            self.chosen.append(best)
            letters = letters - self._take(letters, best, first)

    def _miss(self, script: str, letters: Sequence[str]) -> None:
        self.missing.add(script)
        example = min(letters, key=lambda letter: (unicodedata.category(letter), letter))
        package = "fonts-noto-cjk" if script == "CJK" else "fonts-noto-core"
        console.print(
            f"No font of this machine has the {script if script == 'CJK' else script.capitalize()} "
            f"letter {example}: in pictures such letters are boxes. Install a font, on Debian and "
            f"Ubuntu {package}; elsewhere Noto Sans from https://fonts.google.com/noto."
        )


_FONTS = _Fonts()


def _or_box(letter: str, first: Path) -> str:
    return letter if _FONTS.of(letter, first) is not None else BOX


def _letters_in(file: Path, letters: set[str]) -> set[str]:
    """Those of the letters that a font has; none of a font that cannot be drawn at any size."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(str(file))
    except (OSError, RuntimeError):  # no font, or one that FreeType does not read
        return set()
    if not font.scalable:
        return set()
    return {letter for letter in letters if font.get_char_index(ord(letter))}


def _family(file: Path) -> str:
    """The name by which matplotlib knows a font, which it is told of if need be."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    # That a font has no normal weight, only others, is nobody's concern.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    name = FT2Font(str(file)).family_name
    if all(entry.name != name for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.addfont(file)
    return name


def _script(letter: str) -> str:
    """What alphabet a letter is of: DEVANAGARI, CJK."""
    name = unicodedata.name(letter, "other").split()[0].split("-")[0]
    return "CJK" if name in _CJK else name
