"""The one loop for everybody: frames in, packets over a channel, a picture for every frame out.

A one-way stream does not depend on what happens to its packets, so a clip is encoded once (`record`) and the
packets are sent over any number of channels (`play`). `play` is `fates_of` (who is lost), then a `Delivery` (what
is in hand when each frame is shown), then `show` (what is seen); error correction stands between the first two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

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
class Delivery:
    """What a receiver has of each frame when it is shown, and what was lost."""

    payloads: Sequence[Sequence[bytes]]
    """By frame, in sending order."""
    waits: Sequence[int]
    """Frames that each frame waits before it is shown."""
    sent: Sequence[int]
    """Packets that left with each frame, protection included."""
    lost: Sequence[int]
    """How many of them were lost."""


@dataclass(frozen=True)
class Run:
    """What a receiver showed of one recording over one channel."""

    score: ClipScore
    delivery: Delivery
    frames_frozen: int
    """Frames for which, after a loss, exactly the picture before was shown again while the source moved."""
    decode_seconds: float
    """Wall time that the receiver took."""

    @property
    def packets_sent(self) -> int:
        return sum(self.delivery.sent)

    @property
    def packets_lost(self) -> int:
        return sum(self.delivery.lost)

    @property
    def frames_damaged(self) -> int:
        """Frames with which at least one packet was lost."""
        return sum(count > 0 for count in self.delivery.lost)


class Judge(Protocol):
    """Who scores a frame: `ClipScore.add`, or something that remembers equal pictures."""

    def __call__(self, score: ClipScore, number: int, source: Frame, shown: Frame) -> None: ...


def _judge(score: ClipScore, number: int, source: Frame, shown: Frame) -> None:
    score.add(source, shown)


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
    fates = fates_of(recording.packets, clip, channel, seed)
    arrived: list[list[bytes]] = [[] for _ in clip.frames]
    for packet, lost in zip(recording.packets, fates):
        if not lost:
            arrived[packet.frame].append(packet.data)
    sent, lost = losses_by_frame(recording.packets, fates, len(clip.frames))
    return show(Delivery(arrived, [0] * len(clip.frames), sent, lost), receiver, clip, look)


def fates_of(packets: Sequence[SentPacket], clip: Clip, channel: Channel, seed: int) -> list[bool]:
    """Which packets are lost (True): the channel's one sequence for this clip and seed, in sending order."""
    return [fate.lost for fate in carry(packets, channel.session(clip.name, seed))]


def losses_by_frame(
    packets: Sequence[SentPacket], fates: Sequence[bool], frames: int
) -> tuple[list[int], list[int]]:
    """Packets that left with each frame, and how many of them were lost."""
    sent, lost = [0] * frames, [0] * frames
    for packet, gone in zip(packets, fates):
        sent[packet.frame] += 1
        lost[packet.frame] += gone
    return sent, lost


def show(
    delivery: Delivery,
    receiver: Receiver,
    clip: Clip,
    look: Callable[[int, Frame], None] | None = None,
    judge: Judge = _judge,
) -> Run:
    """Compares what a fresh receiver shows of a delivery with the clip, frame by frame at its own time.

    `look` is given each frame number and picture, in order; `judge` adds each frame's quality to the score.
    """
    score, frozen, seconds = ClipScore(), 0, 0.0
    previous: Frame | None = None
    for number, source in enumerate(clip.frames):
        start = time.perf_counter()
        shown = receiver.receive(delivery.payloads[number], number)
        seconds += time.perf_counter() - start
        if shown.y.shape != source.y.shape:
            raise EvalError(f"a receiver showed {shown.y.shape} for a frame of {source.y.shape}")
        judge(score, number, source, shown)
        if look:
            look(number, shown)
        if previous is not None and any(delivery.lost[: number + delivery.waits[number] + 1]):
            frozen += _same(previous, shown) and not _same(clip.frames[number - 1], source)
        previous = shown
    return Run(score, delivery, frozen, seconds)


def run(stream: Stream, receiver: Receiver, clip: Clip, channel: Channel, seed: int) -> Run:
    """Encodes and plays in one go."""
    return play(record(stream, clip.frames), receiver, clip, channel, seed)


def _same(a: Frame, b: Frame) -> bool:
    return all(np.array_equal(p, q) for p, q in ((a.y, b.y), (a.u, b.u), (a.v, b.v)))
