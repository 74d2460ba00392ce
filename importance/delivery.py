"""One sent video over one transport in virtual time: which packets are in hand at the deadline, when, at what cost.

Transports and clocks are those of the session benchmark (`eval.session_opponents.carry`). First sendings meet the
same fates whatever is sent again, so transports and policies differ in what they send alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.session_opponents import Selection, Variant, carry
from t4vcodec.eval.session_protocol import Condition
from t4vcodec.importance.sent_video import AnyVideo
from t4vcodec.network.channels import Channel
from t4vcodec.network.stream import HEADER_BYTES

NOTHING_AGAIN = 1e18
"""A threshold that no packet reaches."""


@dataclass(frozen=True, eq=False)
class Delivery:
    """What came of it."""

    arrived: np.ndarray
    """(packets,) bool, in hand when their frames were due."""
    delays: np.ndarray
    """(frames,) seconds from capture to the moment that the receiver is done with a frame, in order."""
    late: int
    """Frames that weren't whole when they were due."""
    bytes_sent: int
    """From the sender, headers, parity and copies included."""
    bytes_back: int
    """Reports and requests."""


def deliver(
    video: AnyVideo,
    clip: Clip,
    transport: Variant,
    condition: Condition,
    channel: Channel,
    seed: int,
    utilities: np.ndarray | None = None,
    threshold: float = 0.0,
) -> Delivery:
    """Sends the packets of `video`, made of `clip`.

    utilities: (packets,), what each is worth, for transports that choose; None: all the same. threshold: utility
    per byte below which `nack` sends nothing again.
    """
    by_frame: list[list[int]] = [[] for _ in range(video.frames)]
    for number, frame in enumerate(video.frame_of):
        by_frame[int(frame)].append(number)
    worth = np.ones(len(video.frame_of)) if utilities is None else utilities
    selection = Selection([tuple(float(worth[p]) for p in frame) for frame in by_frame], threshold)
    payloads = [tuple(bytes(int(video.sizes[p]) - HEADER_BYTES) for p in frame) for frame in by_frame]
    carried = carry(
        clip,
        lambda number, _: (payloads[number], number == 0),
        transport,
        condition,
        channel,
        seed,
        selection,
    )
    arrived = np.zeros(len(worth), bool)
    for packets, closed in zip(by_frame, carried.closed):
        arrived[[packets[i] for i in closed.indices]] = True
    captures = np.arange(video.frames) / video.fps
    return Delivery(
        arrived,
        np.array([closed.time for closed in carried.closed]) - captures,
        sum(not closed.whole for closed in carried.closed),
        carried.traffic.forward,
        carried.traffic.backward,
    )


def losses(video: AnyVideo, clip: Clip, condition: Condition, channel: Channel, seed: int) -> np.ndarray:
    """(packets,) bool: what arrives if nothing is sent again."""
    return deliver(video, clip, Variant("nack"), condition, channel, seed, threshold=NOTHING_AGAIN).arrived
