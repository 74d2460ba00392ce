"""Our codec as a scheme: adapters of `Encoder` and `Decoder` to the `Stream` and `Receiver` protocols."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from t4vcodec.codec import Decoder, Encoder, Setup
from t4vcodec.codec.models import model_path
from t4vcodec.codec.setup import DEFAULT_MODEL
from t4vcodec.eval.cache import version_of
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.errors import EvalError
from t4vcodec.media.frames import Colour, Frame
from t4vcodec.network.stream import SentPacket


class T4VStream:
    """A `Stream`: one frame in, its packets out at once."""

    def __init__(self, setup: Setup, kbps: float, **settings: Any) -> None:
        self._encoder = Encoder(setup, kbps=kbps, **settings)
        self._fps = setup.fps
        self._sent = 0

    def send(self, frame: Frame) -> list[SentPacket]:
        number, self._sent = self._sent, self._sent + 1
        time = float(number / self._fps)
        return [SentPacket(bytes(packet), number, time) for packet in self._encoder.push(frame)]

    def finish(self) -> list[SentPacket]:
        return []


class T4VReceiver:
    """A `Receiver`: closes each frame when its time is up, whatever arrived."""

    def __init__(self, setup: Setup, colour: Colour | None = None) -> None:
        self._decoder = Decoder(setup, colour=colour)

    def receive(self, packets: Sequence[bytes], frame: int) -> Frame:
        pictures = [*self._decoder.push(list(packets)), *self._decoder.close(until=frame)]
        if len(pictures) != 1:
            raise EvalError(f"the decoder gave {len(pictures)} pictures for frame {frame}, expected one")
        return pictures[0]


@dataclass(frozen=True)
class T4VScheme:
    """Our codec; None leaves a setting at the codec's own default."""

    resilience: float | None = None
    """Nominal loss that the encoder assumes, 0 to 0.5. It is never told the real one."""
    model: str | None = None
    name: str = "t4v"
    codec: str = "t4v"
    preset: str = "default"

    def stream(self, clip: Clip, kbps: float) -> T4VStream:
        settings = {} if self.resilience is None else {"resilience": self.resilience}
        return T4VStream(self._setup(clip), kbps, **settings)

    def receiver(self, clip: Clip) -> T4VReceiver:
        return T4VReceiver(self._setup(clip), clip.frames[0].colour)

    def config(self) -> dict[str, Any]:
        return {"resilience": self.resilience, "model": self.model}

    def version(self) -> str:
        weights = model_path(self.model or DEFAULT_MODEL).read_bytes()
        return version_of("codec") + hashlib.sha256(weights).hexdigest()

    def _setup(self, clip: Clip) -> Setup:
        model = {} if self.model is None else {"model": self.model}
        return Setup(clip.width, clip.height, clip.fps, **model)
