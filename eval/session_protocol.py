"""The second regime: two ends that hear each other, late and with losses, and a bound on the delay of a picture.

Everything happens in virtual time. Frame n is captured at n / fps and encoded at once; computing takes no time.
Packets travel half a round trip, feedback the other half; both ways lose packets by the same channel, with fates of
their own. The slot of frame n is over at capture + deadline: what is seen then is what counts for frame n.

A receiver decodes frames in order. It is done with a frame when the frame is whole, when it knows that nothing
more of it comes, or when it gives up; `Playout` says when that is. Bytes are counted both ways: media, protection,
copies sent again, reports, requests, and all headers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.protocol import Run
from t4vcodec.eval.records import Delay, Quality, Record
from t4vcodec.eval.run_record import Bytes, Play, Target, make_record
from t4vcodec.network.capacity import Unlimited
from t4vcodec.network.channels import Channel
from t4vcodec.network.link import IP_UDP_BYTES, Constant, Route
from t4vcodec.network.stream import HEADER_BYTES

REGIME = "sessions"
PATIENCE = 0.005
"""Seconds after a frame's last arrival at which a receiver that expects no copies stops waiting for the rest, and
reports. The transports of `network` report after as long."""
SLACK = 1e-9
"""Seconds by which equal times may differ after rounding."""


@dataclass(frozen=True)
class Condition:
    """How far apart the two ends are, and how long a picture may take."""

    deadline_ms: float
    rtt_ms: float | None = None
    report_frames: float | None = None
    """Instead of `rtt_ms`: a report of frame n is there when frame n + `report_frames` is encoded."""
    kbps: float | None = None
    """Capacity of the way there; None: no bound."""

    def __post_init__(self) -> None:
        if (self.rtt_ms is None) == (self.report_frames is None):
            raise EvalError("give either a round trip in ms or the delay of reports in frames")
        given = self.report_frames if self.rtt_ms is None else self.rtt_ms
        if self.kbps is not None and not 0 < self.kbps < 1e9:
            raise EvalError(f"a capacity is a positive number of kbit/s, got {self.kbps:g}")
        if not 0 < given < 1e5 or not 0 < self.deadline_ms < 1e5:
            raise EvalError("round trips, report delays and deadlines are positive numbers, below 100,000")

    @property
    def name(self) -> str:
        """As in "RTT 100 ms, deadline 200 ms"."""
        apart = (
            f"reports after {self.report_frames:g} frames"
            if self.rtt_ms is None
            else f"RTT {self.rtt_ms:g} ms"
        )
        narrow = "" if self.kbps is None else f", {self.kbps:g} kbit/s"
        return f"{apart}, deadline {self.deadline_ms:g} ms{narrow}"

    @property
    def deadline(self) -> float:
        """Seconds."""
        return self.deadline_ms / 1000

    def rtt(self, fps: float) -> float:
        """Round trip in seconds."""
        return self.report_frames / float(fps) if self.rtt_ms is None else self.rtt_ms / 1000

    def routes(self, fps: float, channel: Channel) -> tuple[Route, Route]:
        """The way there and the way back. Raises `EvalError` where nothing can arrive before the deadline."""
        half = self.rtt(fps) / 2
        if half + SLACK > self.deadline:
            raise EvalError(
                f"{self.name}: nothing arrives in time; take a deadline of more than half of the round trip"
            )
        # With a delay in frames, what receivers wait before they report belongs to it.
        back = half if self.report_frames is None else max(0.0, half - 2 * PATIENCE)
        capacity = Unlimited() if self.kbps is None else Constant(self.kbps)
        return Route(capacity, half, channel=channel), Route(delay=back, channel=channel)

    def config(self) -> dict[str, Any]:
        """For records."""
        config = {"rtt": self.rtt_ms, "report_frames": self.report_frames, "deadline": self.deadline_ms}
        return config if self.kbps is None else {**config, "capacity": self.kbps}


@dataclass(frozen=True)
class Traffic:
    """What went over both links in a session."""

    media: int
    """Payload bytes, each packet once."""
    sent: int
    """Datagrams from the sender."""
    lost: int
    """Of those."""
    forward: int
    """Bytes from the sender, headers included."""
    replies: int
    """Datagrams from the receiver."""
    backward: int
    """Bytes from the receiver, headers included."""

    @property
    def total(self) -> int:
        """All bytes, both ways."""
        return self.forward + self.backward

    def bytes(self, encode_seconds: float) -> Bytes:
        """As records have them: 40 bytes of headers a packet, 28 a reply; what is left over protects."""
        headers = HEADER_BYTES * self.sent + IP_UDP_BYTES * self.replies
        return Bytes(self.media, self.total - self.media - headers, headers, encode_seconds)


@dataclass(frozen=True)
class Closed:
    """A frame that the receiver is done with."""

    time: float
    """Seconds, not before the frame before."""
    indices: tuple[int, ...]
    """Packets in hand, ascending."""
    whole: bool


class Playout:
    """When a receiver that must decode in order is done with each frame, and with which packets.

    captures: seconds, by frame. patience: seconds after its capture at which a frame that isn't whole is given up.
    waits: copies sent again may still come, so that what is missing is waited for; else a frame is over `PATIENCE`
    after its last arrival, or when something of a later frame is here. Call with times that do not decrease.
    """

    def __init__(self, captures: Sequence[float], patience: float, waits: bool) -> None:
        self.closed: list[Closed] = []
        self._captures, self._patience, self._waits = captures, patience, waits
        self._here: list[set[int]] = [set() for _ in captures]
        self._count: list[int | None] = [None] * len(captures)
        self._last = [-math.inf] * len(captures)
        self._newest = -1

    def arrive(self, frame: int, index: int, count: int, time: float) -> None:
        """One packet is in hand; what came too late is of no use any more."""
        self.pass_time(time - 2 * SLACK)
        if frame < len(self.closed):
            return
        self._here[frame].add(index)
        self._count[frame], self._last[frame] = count, time
        if frame > self._newest:
            self._newest = frame
        self.pass_time(time)

    def pass_time(self, now: float) -> None:
        """Closes what is due."""
        while len(self.closed) < len(self._captures):
            number = len(self.closed)
            due = self._due(number)
            if due > now + SLACK:
                return
            here = self._here[number]
            time = max(due, self.closed[-1].time if self.closed else 0.0)
            self.closed.append(Closed(time, tuple(sorted(here)), len(here) == self._count[number]))

    def _due(self, number: int) -> float:
        if self._count[number] is not None and len(self._here[number]) == self._count[number]:
            return self._last[number]
        due = self._captures[number] + self._patience
        if self._waits:
            return due
        if self._newest > number:
            following = min(t for t in self._last[number + 1 : self._newest + 1] if t > -math.inf)
            due = min(due, following)
        return min(due, self._last[number] + PATIENCE) if self._here[number] else due


@dataclass(frozen=True)
class Slots:
    """What is on the screen when the slots are over."""

    newest: tuple[int, ...]
    """For each slot the newest frame decoded in time, -1 for none; below the slot's number: the frame is late."""
    delays: tuple[float, ...]
    """Seconds from capture to picture; the deadline where the picture is not there in time."""


def slots(closed: Sequence[Closed], captures: Sequence[float], deadline: float) -> Slots:
    """Which frame each slot shows, and when its own picture was there."""
    newest, delays, at = [], [], -1
    for number, capture in enumerate(captures):
        over = capture + deadline + SLACK
        while at + 1 <= number and closed[at + 1].time <= over:
            at += 1
        newest.append(at)
        delays.append(min(closed[number].time - capture, deadline) if at == number else deadline)
    return Slots(tuple(newest), tuple(delays))


def session_record(
    clip: Clip,
    target: Target,
    play: Play,
    condition: Condition,
    traffic: Traffic,
    run: Run,
    *,
    delays: Sequence[float],
    late: int,
    encode_seconds: float,
    who: dict[str, Any],
    config: dict[str, Any],
    reference: Quality | None,
    protection: tuple[str, float, int] = ("none", 0.0, 1),
) -> Record:
    """The record of one session. delays: seconds by frame. late: frames that were not whole in their slot."""
    record = make_record(
        clip,
        target,
        play,
        traffic.bytes(encode_seconds),
        run,
        who=who,
        config={**condition.config(), **config},
        reference=reference,
        with_frames=play.seed == 0,
        protection=protection,
    )
    ms = 1000 * np.array(delays)
    return replace(
        record,
        regime=REGIME,
        packets_sent=traffic.sent,
        packets_lost=traffic.lost,
        delay_ms=Delay(round(float(np.median(ms)), 3), round(float(np.percentile(ms, 95)), 3)),
        frames_late=late,
        bytes_back=traffic.backward,
    )
