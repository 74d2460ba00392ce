"""Encodes of one clip by standard codecs, each made once: kept in memory while in use, their facts on disk.

Qualities are counted in steps from a codec's best one, as wide as `Codec.step`. A search for a number of bytes
takes the same way whatever was encoded before, so that an interrupted evaluation ends with the same figures as
one that ran through. (`baselines.rate_search`, made for single use, goes on from what it knows.)
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import av
import numpy as np
from t4vcodec.baselines import standard
from t4vcodec.baselines.coded import encode_source
from t4vcodec.baselines.encoders import Source
from t4vcodec.baselines.settings import CODECS, CodecSettings
from t4vcodec.baselines.standard import CodedClip
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.candidates import MEDIA_PAYLOAD
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.frame_scores import FrameScores
from t4vcodec.eval.metrics import ClipScore
from t4vcodec.eval.protocol import Delivery, show
from t4vcodec.network.stream import HEADER_BYTES, Receiver

KEPT = 48
"""Coded clips in memory at most."""
_CLOSE = 0.007
"""Relative miss of a target at which a search ends."""
_TRIES = 7
"""Encodes at most for one target."""


@dataclass(frozen=True)
class Facts:
    """An encode without its bytes."""

    sizes: tuple[tuple[int, ...], ...]
    """Payload bytes, by the frame that they leave with."""
    keys: tuple[bool, ...]
    seconds: float
    """Wall time that encoding took."""

    @property
    def total_bytes(self) -> int:
        """With 40 bytes of headers a packet, without protection."""
        return sum(sum(sizes) + HEADER_BYTES * len(sizes) for sizes in self.sizes)

    @cached_property
    def frame_bytes(self) -> np.ndarray:
        """(frames,) payload bytes."""
        return np.array([sum(sizes) for sizes in self.sizes], float)


def baseline_version() -> str:
    """Code and libraries that decide what a standard codec's packets and pictures are."""
    return f"{version_of('baselines', 'eval/coded_media.py', 'eval/candidates.py')} {av.library_versions}"


class CodedMedia:
    """All encodes of one clip."""

    def __init__(self, clip: Clip, cache: Cache, scores: FrameScores) -> None:
        self.clip, self._cache, self._scores = clip, cache, scores
        self._facts: dict[tuple[CodecSettings, int], Facts] = {}
        self._clips: OrderedDict[tuple[CodecSettings, int], CodedClip] = OrderedDict()
        self._sources: dict[tuple[tuple[int, int], tuple[int, int]], Source] = {}

    @staticmethod
    def last_step(settings: CodecSettings) -> int:
        """The step of the worst quality."""
        codec = CODECS[settings.codec]
        return math.floor((codec.highest - codec.lowest) / codec.step)

    @staticmethod
    def quality(settings: CodecSettings, step: int) -> float:
        """Rate factor or quantiser at a step."""
        codec = CODECS[settings.codec]
        return round(codec.lowest + step * codec.step, 4)

    def key(self, settings: CodecSettings, step: int, **more: Any) -> str:
        """Of an encode, or with `more` of something made of it."""
        return content_key(
            clip=self.clip.sha256,
            settings=settings.as_dict(),
            quality=self.quality(settings, step),
            payload=MEDIA_PAYLOAD,
            version=baseline_version(),
            **more,
        )

    def facts(self, settings: CodecSettings, step: int) -> Facts:
        """Sizes of the encode at a step."""
        place = settings, step
        if place not in self._facts:
            key = self.key(settings, step)
            known = self._cache.get(key)
            if known is None:
                coded = self.coded(settings, step)
                known = {"sizes": coded.sizes, "keys": coded.keys, "seconds": round(coded.seconds, 4)}
                self._cache.put(key, known)
            self._facts[place] = Facts(
                tuple(map(tuple, known["sizes"])), tuple(known["keys"]), known["seconds"]
            )
        return self._facts[place]

    def coded(self, settings: CodecSettings, step: int) -> CodedClip:
        """The packets at a step."""
        place = settings, step
        if place not in self._clips:
            self._clips[place] = encode_source(
                self._source(settings), self.clip.fps, settings, self.quality(settings, step), MEDIA_PAYLOAD
            )
            if len(self._clips) > KEPT:
                self._clips.popitem(last=False)
        self._clips.move_to_end(place)
        return self._clips[place]

    def _source(self, settings: CodecSettings) -> Source:
        """Frames at the size that is coded; scaled ones are shared by all settings of that size."""
        source = Source(self.clip.frames, settings)
        return self._sources.setdefault((source.coded, source.full), source)

    def receiver(self, coded: CodedClip) -> Receiver:
        """A fresh receiver."""
        clip = self.clip
        return standard.receiver(coded, clip.width, clip.height, clip.fps, clip.frames[0].colour)

    def lossless(self, settings: CodecSettings, step: int) -> ClipScore:
        """Quality of the encode at a step when nothing is lost."""
        key = self.key(settings, step, lossless=version_of("eval/metrics.py", "eval/protocol.py"))
        known = self._cache.get(key)
        if known is None:
            coded = self.coded(settings, step)
            nothing = [0] * len(self.clip.frames)
            payloads, waits = coded.deliver(coded.frames, nothing)
            run = show(
                Delivery(payloads, waits, nothing, nothing),
                self.receiver(coded),
                self.clip,
                judge=self._scores.add,
            )
            known = {"ssim": run.score.ssim_frames, "mse": run.score.mse_frames}
            self._cache.put(key, known)
        return ClipScore(known["ssim"], [tuple(mse) for mse in known["mse"]])

    def step_for(
        self,
        settings: CodecSettings,
        total_of: Callable[[Facts], int],
        target: int,
        guess: int,
        grid: int = 1,
        tolerance: float = 0.02,
    ) -> int | None:
        """The step, a multiple of `grid`, whose total comes nearest to `target` bytes.

        total_of: all bytes that sending an encode takes. guess: where to begin. None where the nearest is further
        off than `tolerance` (relative).
        """
        whole = math.lcm(grid, CODECS[settings.codec].between)
        totals: dict[int, int] = {}
        found = self._nearest(settings, total_of, target, guess, whole, totals)
        if whole > grid and _miss(totals[found], target) > tolerance / 3:
            found = self._nearest(settings, total_of, target, found, grid, totals)
        return found if _miss(totals[found], target) <= tolerance else None

    def _nearest(
        self,
        settings: CodecSettings,
        total_of: Callable[[Facts], int],
        target: int,
        guess: int,
        grid: int,
        totals: dict[int, int],
    ) -> int:
        """Fills `totals` on its way; between two steps that enclose the target it interpolates."""
        last = self.last_step(settings) // grid
        per_step = CODECS[settings.codec].step * grid / CODECS[settings.codec].doubling
        at = min(max(round(guess / grid), 0), last)
        for _ in range(_TRIES):
            if at * grid not in totals:
                totals[at * grid] = total_of(self.facts(settings, at * grid))
            if _miss(totals[at * grid], target) < _CLOSE:
                break
            below = min((s for s, total in totals.items() if total < target), default=None)
            above = max(
                (s for s, total in totals.items() if total >= target and (below is None or s < below)),
                default=None,
            )
            if above is not None and below is not None:
                low, high = math.ceil((above + 1) / grid), math.floor((below - 1) / grid)
                if low > high:
                    break
                part = math.log(totals[above] / target) / math.log(totals[above] / totals[below])
                at = min(max(round((above + part * (below - above)) / grid), low), high)
            else:
                known = at * grid
                move = math.log2(totals[known] / target) / per_step
                # At least one step, lest a rule of thumb stop short of the target.
                at += round(move) or (1 if totals[known] > target else -1)
                if not 0 <= at <= last:
                    at = min(max(at, 0), last)
                    if at * grid in totals:
                        break
        return min(totals, key=lambda step: (_miss(totals[step], target), step))


def _miss(got: float, wanted: float) -> float:
    return abs(got / wanted - 1)


def cut(frame_bytes: Sequence[float], share: int, limit: int = MEDIA_PAYLOAD) -> list[tuple[int, ...]]:
    """Payload sizes that frames of these bytes would have, by the frame that they leave with: an estimate."""
    sizes: list[tuple[int, ...]] = []
    for start in range(0, len(frame_bytes), share):
        group = frame_bytes[start : start + share]
        whole = max(2, round(sum(group) + (2 * len(group) + 2 if share > 1 else 0)))
        count = -(-whole // limit)
        part, more = divmod(whole, count)
        sizes += [()] * (len(group) - 1)
        sizes.append((part + 1,) * more + (part,) * (count - more))
    return sizes
