"""Exhibits: a few decoded frames of each scheme under the same losses, to be looked at side by side.

They are kept beside results.json as `exhibits.npz` (pictures as WebP inside), so that a report can be made
again without decoding anything again.

>>> import numpy as np
>>> grey = np.full((2, 8, 8, 3), 128, np.uint8)
>>> Exhibit("foreman", "0.3", "t4v", grey, first=30, fps=25).frames.shape
(2, 8, 8, 3)
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from t4vcodec.eval.cache import write_atomically
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.scheme_labels import SOURCE
from t4vcodec.media.frames import Frame, to_rgb

FILE_NAME = "exhibits.npz"
VERSION = 1
WIDTH = 352
"""Columns of an exhibit at most: two of them fit side by side on a telephone, four on a desk."""
KEPT_QUALITY = 85
BUDGET = 8_500_000
"""Characters that all pictures of a report may take, so that it stays below 10 MB."""
_STEPS = ((85, 1.0, 1), (75, 1.0, 1), (60, 1.0, 1), (60, 0.75, 1), (60, 0.75, 2), (50, 0.5, 2), (50, 0.5, 4))
"""WebP quality, scale of the sides, one in so many frames; the first that keeps to the budget is used."""


@dataclass(frozen=True, eq=False)
class Exhibit:
    """What one scheme showed of one clip over one channel; scheme "source" and channel "" for the clip itself.

    Raises `EvalError` for frames of another shape or type.
    """

    clip: str
    channel: str
    scheme: str
    frames: np.ndarray
    """(N, H, W, 3) uint8 RGB, consecutive frames."""
    first: int = 0
    """Number in the clip of the first of them."""
    fps: float = 25.0
    note: str = ""
    """What the scheme was, as in "x265 medium, rs:0.5:4, 302 kbit/s"."""
    ssim: tuple[float, ...] = ()
    """Luma SSIM of each frame, if known."""
    losses: tuple[tuple[int, int], ...] = ()
    """Packets lost and sent of each frame, if known."""

    def __post_init__(self) -> None:
        shape = self.frames.shape
        if len(shape) != 4 or shape[3] != 3 or not all(shape) or self.frames.dtype != np.uint8:
            raise EvalError(f"exhibit: expected (frames, height, width, 3) uint8, got {shape}")
        for name in ("ssim", "losses"):
            values = getattr(self, name)
            if values and len(values) != shape[0]:
                raise EvalError(f"exhibit: {len(values)} values of {name} for {shape[0]} frames")

    @property
    def is_source(self) -> bool:
        return self.scheme == SOURCE


@dataclass
class Take:
    """Collects the pictures of some consecutive frames; `protocol.play` calls it if given as `look`."""

    first: int
    count: int
    pictures: list[np.ndarray] = field(default_factory=list)

    def __call__(self, number: int, shown: Frame) -> None:
        if self.first <= number < self.first + self.count:
            self.pictures.append(small_picture(shown))

    def exhibit(self, clip: str, channel: str, scheme: str, fps: float, **facts: Any) -> Exhibit:
        """What was collected; `facts`: note, ssim and losses of the same frames."""
        if not self.pictures:
            raise EvalError(f"{clip} has no frame {self.first}: take an earlier moment")
        return Exhibit(clip, channel, scheme, np.stack(self.pictures), self.first, float(fps), **facts)


def small_picture(frame: Frame, width: int = WIDTH) -> np.ndarray:
    """A frame as RGB of at most `width` columns, scaled down where it is wider: what `Exhibit.frames` stacks."""
    picture = to_rgb(frame)
    return _scaled(picture, min(1.0, width / picture.shape[1]))


def save_exhibits(path: Path, exhibits: Sequence[Exhibit]) -> None:
    """Writes exhibits; pictures as WebP without visible loss, equal ones once. Raises `EvalError`."""
    pictures: dict[bytes, int] = {}
    facts = []
    for exhibit in exhibits:
        data = [_webp(picture, KEPT_QUALITY) for picture in exhibit.frames]
        numbers = [pictures.setdefault(item, len(pictures)) for item in data]
        facts.append(
            {
                "clip": exhibit.clip,
                "channel": exhibit.channel,
                "scheme": exhibit.scheme,
                "first": exhibit.first,
                "fps": exhibit.fps,
                "note": exhibit.note,
                "ssim": exhibit.ssim,
                "losses": exhibit.losses,
                "pictures": numbers,
            }
        )
    text = json.dumps({"version": VERSION, "exhibits": facts}).encode()
    arrays = {
        "facts": np.frombuffer(text, np.uint8),
        "data": np.frombuffer(b"".join(pictures), np.uint8),
        "ends": np.cumsum([len(item) for item in pictures], dtype=np.int64),
    }
    write_atomically(path, lambda file: np.savez(file, **arrays))


def load_exhibits(path: Path) -> list[Exhibit]:
    """Exhibits of a file; an empty list if there is no such file. Raises `EvalError` if it is damaged."""
    if not Path(path).exists():
        return []
    try:
        with np.load(path, allow_pickle=False) as arrays:
            facts = json.loads(arrays["facts"].tobytes())
            data, ends = arrays["data"].tobytes(), arrays["ends"].tolist()
        if facts["version"] != VERSION:
            raise EvalError(
                f"{path} is of version {facts['version']!r}, this t4vcodec reads {VERSION}: evaluate again"
            )
        pictures = [_decode(data[start:end]) for start, end in zip([0, *ends], ends)]
        return [_exhibit(item, pictures) for item in facts["exhibits"]]
    except EvalError:
        raise
    except Exception as error:  # zip, JSON, WebP, missing fields: whatever damage does
        raise EvalError(f"{path} holds no exhibits: {error}: delete it, or evaluate again") from error


def _exhibit(item: dict, pictures: Sequence[np.ndarray]) -> Exhibit:
    return Exhibit(
        clip=item["clip"],
        channel=item["channel"],
        scheme=item["scheme"],
        frames=np.stack([pictures[number] for number in item["pictures"]]),
        first=item["first"],
        fps=item["fps"],
        note=item["note"],
        ssim=tuple(item["ssim"]),
        losses=tuple((lost, sent) for lost, sent in item["losses"]),
    )


@dataclass(frozen=True)
class Embedded:
    """Pictures of all exhibits, ready for a page."""

    uris: list[str]
    """Data URIs, each picture once."""
    numbers: list[list[int]]
    """For each exhibit, which URI each of its frames is."""
    quality: int
    scale: float
    every: int
    """One in so many frames was kept."""


def embed(exhibits: Sequence[Exhibit], budget: int = BUDGET) -> Embedded:
    """Compresses pictures for a page, as well as `budget` characters allow.

    Raises `EvalError` if even the strongest compression takes more.
    """
    for quality, scale, every in _STEPS:
        if _estimate(exhibits, quality, scale, every) > 1.1 * budget:
            continue
        embedded = _embed(exhibits, quality, scale, every)
        if sum(map(len, embedded.uris)) <= budget:
            return embedded
    raise EvalError(f"{len(exhibits)} exhibits do not fit into {budget} bytes: show fewer clips or frames")


def _embed(exhibits: Sequence[Exhibit], quality: int, scale: float, every: int) -> Embedded:
    places: dict[bytes, int] = {}  # equal pictures, as when a scheme stalls, are stored once
    uris: dict[str, int] = {}
    numbers = []
    for exhibit in exhibits:
        mine = []
        for picture in exhibit.frames[::every]:
            raw = picture.tobytes()
            if raw not in places:
                data = base64.b64encode(_webp(_scaled(picture, scale), quality)).decode()
                places[raw] = uris.setdefault(f"data:image/webp;base64,{data}", len(uris))
            mine.append(places[raw])
        numbers.append(mine)
    return Embedded(list(uris), numbers, quality, scale, every)


def _estimate(exhibits: Sequence[Exhibit], quality: int, scale: float, every: int) -> float:
    """Characters, from one picture in eight."""
    sample = [picture for exhibit in exhibits for picture in exhibit.frames[::every]]
    if not sample:
        return 0.0
    sizes = [len(_webp(_scaled(picture, scale), quality)) for picture in sample[::8]]
    distinct = len({picture.tobytes() for picture in sample})
    return 4 / 3 * float(np.mean(sizes)) * distinct


def _webp(picture: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()


def _decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data), formats=["WEBP"]).convert("RGB"))


def _scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))
