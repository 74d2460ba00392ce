"""The opponents of one session of ours: each searched to our total bytes, then really decoded.

Totals hold everything that a transport sent, both ways, so they depend on what was lost: each (variant, channel,
seed) has its own search. Without key frames on request, sizes of one encode serve all transports; with them every
try is encoded in the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from t4vcodec.baselines.coded import CodedClip
from t4vcodec.baselines.settings import CODECS, CodecSettings
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.coded_media import CodedMedia, Facts, baseline_version
from t4vcodec.eval.frame_scores import FrameScores
from t4vcodec.eval.protocol import Delivery, show
from t4vcodec.eval.records import Quality, Record, record_from_json
from t4vcodec.eval.run_record import Play, Target
from t4vcodec.eval.scheme import measure_version
from t4vcodec.eval.session_opponents import Carried, KeyedEncoder, Media, Variant, carry
from t4vcodec.eval.session_protocol import Condition, session_record, slots
from t4vcodec.media.frames import Frame, chroma_shape
from t4vcodec.network.stream import Receiver

TOLERANCE = 0.05
"""Relative miss of the bytes at most. What is sent again jumps from one quality to the next, since one packet more
shifts all fates behind it; without that, `_CLOSE` is what is reached."""
_CLOSE = 0.007
_TRIES = 7
_UNREACHABLE: dict[str, Any] = {}
"""In the cache instead of a record."""
FILES = (
    "eval/session_protocol.py",
    "eval/session_opponents.py",
    "eval/session_search.py",
    "eval/records.py",
    "eval/run_record.py",
)


@dataclass(frozen=True)
class _Try:
    total: int
    carried: Carried
    coded: Callable[[], CodedClip]


class SessionOpponents:
    """All variants of some settings on one clip."""

    def __init__(
        self,
        clip: Clip,
        settings: Sequence[CodecSettings],
        variants: Sequence[Variant],
        cache: Cache,
        reference: Callable[[int], Quality | None],
    ) -> None:
        self._clip, self._cache, self._reference = clip, cache, reference
        self._scores = FrameScores()
        self._media = CodedMedia(clip, cache, self._scores)
        self.pairs = [(s, v) for s in settings for v in variants if not v.keys or s.codec == "x264"]
        """Settings with what carries them."""

    def records(
        self, target: Target, condition: Condition, play: Play, total_bytes: int
    ) -> list[tuple[Record, bool]]:
        """Records at `total_bytes` both ways, of those that reach them, and whether each was computed."""
        found = []
        for settings, variant in self.pairs:
            key = self._key(settings, variant, target, condition, play, total_bytes)
            known = self._cache.get(key)
            fresh = known is None
            if known is None:
                record = self._measure(settings, variant, target, condition, play, total_bytes)
                known = _UNREACHABLE if record is None else asdict(record)
                self._cache.put(key, known)
            if known != _UNREACHABLE:
                found.append((record_from_json(known, "cache"), fresh))
        return found

    def _key(
        self,
        settings: CodecSettings,
        variant: Variant,
        target: Target,
        condition: Condition,
        play: Play,
        total_bytes: int,
    ) -> str:
        return content_key(
            session=asdict(condition),
            clip=self._clip.sha256,
            name=self._clip.name,
            settings=settings.as_dict(),
            variant=asdict(variant),
            target=vars(target),
            channel=play.channel.identity,
            spelling=play.channel.name,
            seed=play.seed,
            bytes=total_bytes,
            measure=measure_version(),
            code=version_of(*FILES),
            version=baseline_version(),
        )

    def _measure(
        self,
        settings: CodecSettings,
        variant: Variant,
        target: Target,
        condition: Condition,
        play: Play,
        total_bytes: int,
    ) -> Record | None:
        tries: dict[int, _Try] = {}

        def total_of(step: int) -> int:
            if step not in tries:
                tries[step] = self._try(settings, step, variant, condition, play)
            return tries[step].total

        last = CodedMedia.last_step(settings)
        step = search_step(total_of, total_bytes, last // 2, last, _per_step(settings))
        if abs(tries[step].total / total_bytes - 1) > TOLERANCE:
            return None
        found = tries[step]
        return self._record(settings, step, variant, target, condition, play, found.carried, found.coded())

    def _try(
        self, settings: CodecSettings, step: int, variant: Variant, condition: Condition, play: Play
    ) -> _Try:
        if variant.keys:
            encoder = KeyedEncoder(self._clip, settings, CodedMedia.quality(settings, step))
            carried = carry(self._clip, encoder.frame, variant, condition, play.channel, play.seed)
            return _Try(carried.traffic.total, carried, encoder.coded)
        media = _dummies(self._media.facts(settings, step))
        carried = carry(self._clip, media, variant, condition, play.channel, play.seed)
        return _Try(carried.traffic.total, carried, lambda: self._media.coded(settings, step))

    def _record(
        self,
        settings: CodecSettings,
        step: int,
        variant: Variant,
        target: Target,
        condition: Condition,
        play: Play,
        carried: Carried,
        coded: CodedClip,
    ) -> Record:
        clip = self._clip
        captures = [float(number / clip.fps) for number in range(len(clip.frames))]
        seen = slots(carried.closed, captures, condition.deadline)
        whole = [
            c.whole and c.time <= at + condition.deadline + 1e-6 for c, at in zip(carried.closed, captures)
        ]
        payloads = [
            [coded.frames[number][index] for index in closed.indices]
            for number, closed in enumerate(carried.closed)
        ]
        sizes = [len(frame) for frame in coded.frames]
        missing = [size - len(got) for size, got in zip(sizes, payloads)]
        lost = [gone if at == number else 1 for number, (gone, at) in enumerate(zip(missing, seen.newest))]
        receiver = SlotReceiver(self._media.receiver(coded), payloads, seen.newest, clip)
        delivery = Delivery(payloads, [0] * len(sizes), sizes, lost)
        run = show(delivery, receiver, clip, judge=self._scores.add)
        traffic = carried.traffic
        sent = traffic.bytes(coded.seconds)
        return session_record(
            clip,
            target,
            play,
            condition,
            traffic,
            run,
            delays=seen.delays,
            late=len(whole) - sum(whole),
            encode_seconds=coded.seconds,
            who={
                "scheme": scheme_name(settings, variant),
                "codec": settings.codec,
                "preset": settings.preset,
            },
            config={
                "transport": variant.transport,
                "keys_on_request": variant.keys,
                "catch_up": variant.catch_up,
                "key_frames": carried.keys,
                "quality": CodedMedia.quality(settings, step),
                "tune": settings.tune,
                "scale": str(settings.scale),
                "gop": settings.gop,
                "slices": settings.slices,
            },
            reference=self._reference(traffic.total),
            protection=(variant.transport, round(sent.protection / max(sent.media, 1), 4), 1),
        )


class SlotReceiver:
    """A `Receiver` that decodes frames in order as they are due and shows the newest one."""

    def __init__(
        self, inner: Receiver, payloads: Sequence[Sequence[bytes]], newest: Sequence[int], clip: Clip
    ) -> None:
        self._inner, self._payloads, self._newest = inner, payloads, newest
        chroma = np.full(chroma_shape(clip.height, clip.width), 128, np.uint8)
        self._shown = Frame(np.full((clip.height, clip.width), 128, np.uint8), chroma, chroma, time=0.0)
        self._decoded = -1

    def receive(self, packets: Sequence[bytes], frame: int) -> Frame:
        while self._decoded < self._newest[frame]:
            self._decoded += 1
            self._shown = self._inner.receive(self._payloads[self._decoded], self._decoded)
        return self._shown


def scheme_name(settings: CodecSettings, variant: Variant) -> str:
    """As in "x264 medium nack keys"; other than full size and one key frame are named too."""
    parts = [settings.codec, settings.preset, variant.name]
    parts += [f"scale {settings.scale}"] if settings.scale != 1 else []
    parts += [settings.gop] if settings.gop != "infinite" else []
    return " ".join(parts)


def search_step(total_of: Callable[[int], int], target: int, guess: int, last: int, halvings: float) -> int:
    """The step of quality, 0 (best) to `last`, whose total comes nearest to `target` bytes among those tried.

    halvings: by how many halvings of the bytes steps differ, roughly. Totals fall with the step, but for noise.
    """
    totals: dict[int, int] = {}
    at = min(max(guess, 0), last)
    for _ in range(_TRIES):
        totals[at] = total_of(at)
        if abs(totals[at] / target - 1) < _CLOSE:
            break
        above = max((s for s, total in totals.items() if total >= target), default=None)
        below = min((s for s, total in totals.items() if total < target), default=None)
        if above is not None and below is not None and below - above > 1:
            part = math.log(totals[above] / target) / math.log(totals[above] / totals[below])
            at = min(max(round(above + part * (below - above)), above + 1), below - 1)
        else:
            # Noise has put the two in the wrong order, or there is but one of them.
            move = math.log2(totals[at] / target) / halvings
            at = min(max(at + (round(move) or (1 if move > 0 else -1)), 0), last)
        if at in totals:
            break
    return min(totals, key=lambda step: (abs(totals[step] / target - 1), step))


def _per_step(settings: CodecSettings) -> float:
    codec = CODECS[settings.codec]
    return codec.step / codec.doubling


def _dummies(facts: Facts) -> Media:
    """Payloads of the right sizes."""

    def media(number: int, key: bool) -> tuple[tuple[bytes, ...], bool]:
        return tuple(map(bytes, facts.sizes[number])), facts.keys[number]

    return media
