"""A toy codec that needs no other part of the package: shrunken luma, cut into stripes, a packet each.

In a module of its own, since worker processes must be able to import it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from t4vcodec.eval.clips import Clip, make_clip
from t4vcodec.media.frames import Frame
from t4vcodec.network.stream import SentPacket


@dataclass
class ToyStream:
    fps: Fraction
    step: int
    sent: int = 0

    def send(self, frame: Frame) -> list[SentPacket]:
        small = frame.y[:: self.step, :: self.step]
        packets = [
            SentPacket(bytes([row]) + small[row].tobytes(), self.sent, self.sent / float(self.fps))
            for row in range(small.shape[0])
        ]
        self.sent += 1
        return packets

    def finish(self) -> list[SentPacket]:
        return []


class ToyReceiver:
    def __init__(self, clip: Clip, step: int) -> None:
        first = clip.frames[0]
        self.shape, self.step, self.fps = first.y.shape, step, float(clip.fps)
        self.small = np.full_like(first.y[::step, ::step], 128)
        self.chroma = np.full_like(first.u, 128)

    def receive(self, packets: Sequence[bytes], frame: int) -> Frame:
        self.small = self.small.copy()
        for packet in packets:
            self.small[packet[0]] = np.frombuffer(packet[1:], np.uint8)
        large = self.small.repeat(self.step, 0).repeat(self.step, 1)
        return Frame(large[: self.shape[0], : self.shape[1]], self.chroma, self.chroma, frame / self.fps)


@dataclass(frozen=True)
class ToyScheme:
    step: int = 4
    name: str = "t4v-toy"
    codec: str = "toy"
    preset: str = "none"

    def stream(self, clip: Clip, kbps: float) -> ToyStream:
        return ToyStream(clip.fps, self.step)

    def receiver(self, clip: Clip) -> ToyReceiver:
        return ToyReceiver(clip, self.step)

    def config(self) -> dict:
        return {"step": self.step}

    def version(self) -> str:
        return "1"


def moving_clip(
    name: str = "moving", frames: int = 8, width: int = 96, height: int = 64, seed: int = 0, fps: int = 25
) -> Clip:
    """A smooth texture that drifts, with a moving square."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 1, (height + 64, width + 64))
    kernel = np.ones(9) / 9
    for axis in (0, 1):
        noise = np.apply_along_axis(lambda line: np.convolve(line, kernel, mode="same"), axis, noise)
    texture = np.clip(128 + 300 * noise, 16, 235)
    pictures = []
    for i in range(frames):
        y = texture[i : i + height, 2 * i : 2 * i + width].astype(np.uint8)
        y[20:36, 10 + 3 * i : 26 + 3 * i] = 210
        u = np.full(((height + 1) // 2, (width + 1) // 2), 120, np.uint8)
        pictures.append(Frame(y, u, u + 10, i / fps))
    return make_clip(name, f"made:{name}", Fraction(fps), tuple(pictures))
