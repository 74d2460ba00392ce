"""Frames that go missing before a recognizer sees them: which ones, and what stands in their place.

Policies, as written on the command line (k, n: counts; p, q: shares of 0 to 1):

    interval:k    one frame in k is kept: equal intervals; interval:1 loses nothing
    every:k       every k-th frame is lost
    fraction:p    the share p is lost, spread as evenly as it goes
    count:n       n frames are kept at equal spacing: the longer the clip, the longer the interval
    each:p        each frame is lost with probability p
    random:p:q    the same with a probability drawn for each pattern between p and q
    ge:p:r        share p in bursts of mean length r (two-state channel of Gilbert)

Fills: `freeze` (the frame before), `following`, `blend` (both, by distance), `motion` (both, moved along the flow
between them), each falling back on the side that there is at the clip's ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from t4vcodec.recognition.errors import RecognitionError

FILLS = ("freeze", "following", "blend", "motion")


@dataclass(frozen=True)
class Policy:
    """Which frames are lost; see above."""

    kind: str
    values: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Raises RecognitionError with the forms there are."""
        kind, *parts = text.strip().split(":")
        if kind not in _KINDS:
            raise RecognitionError(f"no dropping policy {text!r}: {_FORMS}")
        try:
            values = tuple(float(part) for part in parts)
        except ValueError:
            raise RecognitionError(f"dropping policy {text!r}: {_FORMS}") from None
        count, check, _ = _KINDS[kind]
        if len(values) != count or not all(np.isfinite(values)) or not check(values):
            raise RecognitionError(f"dropping policy {text!r}: {_FORMS}")
        return cls(kind, values)

    @property
    def name(self) -> str:
        """As it is written."""
        return ":".join([self.kind, *(f"{v:g}" for v in self.values)])

    @property
    def drawn(self) -> bool:
        """Whether two patterns of it may differ."""
        return self.kind in ("each", "random", "ge")

    def lost(self, count: int, random: np.random.Generator, keep: Iterable[int] = (0,)) -> np.ndarray:
        """(count,) bool. keep: frames that are never lost (those outside of the clip are ignored).

        Should nothing be left, the first frame is kept. Raises RecognitionError if count is below 1.
        """
        if count < 1:
            raise RecognitionError("a clip without frames has none to lose")
        lost = _KINDS[self.kind][2](count, self.values, random)
        lost[[k for k in keep if 0 <= k < count]] = False
        if lost.all():
            lost[0] = False
        return lost


def parse_frames(text: str) -> tuple[int, ...]:
    """Frame numbers written as "0,10-15". Raises RecognitionError."""
    frames: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not first.strip().isdigit() or (last and not last.strip().isdigit()) or len(part) > 15:
            raise RecognitionError(f"frames {text!r}: write numbers and ranges, such as 0,10-15")
        low, high = int(first), int(last or first)
        if high < low or high - low > 100_000:
            raise RecognitionError(f"frames {text!r}: {part} is no range")
        frames += range(low, high + 1)
    return tuple(frames)


def runs_of(lost: np.ndarray) -> list[list[int]]:
    """Lost frames as [first, count] for logs; `lost_from` is the way back."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(np.int8), [0]])))
    return [[int(a), int(b - a)] for a, b in zip(edges[::2], edges[1::2])]


def lost_from(runs: Iterable[Iterable[int]], count: int) -> np.ndarray:
    """(count,) bool from what `runs_of` gives."""
    lost = np.zeros(count, bool)
    for first, length in runs:
        lost[first : first + length] = True
    return lost


def filled(frames: np.ndarray, lost: np.ndarray, fill: str) -> np.ndarray:
    """(T, H, W, 3) uint8 with something in the place of every lost frame; the lost ones are never looked at.

    Raises RecognitionError: another fill than FILLS, nothing kept, or lengths that differ.
    """
    if fill not in FILLS:
        raise RecognitionError(f"no fill {fill!r}: use one of {', '.join(FILLS)}")
    if len(lost) != len(frames) or lost.all():
        raise RecognitionError(
            f"{len(lost)} marks for {len(frames)} frames, {int(lost.sum())} lost: keep one or more"
        )
    here = np.arange(len(frames))
    before = np.maximum.accumulate(np.where(lost, -1, here))
    after = np.minimum.accumulate(np.where(lost, len(frames), here)[::-1])[::-1]
    if fill == "following":
        return frames[np.where(after < len(frames), after, before)]
    held = np.where(before >= 0, before, after)
    if fill == "freeze":
        return frames[held]
    out = frames[held].copy()
    between = _blended if fill == "blend" else _moved
    for first, last in {(int(a), int(b)) for a, b in zip(before[lost], after[lost])}:
        if first < 0 or last >= len(frames):
            out[lost & (before == first) & (after == last)] = frames[last if first < 0 else first]
            continue
        inside = np.arange(first + 1, last)
        shares = (inside - first) / (last - first)
        out[inside] = between(frames[first], frames[last], shares)
    return out


def _blended(first: np.ndarray, last: np.ndarray, shares: np.ndarray) -> np.ndarray:
    a, b = first.astype(np.float32), last.astype(np.float32)
    return np.rint(a + shares[:, None, None, None] * (b - a)).astype(np.uint8)


def _moved(first: np.ndarray, last: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Both neighbours moved along one flow and blended, as in frame-rate conversion.

    The flow is the iterative Lucas-Kanade of scikit-image (Le Besnerais and Champagnat, ICIP 2005), found on
    pictures of 64 lines at most.
    """
    flow = torch.from_numpy(_flow(first.tobytes(), last.tobytes(), first.shape))
    height, width = first.shape[:2]
    centres = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")[::-1], -1)
    share = torch.from_numpy(shares).float()[:, None, None, None]
    a, b = (
        _sampled(picture, centres + moved * flow.flip(0).permute(1, 2, 0))
        for picture, moved in ((first, -share), (last, 1 - share))
    )
    return (a + share * (b - a)).round().clamp(0, 255).byte().numpy()


def _sampled(picture: np.ndarray, at: torch.Tensor) -> torch.Tensor:
    """(H, W, 3) uint8 at places (N, H, W, 2), x and y in samples: (N, H, W, 3) floats, bilinear."""
    height, width = picture.shape[:2]
    grid = (2 * at + 1) / torch.tensor([width, height]) - 1
    planes = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
    planes = planes.expand(len(at), -1, -1, -1)
    return F.grid_sample(planes, grid, padding_mode="border", align_corners=False).permute(0, 2, 3, 1)


@lru_cache(maxsize=256)
def _flow(first: bytes, last: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """(2, H, W): rows and columns that the surface at a place of `first` moves until `last`."""
    from skimage.registration import optical_flow_ilk
    from skimage.transform import resize

    greys = [
        np.frombuffer(data, np.uint8).reshape(shape).mean(2, dtype=np.float32) / 255 for data in (first, last)
    ]
    height, width = shape[:2]
    factor = min(1.0, 64 / min(height, width))
    small = (max(8, round(height * factor)), max(8, round(width * factor)))
    one, two = (resize(g, small, order=1, anti_aliasing=factor < 1) for g in greys)
    # optical_flow_ilk tells where in `two` a place of `one` is found.
    flow = optical_flow_ilk(one, two, radius=5, num_warp=4)
    scale = (height / small[0], width / small[1])
    return np.stack([resize(f, (height, width), order=1) * s for f, s in zip(flow, scale)]).astype(np.float32)


_Lose = Callable[[int, tuple[float, ...], np.random.Generator], np.ndarray]


def _interval(count: int, values: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    return np.arange(count) % int(values[0]) != 0


def _every(count: int, values: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    return np.arange(count) % int(values[0]) == int(values[0]) - 1


def _fraction(count: int, values: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    due = np.floor(np.arange(count + 1) * values[0] + 1e-9)
    return np.diff(due) > 0


def _count(count: int, values: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    lost = np.ones(count, bool)
    kept = np.unique(np.floor(np.arange(int(values[0])) * count / int(values[0])).astype(int))
    lost[kept] = False
    return lost


def _each(count: int, values: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    return random.random(count) < values[0]


def _random(count: int, values: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    return random.random(count) < random.uniform(*values)


def _bursts(count: int, values: tuple[float, ...], random: np.random.Generator) -> np.ndarray:
    rate, run = values
    leave = 1 / run
    enter = min(1.0, rate * leave / (1 - rate)) if rate < 1 else 1.0
    lost = np.zeros(count, bool)
    state = random.random() < rate
    for i in range(count):
        lost[i] = state
        state = random.random() >= leave if state else random.random() < enter
    return lost


def _whole(values: tuple[float, ...], least: int) -> bool:
    return values[0] == int(values[0]) and least <= values[0] <= 100_000


_KINDS: dict[str, tuple[int, Callable[[tuple[float, ...]], bool], _Lose]] = {
    "interval": (1, lambda v: _whole(v, 1), _interval),
    "every": (1, lambda v: _whole(v, 2), _every),
    "fraction": (1, lambda v: 0 <= v[0] < 1, _fraction),
    "count": (1, lambda v: _whole(v, 1), _count),
    "each": (1, lambda v: 0 <= v[0] <= 1, _each),
    "random": (2, lambda v: 0 <= v[0] <= v[1] <= 1, _random),
    "ge": (2, lambda v: 0 <= v[0] < 1 and v[1] >= 1, _bursts),
}
_FORMS = "write interval:k, every:k, fraction:p, count:n, each:p, random:p:q or ge:p:r (shares of 0 to 1)"
