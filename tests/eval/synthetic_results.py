"""Results of an evaluation that never was: every scheme of the protocol, with known differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from t4vcodec.eval.exhibits import Exhibit
from t4vcodec.eval.metrics import ssim_to_db
from t4vcodec.eval.records import ClipFacts, Delay, Quality, Record, Results
from t4vcodec.eval.summary import summarise

CLIPS = {
    "akiyo-cif-00": (352, 288, 1.5),
    "bear-480p-00": (854, 480, -0.5),
    "bedroom-360p-00": (640, 360, 0.4),
    "drinking-360p-00": (640, 360, 0.8),
    "foreman-cif-00": (352, 288, 0.0),
    "tennis-240p-00": (416, 240, -1.2),
}
"""Width, height, and how much easier than others."""
POINTS = (300.0, 600.0, 1200.0)
CHANNELS = {"0": 0.0, "0.1": 0.1, "0.3": 0.3, "0.6": 0.6, "ge:0.3:5": 0.3}
CODECS = (("x265", "medium"), ("av1", "8"), ("x264", "medium"))
FPS = 25


@dataclass(frozen=True)
class Strength:
    """SSIM dB above x264 without loss, by channel; redundancy, block, added delay in ms."""

    above: tuple[float, ...]
    redundancy: float = 0.0
    block: int = 1
    delay: float = 0.0


SCHEMES = {
    "t4v": Strength((-0.2, -1.2, -2.4, -4.6, -3.2)),
    "fec-sound-0": Strength((0.8, -1.7, -3.4, -5.4, -4.3), 0.8),
    "fec-sound-3": Strength((0.8, -0.9, -2.45, -4.4, -3.8), 0.6, 4, 120),
    "fec-sound-x264-0": Strength((0.5, -2.0, -3.7, -5.6, -4.6), 0.8),
    "fec-sound-x264-3": Strength((0.5, -1.1, -2.7, -4.7, -4.0), 0.6, 4, 120),
    "fec-fixed-30": Strength((-1.8, -1.9, -2.9, -8.0, -5.9), 0.7, 4, 120),
    "fec-fixed-10": Strength((0.1, -1.0, -6.0, -9.0, -6.5), 0.2, 4, 120),
    "capacity": Strength((0.8, 0.4, -0.5, -2.0, -0.5)),
    "x264": Strength((0.0, -5.5, -7.6, -9.2, -7.0)),
    "x265 medium rs:0.5:4": Strength((-0.9, -1.2, -3.4, -8.5, -5.0), 0.5, 4, 120),
}


def synthetic_results(
    seeds: int = 4, frames: int = 40, schemes=tuple(SCHEMES), clips=tuple(CLIPS)
) -> Results:
    """Luck is shared by all schemes of a run, as it is over one channel."""
    random = np.random.default_rng(5)
    records = []
    for number, clip in enumerate(clips):
        for point in POINTS:
            for index, (channel, loss) in enumerate(CHANNELS.items()):
                for seed in range(seeds if loss else 1):
                    luck = random.normal(0, 0.25) if loss else 0.0
                    for scheme in schemes:
                        above = SCHEMES[scheme].above[index] + luck
                        codec = CODECS[(number + index) % len(CODECS)]
                        records.append(
                            _record(scheme, clip, point, channel, seed, frames, above, codec, random)
                        )
    return Results(
        schema=1,
        created="2026-11-25T01:02:03+00:00",
        command="t4vcodec eval --data codec-test --profile full --baselines x264,x265,av1,vp9",
        versions={"python": "3.11.7", "t4vcodec": "0.1.0", "av": "18.1.0"},
        machine={"cpu": "a processor", "cores": 2, "threads": 1, "torch": "2.14.1"},
        settings={"data": "codec-test", "losses": list(CHANNELS), "points": list(POINTS), "model": None},
        clips=[ClipFacts(c, f"codec-test/{c}.mp4", *CLIPS[c][:2], FPS, frames, "5a" * 32) for c in clips],
        records=records,
        summary=summarise(records),
    )


def _record(scheme, clip, point, channel, seed, frames, above, codec, random) -> Record:
    width, height, ease = CLIPS[clip]
    loss, strength, ours = CHANNELS[channel], SCHEMES[scheme], scheme == "t4v"
    reference = 9 + 2 * ease + 2.8 * np.log2(point / 300)
    quality = max(reference + above + 0.4 * ease * ours, 2.0)
    kbps = point * (width * height / (854 * 480)) ** 0.75
    part = (1 - loss if scheme == "capacity" else 1) * random.uniform(0.99, 1.01)
    total = round(kbps * 1000 / 8 * frames / FPS * part)
    packets = max(frames, total // 700)
    media = round((total - 40 * packets) / (1 + strength.redundancy))
    # Frames sink and recover around the mean, in ragged spells that grow with the loss.
    swing = np.convolve(random.normal(0, 1, frames + 8), np.ones(9) / 3, "valid") * loss * 4
    series = np.clip(1 - 10 ** (-(quality + swing - swing.mean()) / 10), 0.05, 0.999)
    name, preset = ("t4v", "default") if ours else codec if "sound" in scheme else ("x264", "veryfast")
    theirs = {"crf": round(random.uniform(20, 40), 1), "gop": "infinite", "tune": "ssim", "scale": "1"}
    return Record(
        clip=clip,
        scheme=scheme,
        codec=name,
        preset=preset,
        protection="rs" if strength.redundancy else "none",
        redundancy=strength.redundancy,
        block=strength.block,
        regime="one-way",
        kbps_target=round(kbps, 3),
        channel=channel,
        loss=loss,
        seed=seed,
        config={**({"resilience": None} if ours else theirs), "point": point},
        kbps_sent=round(total * 8 / 1000 / (frames / FPS), 3),
        bytes_media=media,
        bytes_protection=total - 40 * packets - media,
        bytes_headers=40 * packets,
        packets_sent=packets,
        packets_lost=round(packets * loss * random.uniform(0.9, 1.1)),
        frames=frames,
        frames_damaged=round(frames * loss),
        frames_frozen=0 if ours else round(frames * loss * 0.3),
        psnr_y=20 + 1.2 * quality,
        psnr_yuv=21 + 1.2 * quality,
        ssim_y=float(series.mean()),
        ssim_db=ssim_to_db(float(series.mean())),
        ssim_db_p10=quality - 1 - 3 * loss,
        vmaf=min(99.0, 6 * quality),
        delay_ms=Delay(strength.delay / 2, strength.delay),
        encode_fps=20.0 if ours else random.uniform(80, 300),
        decode_fps=60.0 if ours else 900.0,
        tasks={},
        psnr_y_p10=18 + quality,
        reference=Quality(reference, 20 + 1.2 * reference) if ours else None,
        ssim_frames=[round(float(value), 5) for value in series],
    )


def synthetic_exhibits(
    clips=("foreman-cif-00", "akiyo-cif-00"), frames: int = 6, size=(72, 96)
) -> list[Exhibit]:
    """A moving pattern; the more is lost, the coarser and the more stuck."""
    harm = {"t4v": 0.7, "fec-sound-0": 0.9, "fec-sound-3": 0.8, "x264": 1.6}
    found = []
    for clip in clips:
        source = np.stack([_picture(n, 0, size) for n in range(frames)])
        found.append(Exhibit(clip, "", "source", source, 20, FPS))
        for channel, loss in CHANNELS.items():
            lost = tuple((min(4, round(loss * 4 * (1 + (n * 7 % 5 - 2) / 3))), 4) for n in range(frames))
            for scheme, factor in harm.items():
                damage = min(1.0, loss * factor)
                stuck = scheme == "x264" and loss > 0
                shown = np.stack([_picture(n - n % 4 if stuck else n, damage, size) for n in range(frames)])
                ssim = (0.98 - 0.4 * damage,) * frames
                found.append(
                    Exhibit(clip, channel, scheme, shown, 20, FPS, f"{scheme}, 302 kbit/s", ssim, lost)
                )
    return found


def _picture(number: int, damage: float, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    y, x = np.mgrid[:height, :width]
    moved = x + 4 * number
    base = 128 + 60 * np.sin(moved / 9) * np.cos(y / 13) + 40 * (moved // 44 % 2)
    coarse = base[::8, ::8].repeat(8, 0).repeat(8, 1)[:height, :width]
    mixed = (1 - damage) * base + damage * coarse
    return np.clip(np.stack([mixed, 0.9 * mixed, 0.8 * mixed + 30], -1), 0, 255).astype(np.uint8)
