"""Does a long clip settle under loss, and is the rate held? `python -m t4vcodec.eval.settling CLIP ...`

Clips are played forth and back to 300 frames. Loss penalty: mean SSIM dB of the own clean decode minus that
under loss, over a window of frames; a codec that sinks has a growing one. Rate: all bytes of any 2 seconds
after the first second, against the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click
import numpy as np
from t4vcodec.errors import T4VError
from t4vcodec.eval.clips import Clip, load_clip, make_clip
from t4vcodec.eval.metrics import ssim_to_db
from t4vcodec.eval.ours import T4VScheme
from t4vcodec.eval.protocol import Recording, play, record
from t4vcodec.eval.scheme import scaled_kbps
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.stream import HEADER_BYTES

FRAMES = 300
EARLY = slice(60, 160)
LATE = slice(200, 300)
SETTLED_DB = 0.4


@dataclass(frozen=True)
class Settling:
    """early, late: loss penalty in SSIM dB over frames 60 to 160 and 200 to 300. rate_low, rate_high: the
    least and the most of any 2 s after the first second, over the target."""

    clip: str
    early: float
    late: float
    rate_low: float
    rate_high: float

    @property
    def settles(self) -> bool:
        return self.late <= self.early + SETTLED_DB


def forth_and_back(clip: Clip, frames: int = FRAMES) -> Clip:
    """The clip played forth and back to `frames` frames."""
    n = len(clip.frames)
    turn = [*range(n), *range(n - 2, 0, -1)]
    order = [turn[i % len(turn)] for i in range(frames)]
    return make_clip(clip.name, clip.source, clip.fps, tuple(clip.frames[i] for i in order))


def rate_range(recording: Recording, kbps: float, fps: float) -> tuple[float, float]:
    """Least and most of the bytes of any 2 s after the first second, over what `kbps` allows."""
    sizes = np.zeros(recording.frames)
    for packet in recording.packets:
        sizes[packet.frame] += len(packet.data) + HEADER_BYTES
    window, first = round(2 * fps), round(fps)
    if recording.frames < first + window:
        return float("nan"), float("nan")
    total = np.convolve(sizes[first:], np.ones(window), "valid") * 8 / 1000 / (window / fps)
    return float(total.min() / kbps), float(total.max() / kbps)


def measure(clip: Clip, point: float, channel: str, seeds: int) -> Settling:
    """Encode once, decode clean and over `seeds` runs of the channel."""
    scheme = T4VScheme()
    kbps = scaled_kbps(point, clip.width, clip.height, float(clip.fps))
    recording = record(scheme.stream(clip, kbps), clip.frames)

    def frames(loss: str, seed: int) -> np.ndarray:
        return np.array(
            play(recording, scheme.receiver(clip), clip, parse_channel(loss), seed).score.ssim_frames
        )

    clean = frames("0", 0)
    lossy = np.mean([frames(channel, seed) for seed in range(seeds)], axis=0)

    def penalty(window: slice) -> float:
        return ssim_to_db(float(clean[window].mean())) - ssim_to_db(float(lossy[window].mean()))

    low, high = rate_range(recording, kbps, float(clip.fps))
    return Settling(clip.name, penalty(EARLY), penalty(LATE), low, high)


@click.command()
@click.argument("clips", nargs=-1, required=True)
@click.option("--loss", default="0.3", show_default=True, help="Channel.")
@click.option("--point", default=600.0, show_default=True, help="Rate at 854x480 and 25 frames per second.")
@click.option("--seeds", default=2, show_default=True, help="Runs of the channel.")
def main(clips: Sequence[str], loss: str, point: float, seeds: int) -> None:
    """Loss penalty early and late in clips of 300 frames, and how well the rate is held."""
    import torch

    torch.set_num_threads(1)
    click.echo(f"{'clip':24} {'60-160':>8} {'200-300':>8}  {'settles':8} rate in any 2 s")
    for source in clips:
        try:
            s = measure(forth_and_back(load_clip(source, FRAMES)), point, loss, seeds)
        except T4VError as error:
            raise SystemExit(f"t4vcodec: {error}") from error
        click.echo(
            f"{s.clip[:24]:24} {s.early:8.2f} {s.late:8.2f}  {'yes' if s.settles else 'NO':8} "
            f"{100 * s.rate_low:.1f} to {100 * s.rate_high:.1f} %"
        )


if __name__ == "__main__":
    main()
