"""A video as it was sent, and what a receiver shows of any part of it.

    video = SentVideo.encode(frames, Setup(320, 240, fps), kbps=150)
    whole = video.play(video.everything)
    without = video.play(lost_mask, whole)      # decodes from the first frame that differs
    video.rgb(without)                          # (T, H, W, 3) uint8, what a recognizer gets

Packets are numbered in sending order through the whole video; a set of packets is a (packets,) bool array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from t4vcodec.codec import Encoder, Packet, Setup
from t4vcodec.codec.models import Model, load_model
from t4vcodec.codec.packets import PacketSymbols, PayloadParser
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.state import DecoderState, step
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.media.frames import Colour, Frame, to_rgb
from t4vcodec.network.stream import HEADER_BYTES

_USUAL = Colour()


class Shown(Protocol):
    """What a receiver showed, with the set of packets that it had."""

    arrived: np.ndarray


class AnyVideo(Protocol):
    """A sent video of whichever codec, as far as influence needs it."""

    fps: float
    frames: int
    frame_of: np.ndarray
    """(packets,) the frame that each packet belongs to, ascending."""
    sizes: np.ndarray
    """(packets,) bytes of each packet on the wire, its 40 bytes of headers included."""

    def play(self, arrived: np.ndarray, base: Shown | None = None) -> Shown:
        """Decodes what `arrived`; `base` spares what is the same."""
        ...

    def rgb(self, shown: Shown, frames: Sequence[int] | None = None) -> np.ndarray:
        """(T, H, W, 3) uint8 R'G'B'; where `frames` are given, the others are left black."""
        ...


@dataclass(frozen=True, eq=False)
class Playback:
    """A decoder's way through a video.

    arrived: (packets,) bool. states: before each frame and after the last, frames + 1 of them. pictures: one a
    frame, as coded (half size where the stream says so). cut: first frame that may differ from `base`'s.
    """

    arrived: np.ndarray
    states: tuple[DecoderState, ...]
    pictures: tuple[Picture, ...]
    base: Playback | None = None
    cut: int = 0
    _rgb: dict[int, np.ndarray] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class SentVideo:
    """Our codec's stream of one video. packets: by frame, parsed, in order of their index."""

    setup: Setup
    packets: tuple[tuple[PacketSymbols, ...], ...]
    colour: Colour = _USUAL

    @classmethod
    def parse(cls, setup: Setup, packets: Sequence[Sequence[bytes]], colour: Colour = _USUAL) -> SentVideo:
        """packets: of each frame. Raises PacketError for what is none of this session's."""
        if not packets:
            raise ImportanceError("a video of no frames has no packets to weigh")
        parser = PayloadParser(setup, load_model(setup.model).tables)
        parsed = tuple(
            tuple(sorted((parser.parse(Packet.parse(p, setup)) for p in frame), key=lambda p: p.packet.index))
            for frame in packets
        )
        return cls(setup, parsed, colour)

    @classmethod
    def encode(cls, frames: Sequence[Frame], setup: Setup, kbps: float) -> SentVideo:
        """What our encoder sends of these frames."""
        encoder = Encoder(setup, kbps=kbps, threads=1)
        colour = frames[0].colour if frames else Colour()
        return cls.parse(setup, [[bytes(p) for p in encoder.push(frame)] for frame in frames], colour)

    @property
    def fps(self) -> float:
        return float(self.setup.fps)

    @property
    def frames(self) -> int:
        return len(self.packets)

    @cached_property
    def model(self) -> Model:
        return load_model(self.setup.model)

    @cached_property
    def first_of(self) -> np.ndarray:
        """(frames + 1,) number of each frame's first packet."""
        return np.concatenate([[0], np.cumsum([len(frame) for frame in self.packets])]).astype(np.int64)

    @cached_property
    def frame_of(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.packets)), [len(frame) for frame in self.packets])

    @cached_property
    def sizes(self) -> np.ndarray:
        return np.array([len(bytes(p.packet)) + HEADER_BYTES for frame in self.packets for p in frame])

    @property
    def everything(self) -> np.ndarray:
        """The set of all packets."""
        return np.ones(len(self.frame_of), bool)

    def arrived_of(self, frame: int, arrived: np.ndarray) -> list[PacketSymbols]:
        """The packets of a frame that are in a set."""
        mine = arrived[self.first_of[frame] : self.first_of[frame + 1]]
        return [packet for packet, here in zip(self.packets[frame], mine) if here]

    def play(self, arrived: np.ndarray, base: Playback | None = None) -> Playback:
        """Decodes what `arrived`, from the first frame on at which it differs from what `base` had."""
        arrived = check_set(arrived, len(self.frame_of))
        states, pictures = [DecoderState()], []
        if base is not None:
            differ = np.flatnonzero(base.arrived != arrived)
            if not differ.size:
                return base
            first = int(self.frame_of[differ[0]])
            states, pictures = list(base.states[: first + 1]), list(base.pictures[:first])
        cut = len(pictures)
        state = states[-1]
        for frame in range(cut, len(self.packets)):
            state, picture = step(state, self.arrived_of(frame, arrived), self.setup, self.model)
            states.append(state)
            pictures.append(picture)
        return Playback(arrived, tuple(states), tuple(pictures), base, cut)

    def rgb(self, shown: Playback, frames: Sequence[int] | None = None) -> np.ndarray:
        """(T, H, W, 3) uint8 R'G'B', bit for bit what `Decoder` gives out.

        frames: those that are wanted; the others are left black. None: all.
        """
        out = np.zeros((len(self.packets), self.setup.height, self.setup.width, 3), np.uint8)
        for frame in range(len(self.packets)) if frames is None else frames:
            out[frame] = self._rgb(shown, frame)
        return out

    def _rgb(self, shown: Playback, frame: int) -> np.ndarray:
        if shown.base is not None and frame < shown.cut:
            return self._rgb(shown.base, frame)
        if frame not in shown._rgb:
            picture, half = shown.pictures[frame], shown.states[frame + 1].half
            s = self.setup
            full = picture.enlarged(*s.grid(False).size) if half else picture
            shown._rgb[frame] = to_rgb(full.to_frame(s.height, s.width, 0.0, self.colour))
        return shown._rgb[frame]

    def __repr__(self) -> str:
        s = self.setup
        return f"SentVideo({s.width}x{s.height}, {len(self.packets)} frames, {len(self.frame_of)} packets)"


def check_set(arrived: np.ndarray, packets: int) -> np.ndarray:
    """`arrived` as a set of a video's packets; raises ImportanceError where it has another shape."""
    arrived = np.asarray(arrived)
    if arrived.shape != (packets,) or arrived.dtype != bool:
        raise ImportanceError(
            f"a set of packets: expected ({packets},) bool, got {arrived.shape} {arrived.dtype}"
        )
    return arrived
