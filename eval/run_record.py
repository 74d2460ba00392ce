"""A record of one run, whoever sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from t4vcodec.eval import metrics
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.protocol import Run
from t4vcodec.eval.records import Delay, Quality, Record
from t4vcodec.eval.vmaf import vmaf, vmaf_version
from t4vcodec.media.frames import Frame
from t4vcodec.network.channels import Channel

REGIME = "one-way"
VMAF_SEEDS = 1
"""VMAF is measured for so many seeds of a channel."""


@dataclass(frozen=True)
class Play:
    """One way of losing packets."""

    channel: Channel
    seed: int


@dataclass(frozen=True)
class Target:
    """kbit/s that ours is asked for, and the point of the protocol that they come from, if any."""

    kbps: float
    point: float | None


@dataclass(frozen=True)
class Bytes:
    """What was sent of a clip."""

    media: int
    protection: int
    headers: int
    encode_seconds: float
    """Wall time that encoding took."""

    @property
    def total(self) -> int:
        return self.media + self.protection + self.headers


class Watched:
    """Collects what is shown where VMAF is to be measured; `protocol.play` calls it if given as `look`."""

    def __init__(self, play: Play) -> None:
        self._wanted = vmaf_key(play) is not None
        self._shown: list[Frame] = []

    def __call__(self, number: int, shown: Frame) -> None:
        if self._wanted:
            self._shown.append(shown)

    def vmaf(self, clip: Clip) -> float | None:
        measured = vmaf(clip.frames, self._shown, clip.fps) if self._wanted else None
        return None if measured is None else round(measured, 3)


def vmaf_key(play: Play) -> str | None:
    """Which program measures a play's VMAF, for cache keys; None where it isn't measured."""
    return vmaf_version() if play.seed < VMAF_SEEDS else None


def make_record(
    clip: Clip,
    target: Target,
    play: Play,
    sent: Bytes,
    run: Run,
    *,
    who: dict[str, Any],
    config: dict[str, Any],
    reference: Quality | None,
    vmaf: float | None = None,
    with_frames: bool = True,
    protection: tuple[str, float, int] = ("none", 0.0, 1),
) -> Record:
    """who: scheme, codec, preset. protection: kind, redundancy, block. with_frames: keep figures of each frame."""
    score, frames = run.score, len(clip.frames)
    kind, redundancy, block = protection
    waits = 1000 / float(clip.fps) * np.array(run.delivery.waits, float)
    return Record(
        clip=clip.name,
        **who,
        protection=kind,
        redundancy=redundancy,
        block=block,
        regime=REGIME,
        kbps_target=round(target.kbps, 3),
        channel=play.channel.name,
        loss=play.channel.mean_loss,
        seed=play.seed,
        config={**config, "point": target.point},
        kbps_sent=round(sent.total * 8 / 1000 / clip.seconds, 3),
        bytes_media=sent.media,
        bytes_protection=sent.protection,
        bytes_headers=sent.headers,
        packets_sent=run.packets_sent,
        packets_lost=run.packets_lost,
        frames=frames,
        frames_damaged=run.frames_damaged,
        frames_frozen=run.frames_frozen,
        psnr_y=round(score.psnr_y, 5),
        psnr_yuv=round(score.psnr_yuv, 5),
        ssim_y=round(score.ssim_y, 8),
        ssim_db=round(score.ssim_db, 5),
        ssim_db_p10=round(score.ssim_db_p10, 5),
        vmaf=vmaf,
        delay_ms=Delay(round(float(np.median(waits)), 3), round(float(np.percentile(waits, 95)), 3)),
        encode_fps=round(frames / max(sent.encode_seconds, 1e-9), 2),
        decode_fps=round(frames / max(run.decode_seconds, 1e-9), 2),
        tasks={},
        psnr_y_p10=round(score.psnr_y_p10, 5),
        reference=reference,
        ssim_frames=[round(value, 5) for value in score.ssim_frames] if with_frames else None,
        psnr_frames=[round(metrics.mse_to_psnr(value[0]), 3) for value in score.mse_frames]
        if with_frames
        else None,
    )
