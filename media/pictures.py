"""A folder of still pictures as a clip, in the order of the numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from t4vcodec.media.containers import first_picture
from t4vcodec.media.errors import MediaError
from t4vcodec.media.frames import Frame, recolour
from t4vcodec.media.source import Video, VideoInfo, reason, sha256_of

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
PICTURE_FPS = Fraction(25)
"""Pictures carry no rate: this one is assumed."""


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts f2.png before f10.png."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part[0].isdecimal() else (1, 0, part) for part in parts]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures directly in a folder, in natural order; hidden ones are left out. Raises OSError."""
    found = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_ENDINGS and not path.name.startswith(".") and path.is_file()
    )
    return sorted(found, key=lambda path: natural_key(path.name))


def open_pictures(folder: Path) -> Video:
    """The folder as a `Video` of 25 pictures a second. Raises `MediaError`."""
    try:
        paths = pictures_in(folder)
        digest = sha256_of(*paths)
    except OSError as error:
        raise MediaError(f"{folder}: cannot be read: {reason(error)}") from None
    if not paths:
        endings = ", ".join(PICTURE_ENDINGS)
        raise MediaError(
            f"{folder}: no pictures in this folder ({endings}): give a folder of pictures or one file"
        )
    first = first_picture(paths[0])

    def pictures() -> Iterator[Frame]:
        for index, path in enumerate(paths):
            frame = first_picture(path)
            if frame.y.shape != first.y.shape:
                raise MediaError(
                    f"{path}: is {frame.width}x{frame.height}, but {paths[0].name} is "
                    f"{first.width}x{first.height}: bring all pictures to one size"
                )
            yield replace(recolour(frame, first.colour), time=float(index / PICTURE_FPS))

    name = folder.resolve().name
    info = VideoInfo(name, first.width, first.height, PICTURE_FPS, len(paths), digest, first.colour)
    return Video(info, pictures)
