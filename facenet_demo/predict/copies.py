"""A file -> its result, and a copy of it with boxes and names."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from facenet_demo.faces.photos import ImageError, Photo, read_photo
from facenet_demo.predict.annotate import annotate
from facenet_demo.predict.inputs import InputFiles
from facenet_demo.predict.output import Result
from facenet_demo.predict.predictor import Predictor
from facenet_demo.predict.results import NOT_ANNOTATED, PhotoResult, Prediction
from facenet_demo.predict.video import frame_at, predict_video
from facenet_demo.system.errors import UserError
from facenet_demo.system.files import as_text, new_file

_JPEG_QUALITY = 92
_JPEG_LONGEST = 65_500  # pixels of a side
# With these no other copy could be written, either.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class FileNamer:
    """What is done with each file: named, and drawn if asked for; from several threads at once.

    Args:
        predictor: names.
        every: of videos every so-manyth frame is looked at.
        folder: for copies with boxes and names; None for none.
        found: all files; a copy takes the place of none of them.
    """

    def __init__(
        self, predictor: Predictor, every: int, folder: Path | None, found: InputFiles
    ) -> None:
        self.predictor = predictor
        self.every = every
        self.folder = folder
        self.videos = found.videos
        self.sources = real_paths(found)

    def __call__(self, item: tuple[Path, Path]) -> Result:
        """The result of a file, given with the place of its copy in the folder.

        Raises:
            UserError: if copies cannot be written at all, or would replace one of the files.
        """
        path, place = item
        result: Result
        if path in self.videos:
            result = predict_video(self.predictor, path, self.every)
        else:
            result = self.predictor(path)
            if result.error is not None:
                return result
        if self.folder is None:
            return result
        try:
            if isinstance(result, PhotoResult):
                photo = read_photo(path, self.predictor.reader.max_pixels)
                self._draw(place, photo, result.faces)
            else:
                for number, person in enumerate(result.appearances, 1):
                    pixels = frame_at(path, person.best_time)
                    target = place.with_name(f"{place.name}-{number}.jpg")
                    self._draw(target, Photo(pixels, pixels.shape[:2]), (person.best,))
        except ImageError as error:
            return replace(result, error=result.error or f"{NOT_ANNOTATED}: {error}")
        return result

    def _draw(self, place: Path, photo: Photo, faces: Sequence[Prediction]) -> None:
        assert self.folder is not None
        target = self.folder / place
        if os.path.realpath(target) in self.sources:
            raise UserError(f"{target} would be written over; name another folder to `annotate`.")
        picture = annotate(photo, faces)
        if max(picture.size) > _JPEG_LONGEST:
            raise ImageError(f"a JPEG has at most {_JPEG_LONGEST} pixels a side")
        try:
            with new_file(target) as temporary:
                picture.save(temporary, "JPEG", quality=_JPEG_QUALITY)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in _FULL:
                raise UserError(f"{target} cannot be written: {reason}.") from error
            raise ImageError(f"{as_text(target)}: {reason.lower()}") from error


def places_of_copies(found: InputFiles) -> Iterator[Path]:
    """Where copies go, as JPEG; a name that is taken gets a number."""
    taken: set[Path] = set()
    for file, place in zip(found.files, found.places, strict=True):
        # Those of a video are several, with numbers of their own behind its whole name.
        as_it_is = file in found.videos or place.suffix.lower() in (".jpg", ".jpeg")
        first = place if as_it_is else place.with_name(f"{place.name}.jpg")
        copy = first
        number = 1
        while copy in taken:
            number += 1
            copy = first.with_name(f"{first.stem}-{number}{first.suffix}")
        taken.add(copy)
        yield copy


def real_paths(found: InputFiles) -> set[str]:
    """The files themselves, behind all links."""
    return {os.path.realpath(path) for path in found.files}  # a loop of links is no error here
