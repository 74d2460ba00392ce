"""The one loop for everybody: frames in, packets over a channel, a picture for every frame out.

A one-way stream does not depend on what happens to its packets, so a clip is encoded once (`record`) and the
packets are sent over any number of channels (`play`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.metrics import ClipScore
from t4vcodec.media.frames import Frame
from t4vcodec.network.channels import Channel
from t4vcodec.network.stream import HEADER_BYTES, Receiver, SentPacket, Stream, carry


@dataclass(frozen=True)
class Recording:
    """All packets of a clip in sending order."""

    packets: tuple[SentPacket, ...]
    frames: int
    encode_seconds: float
    """Wall time that encoding took."""

    @property
    def bytes_media(self) -> int:
        """Payload bytes; a codec's own headers are part of them."""
        return sum(len(packet.data) for packet in self.packets)

    @property
    def bytes_headers(self) -> int:
        """IP, UDP and RTP headers."""
        return HEADER_BYTES * len(self.packets)

    @property
    def total_bytes(self) -> int:
        return self.bytes_media + self.bytes_headers


@dataclass(frozen=True)
class Run:
    """What a receiver showed of one recording over one channel."""

    score: ClipScore
    packets_sent: int
    packets_lost: int
    frames_damaged: int
    """Frames of which at least one packet was lost."""
    frames_frozen: int
    """Frames for which, after a loss, exactly the picture before was shown again while the source moved."""
    decode_seconds: float
    """Wall time that the receiver took."""


def record(stream: Stream, frames: Sequence[Frame]) -> Recording:
    """Sends a whole clip; raises `EvalError` if the stream numbers a packet beyond the clip."""
    start = time.perf_counter()
    packets = [packet for frame in frames for packet in stream.send(frame)]
    packets += stream.finish()
    seconds = time.perf_counter() - start
    if any(packet.frame >= len(frames) for packet in packets):
        raise EvalError("a stream sent a packet of a frame that it was not given")
    return Recording(tuple(packets), len(frames), seconds)


def play(
    recording: Recording,
    receiver: Receiver,
    clip: Clip,
    channel: Channel,
    seed: int,
    look: Callable[[int, Frame], None] | None = None,
) -> Run:
    """Sends a recording over a channel, and compares what a fresh receiver shows with the clip.

    `look` is given each frame number and picture, in order.
    """
    arrived: list[list[bytes]] = [[] for _ in clip.frames]
    losses = [0] * len(clip.frames)
    for fate in carry(recording.packets, channel.session(clip.name, seed)):
        if fate.lost:
            losses[fate.packet.frame] += 1
        else:
            arrived[fate.packet.frame].append(fate.packet.data)

    score, frozen, seconds = ClipScore(), 0, 0.0
    previous: Frame | None = None
    for number, source in enumerate(clip.frames):
        start = time.perf_counter()
        shown = receiver.receive(arrived[number], number)
        seconds += time.perf_counter() - start
        if shown.y.shape != source.y.shape:
            raise EvalError(f"a receiver showed {shown.y.shape} for a frame of {source.y.shape}")
        score.add(source, shown)
        if look:
            look(number, shown)
        if previous is not None and any(losses[: number + 1]):
            frozen += _same(previous, shown) and not _same(clip.frames[number - 1], source)
        previous = shown
    return Run(
        score=score,
        packets_sent=len(recording.packets),
        packets_lost=sum(losses),
        frames_damaged=sum(count > 0 for count in losses),
        frames_frozen=frozen,
        decode_seconds=seconds,
    )


def run(stream: Stream, receiver: Receiver, clip: Clip, channel: Channel, seed: int) -> Run:
    """Encodes and plays in one go."""
    return play(record(stream, clip.frames), receiver, clip, channel, seed)


def _same(a: Frame, b: Frame) -> bool:
    return all(np.array_equal(p, q) for p, q in ((a.y, b.y), (a.u, b.u), (a.v, b.v)))
