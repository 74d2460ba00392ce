"""One clip at one rate: our codec and plain x264 over all channels and seeds, from cache where possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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
from t4vcodec.eval.records import Delay, Quality, Record, record_from_json
from t4vcodec.eval.scheme import Scheme, measure_version
from t4vcodec.media.frames import Frame, to_rgb
from t4vcodec.network.channels import Channel
from t4vcodec.network.stream import Receiver

REGIME = "one-way"
_UNREACHABLE: dict[str, Any] = {}
"""In the cache instead of a record: no rate factor of x264 gives the bytes."""


@dataclass(frozen=True)
class Play:
    """One way of losing packets."""

    channel: Channel
    seed: int


def plays_of(channels: Sequence[Channel], seeds: int) -> list[Play]:
    """All channels with all seeds; channels that lose nothing or everything only once."""
    return [
        Play(channel, seed)
        for channel in channels
        for seed in range(1 if channel.mean_loss in (0.0, 1.0) else seeds)
    ]


class Unit:
    """Measures one clip at one rate. Encodes only when something isn't in the cache."""

    def __init__(self, clip: Clip, scheme: Scheme, kbps: float, point: float | None, cache: Cache) -> None:
        self._clip, self._scheme, self._kbps, self._point, self._cache = clip, scheme, kbps, point, cache
        self._x264: dict[int, Encoded | None] = {}

    def measure(
        self, plays: Sequence[Play], done: Callable[[str, bool], None], look_at: int | None = None
    ) -> list[Record]:
        """Records of ours and of plain x264 for each play.

        `done(text, computed)` is called after each of them. With `look_at`, the picture that ours showed for
        that frame number at seed 0 is kept for `picture`.
        """
        records = []
        for play_ in plays:
            computed = False
            key = self._ours_key(play_)
            record = self._cached(key)
            wants_picture = look_at is not None and play_.seed == 0
            if record is None or (wants_picture and self.picture(play_, look_at) is None):
                record = self._measure_ours(play_, look_at if wants_picture else None)
                self._cache.put(key, asdict(record))
                computed = True
            records.append(record)
            rival_key = self._x264_key(play_, record.total_bytes)
            rival = self._cache.get(rival_key)
            if rival is None:
                measured = self._measure_x264(play_, record.total_bytes)
                rival = _UNREACHABLE if measured is None else asdict(measured)
                self._cache.put(rival_key, rival)
                computed = True
            if rival != _UNREACHABLE:
                records.append(record_from_json(rival, "cache"))
            done(f"{self._clip.name} {self._kbps:.0f} kbit/s, loss {play_.channel.name}", computed)
        return records

    def picture(self, play_: Play, number: int) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB that ours showed for frame `number`, if it was looked at."""
        return self._cache.get_array(content_key(of=self._ours_key(play_), picture=number))

    def _cached(self, key: str) -> Record | None:
        data = self._cache.get(key)
        return None if data is None else record_from_json(data, "cache")

    def _facts(self, play_: Play) -> dict[str, Any]:
        return {
            "clip": self._clip.sha256,
            "name": self._clip.name,
            "channel": play_.channel.identity,
            "seed": play_.seed,
            "kbps": self._kbps,
            "point": self._point,
            "measure": measure_version(),
            "records": version_of("eval/unit.py", "eval/records.py"),
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
        return record_stream(self._scheme.stream(self._clip, self._kbps), self._clip.frames)

    @cached_property
    def _curve(self) -> ReferenceCurve:
        known = [Point(**point) for point in self._cache.get(self._reference_key) or []]
        return ReferenceCurve(self._clip.frames, self._clip.fps, _score, known)

    def _reference(self, total_bytes: int) -> Quality | None:
        known = len(self._curve.points)
        point = self._curve.quality_at(total_bytes)
        if len(self._curve.points) > known:
            self._cache.put(self._reference_key, [asdict(p) for p in self._curve.points])
        return None if point is None else Quality(point.ssim_db, point.psnr_y)

    def _measure_ours(self, play_: Play, look_at: int | None) -> Record:
        def look(number: int, shown: Frame) -> None:
            if number == look_at:
                key = content_key(of=self._ours_key(play_), picture=number)
                self._cache.put_array(key, to_rgb(shown))

        scheme, recording = self._scheme, self._recording
        outcome = play(recording, scheme.receiver(self._clip), self._clip, play_.channel, play_.seed, look)
        who = {"scheme": scheme.name, "codec": scheme.codec, "preset": scheme.preset}
        return self._record(play_, recording, outcome, who, scheme.config())

    def _measure_x264(self, play_: Play, total_bytes: int) -> Record | None:
        """Plain x264 at our bytes within 2 %; None if no rate factor gets there."""
        if total_bytes not in self._x264:
            self._x264[total_bytes] = self._curve.encode_to(total_bytes)
        encoded = self._x264[total_bytes]
        if encoded is None:
            return None
        recording = Recording(encoded.packets, len(self._clip.frames), encoded.seconds)
        receiver: Receiver = X264Receiver(
            self._clip.width,
            self._clip.height,
            self._clip.fps,
            encoded.parameter_sets,
            self._clip.frames[0].colour,
        )
        outcome = play(recording, receiver, self._clip, play_.channel, play_.seed)
        who = {"scheme": "x264", "codec": "x264", "preset": "veryfast"}
        config = {"crf": round(encoded.crf, 3), "tune": "zerolatency", "gop": "infinite", "slices": True}
        return self._record(play_, recording, outcome, who, config)

    def _record(
        self, play_: Play, recording: Recording, outcome: Run, who: dict[str, str], config: dict[str, Any]
    ) -> Record:
        clip, score = self._clip, outcome.score
        frames = len(clip.frames)
        return Record(
            clip=clip.name,
            **who,
            protection="none",
            redundancy=0.0,
            block=1,
            regime=REGIME,
            kbps_target=round(self._kbps, 3),
            channel=play_.channel.name,
            loss=play_.channel.mean_loss,
            seed=play_.seed,
            config={**config, "point": self._point},
            kbps_sent=round(recording.total_bytes * 8 / 1000 / clip.seconds, 3),
            bytes_media=recording.bytes_media,
            bytes_protection=0,
            bytes_headers=recording.bytes_headers,
            packets_sent=outcome.packets_sent,
            packets_lost=outcome.packets_lost,
            frames=frames,
            frames_damaged=outcome.frames_damaged,
            frames_frozen=outcome.frames_frozen,
            psnr_y=round(score.psnr_y, 5),
            psnr_yuv=round(score.psnr_yuv, 5),
            ssim_y=round(score.ssim_y, 8),
            ssim_db=round(score.ssim_db, 5),
            ssim_db_p10=round(score.ssim_db_p10, 5),
            vmaf=None,
            delay_ms=Delay(),
            encode_fps=round(frames / max(recording.encode_seconds, 1e-9), 2),
            decode_fps=round(frames / max(outcome.decode_seconds, 1e-9), 2),
            tasks={},
            psnr_y_p10=round(score.psnr_y_p10, 5),
            reference=self._reference(recording.total_bytes),
            ssim_frames=[round(value, 5) for value in score.ssim_frames],
            psnr_frames=[round(metrics.mse_to_psnr(value[0]), 3) for value in score.mse_frames],
        )


def _score(source: Sequence[Frame], shown: Sequence[Frame]) -> tuple[float, float]:
    result = metrics.score(source, shown)
    return result.ssim_db, result.psnr_y


def _x264_version() -> str:
    return f"{version_of('baselines')} {av.library_versions}"
