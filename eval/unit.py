"""One clip at one rate: our codec, and x264 without protection, over all channels and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import av
import numpy as np
from t4vcodec.baselines.reference import Encoded, Point, ReferenceCurve
from t4vcodec.baselines.x264 import X264Receiver
from t4vcodec.eval import metrics
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.protocol import Recording, Run, play
from t4vcodec.eval.protocol import record as record_stream
from t4vcodec.eval.records import Quality, Record, record_from_json
from t4vcodec.eval.run_record import Bytes, Play, Target, Watched, make_record, vmaf_key
from t4vcodec.eval.scheme import Scheme, measure_version
from t4vcodec.eval.summary import UNPROTECTED
from t4vcodec.eval.task_scores import Onlookers, Pictures, all_of
from t4vcodec.media.frames import Frame, to_rgb
from t4vcodec.network.channels import Channel
from t4vcodec.network.stream import Receiver

Look = Callable[[int, Frame], None]

_UNREACHABLE: dict[str, Any] = {}
"""In the cache instead of a record: no rate factor of x264 gives the bytes."""


def plays_of(channels: Sequence[Channel], seeds: int) -> list[Play]:
    """All channels with all seeds; channels that lose nothing or everything only once."""
    return [
        Play(channel, seed)
        for channel in channels
        for seed in range(1 if channel.mean_loss in (0.0, 1.0) else seeds)
    ]


class Unit:
    """Measures one clip at one rate. Encodes only when something isn't in the cache."""

    def __init__(
        self,
        clip: Clip,
        scheme: Scheme,
        target: Target,
        cache: Cache,
        with_x264: bool,
        onlookers: Onlookers | None = None,
    ) -> None:
        self._clip, self._scheme, self._target, self._cache = clip, scheme, target, cache
        self._onlookers = onlookers or Onlookers()
        self.with_x264 = with_x264
        self._x264: dict[int, Encoded | None] = {}

    def measure(
        self, plays: Sequence[Play], done: Callable[[str, bool], None], look_at: int | None = None
    ) -> list[Record]:
        """Records of ours, and of plain x264 if wanted, for each play.

        `done(text, computed)` is called after each of them. With `look_at`, the picture that ours showed for
        that frame number at seed 0 is kept for `picture`.
        """
        records = []
        for play_ in plays:
            computed = False
            key = self._ours_key(play_)
            record = self._cached(key)
            wants_picture = look_at is not None and play_.seed == 0
            if (
                record is None
                or (wants_picture and self.picture(play_, look_at) is None)
                or self._onlookers.wants(key, self._scheme.name, play_.seed)
            ):
                seen = self._onlookers.pictures(self._scheme.name, play_.seed)
                record = self._measure_ours(play_, look_at if wants_picture else None, seen)
                self._cache.put(key, asdict(record))
                self._onlookers.keep(key, seen)
                computed = True
            records.append(self._onlookers.told(record, key))
            if self.with_x264:
                rival, fresh = self._rival(play_, record.total_bytes)
                records += [] if rival is None else [rival]
                computed |= fresh
            done(f"{self._clip.name} {self._target.kbps:.0f} kbit/s, loss {play_.channel.name}", computed)
        return records

    def _rival(self, play_: Play, total_bytes: int) -> tuple[Record | None, bool]:
        """Plain x264's record, and whether it was computed."""
        key = self._x264_key(play_, total_bytes)
        known = self._cache.get(key)
        if known == _UNREACHABLE:
            return None, False
        fresh = known is None or self._onlookers.wants(key, UNPROTECTED, play_.seed)
        if fresh:
            seen = self._onlookers.pictures(UNPROTECTED, play_.seed)
            measured = self._measure_x264(play_, total_bytes, seen)
            known = _UNREACHABLE if measured is None else asdict(measured)
            self._cache.put(key, known)
            if measured is None:
                return None, True
            self._onlookers.keep(key, seen)
        return self._onlookers.told(record_from_json(known, "cache"), key), fresh

    def picture(self, play_: Play, number: int) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB that ours showed for frame `number`, if it was looked at."""
        return self._cache.get_array(content_key(of=self._ours_key(play_), picture=number))

    def look(self, play_: Play, look: Look) -> Run:
        """Plays ours again, for its pictures."""
        return play(
            self._recording, self._scheme.receiver(self._clip), self._clip, play_.channel, play_.seed, look
        )

    def look_at_x264(self, play_: Play, total_bytes: int, look: Look) -> Run | None:
        """Plays plain x264 again; None where no rate factor gives the bytes."""
        encoded = self._encoded(total_bytes)
        return None if encoded is None else self._play_x264(encoded, play_, look)

    def reference(self, total_bytes: int) -> Quality | None:
        """What x264 veryfast reaches without loss at so many bytes."""
        known = len(self._curve.points)
        point = self._curve.quality_at(total_bytes)
        if len(self._curve.points) > known:
            self._cache.put(self._reference_key, [asdict(p) for p in self._curve.points])
        return None if point is None else Quality(point.ssim_db, point.psnr_y)

    def key(self, play_: Play) -> str:
        """What our record of a play depends on."""
        return self._ours_key(play_)

    def _cached(self, key: str) -> Record | None:
        data = self._cache.get(key)
        return None if data is None else record_from_json(data, "cache")

    def _facts(self, play_: Play) -> dict[str, Any]:
        return {
            "clip": self._clip.sha256,
            "name": self._clip.name,
            "channel": play_.channel.identity,
            "spelling": play_.channel.name,
            "seed": play_.seed,
            "target": vars(self._target),
            "measure": measure_version(),
            "records": version_of("eval/unit.py", "eval/records.py", "eval/run_record.py"),
            "vmaf": vmaf_key(play_),
        }

    def _ours_key(self, play_: Play) -> str:
        facts = self._facts(play_) | {"reference": self._reference_key}
        return content_key(
            scheme=self._scheme.name, config=self._scheme.config(), version=self._scheme.version(), **facts
        )

    def _x264_key(self, play_: Play, total_bytes: int) -> str:
        return content_key(scheme="x264", version=_x264_version(), bytes=total_bytes, **self._facts(play_))

    @cached_property
    def _reference_key(self) -> str:
        facts = {"clip": self._clip.sha256, "measure": version_of("eval/metrics.py")}
        return content_key(reference=_x264_version(), **facts)

    @cached_property
    def _recording(self) -> Recording:
        return record_stream(self._scheme.stream(self._clip, self._target.kbps), self._clip.frames)

    @cached_property
    def _curve(self) -> ReferenceCurve:
        known = [Point(**point) for point in self._cache.get(self._reference_key) or []]
        return ReferenceCurve(self._clip.frames, self._clip.fps, _score, known)

    def _measure_ours(self, play_: Play, look_at: int | None, seen: Pictures | None) -> Record:
        def look(number: int, shown: Frame) -> None:
            if number == look_at:
                key = content_key(of=self._ours_key(play_), picture=number)
                self._cache.put_array(key, to_rgb(shown))

        scheme = self._scheme
        pictures = Watched(play_)
        run = self.look(play_, all_of(look, pictures, seen))
        who = {"scheme": scheme.name, "codec": scheme.codec, "preset": scheme.preset}
        return self._record(play_, self._recording, run, who, scheme.config(), pictures)

    def _encoded(self, total_bytes: int) -> Encoded | None:
        """Plain x264 at our bytes within 2 %; None if no rate factor gets there."""
        if total_bytes not in self._x264:
            self._x264[total_bytes] = self._curve.encode_to(total_bytes)
        return self._x264[total_bytes]

    def _measure_x264(self, play_: Play, total_bytes: int, seen: Pictures | None) -> Record | None:
        encoded = self._encoded(total_bytes)
        if encoded is None:
            return None
        pictures = Watched(play_)
        run = self._play_x264(encoded, play_, all_of(pictures, seen))
        who = {"scheme": "x264", "codec": "x264", "preset": "veryfast"}
        config = {
            "crf": round(encoded.crf, 3),
            "tune": "zerolatency",
            "scale": "1",
            "gop": "infinite",
            "slices": True,
            "concealment": "libavcodec's, within and between frames",
        }
        recording = Recording(encoded.packets, len(self._clip.frames), encoded.seconds)
        return self._record(play_, recording, run, who, config, pictures)

    def _play_x264(self, encoded: Encoded, play_: Play, look: Look) -> Run:
        clip = self._clip
        receiver: Receiver = X264Receiver(
            clip.width, clip.height, clip.fps, encoded.parameter_sets, clip.frames[0].colour
        )
        recording = Recording(encoded.packets, len(clip.frames), encoded.seconds)
        return play(recording, receiver, clip, play_.channel, play_.seed, look)

    def _record(
        self,
        play_: Play,
        recording: Recording,
        run: Run,
        who: dict[str, str],
        config: dict[str, Any],
        pictures: Watched,
    ) -> Record:
        sent = Bytes(recording.bytes_media, 0, recording.bytes_headers, recording.encode_seconds)
        return make_record(
            self._clip,
            self._target,
            play_,
            sent,
            run,
            who=who,
            config=config,
            reference=self.reference(sent.total),
            vmaf=pictures.vmaf(self._clip),
        )


def _score(source: Sequence[Frame], shown: Sequence[Frame]) -> tuple[float, float]:
    result = metrics.score(source, shown)
    return result.ssim_db, result.psnr_y


def _x264_version() -> str:
    return f"{version_of('baselines')} {av.library_versions}"
