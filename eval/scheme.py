"""What the evaluation needs to know of somebody who sends video: how to build its two ends, and its name."""

from __future__ import annotations

from typing import Any, Protocol

from t4vcodec.eval.cache import version_of
from t4vcodec.eval.clips import Clip
from t4vcodec.network.stream import Receiver, Stream

MEASURE_FILES = ("network", "eval/protocol.py", "eval/metrics.py", "eval/ours.py")
"""Code that any record depends on, whoever sends."""

REFERENCE_SIZE = (854, 480, 25)
"""Width, height, frames per second to which rate points refer."""


class Scheme(Protocol):
    """A way to send video; picklable, since work may be done in other processes."""

    name: str
    """As in records; ours begins with "t4v"."""
    codec: str
    preset: str

    def stream(self, clip: Clip, kbps: float) -> Stream:
        """A fresh sender that keeps to `kbps` in total by its own causal rate control."""
        ...

    def receiver(self, clip: Clip) -> Receiver:
        """A fresh receiver for what `stream` sends."""
        ...

    def config(self) -> dict[str, Any]:
        """Settings, for records; JSON-able."""
        ...

    def version(self) -> str:
        """Hash of the code and weights that decide what it does."""
        ...


def scaled_kbps(point: float, width: int, height: int, fps: float) -> float:
    """A rate point (kbit/s at 854x480, 25 frames per second) for another size and frame rate.

    Bits needed grow more slowly than samples: with the pixel rate to the power 0.75.
    """
    w, h, f = REFERENCE_SIZE
    return float(point * (width * height * float(fps) / (w * h * f)) ** 0.75)


def measure_version() -> str:
    """Hash of the code that carries packets and measures pictures."""
    return version_of(*MEASURE_FILES)
