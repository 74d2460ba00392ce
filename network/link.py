"""A one-way link in virtual time: capacity, drop-tail queue, losses, propagation delay.

Time is an argument (seconds, a float), never read from a clock, and nothing is random but the session of a channel
(`channels`), so a run is a function of its inputs. A datagram that is sent at `now`

1. asks the channel for its fate (each datagram sent consumes one, in sending order, whatever else befalls it);
2. is dropped if the queue, the datagram in transmission included, would exceed `queue_bytes`;
3. leaves when the capacity has served those before it and itself, lost or not: losses strike behind the bottleneck;
4. arrives `delay` later, in order, unless the channel lost it.

The queue is computed ahead: with first come, first served, when a datagram leaves is known as it enters. A link
therefore does nothing between `send` and the arrival that `next_wakeup` names.

>>> link = Link(Constant(100), delay=0.05)
>>> link.send(b"x" * 97, now=0.0)  # 97 + 28 bytes at 100 kbit/s take 10 ms
>>> round(link.next_wakeup(), 3)
0.06
>>> [(round(time, 3), len(datagram)) for time, datagram in link.poll(1.0)]
[(0.06, 97)]
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from t4vcodec.network.capacity import Capacity, Constant, Server, Unlimited
from t4vcodec.network.channels import Channel, Independent, Session

__all__ = ["IP_UDP_BYTES", "Arrived", "Constant", "Counts", "Link", "Route"]

IP_UDP_BYTES = 28
"""IPv4 (20) and UDP (8) headers in front of each datagram, counted in rates, queues and statistics."""


class Arrived(NamedTuple):
    """One datagram at the far end."""

    time: float
    """Seconds."""
    datagram: bytes


@dataclass
class Counts:
    """Datagrams of a link; `sent` = `delivered` + `lost` + `dropped` + those on their way."""

    sent: int = 0
    delivered: int = 0
    lost: int = 0
    """By the channel; counted at the time at which they would have arrived."""
    dropped: int = 0
    """For want of room in the queue."""
    bytes_sent: int = 0
    """Headers included, the dropped ones too."""
    bytes_delivered: int = 0


@dataclass
class Link:
    """One direction. `send` and `poll` must be called with times that do not decrease (ValueError)."""

    capacity: Capacity = field(default_factory=Unlimited)
    delay: float = 0.0
    """Propagation, seconds. May be changed on the way: what follows then arrives later or sooner, but in order."""
    queue_bytes: int = 64_000
    """Room of the queue; a datagram that finds it empty is always taken."""
    losses: Session | None = None
    """A channel's session, used by this link alone; None loses nothing. May be changed on the way."""
    apart: Callable[[bytes], bool] | None = None
    """Which datagrams ask `losses_apart` instead, so that the fates of the others do not depend on them."""
    losses_apart: Session | None = None
    counts: Counts = field(default_factory=Counts)
    now: float = 0.0
    """Latest time seen."""

    def __post_init__(self) -> None:
        if not 0 <= self.delay < math.inf or self.queue_bytes < 0:
            raise ValueError("a link's delay and queue must be at least 0")
        self._server: Server = self.capacity.server()
        self._free = 0.0
        self._waiting: deque[tuple[float, int]] = deque()
        self._waiting_bytes = 0
        self._flying: deque[tuple[float, bytes | None, int]] = deque()

    @property
    def queued_bytes(self) -> int:
        """Bytes that have not left yet at `now`."""
        return self._waiting_bytes

    @property
    def pending(self) -> int:
        """Datagrams on their way: waiting, or flying."""
        return len(self._flying)

    def send(self, datagram: bytes, now: float) -> None:
        """Hands the link one datagram."""
        self._advance(now)
        size = len(datagram) + IP_UDP_BYTES
        self.counts.sent += 1
        self.counts.bytes_sent += size
        losses = self.losses_apart if self.apart is not None and self.apart(datagram) else self.losses
        lost = losses is not None and losses.lost(now)
        if self._waiting and self._waiting_bytes + size > self.queue_bytes:
            self.counts.dropped += 1
            return
        self._free = self._server.finish(size, max(now, self._free))
        if self._free > now:
            self._waiting.append((self._free, size))
            self._waiting_bytes += size
        arrival = max(self._free + self.delay, self._flying[-1][0] if self._flying else 0.0)
        self._flying.append((arrival, None if lost else datagram, size))

    def poll(self, now: float) -> list[Arrived]:
        """What has arrived until `now` and was not yet told, with its times."""
        self._advance(now)
        arrived = []
        while self._flying and self._flying[0][0] <= now:
            time, datagram, size = self._flying.popleft()
            if datagram is None:
                self.counts.lost += 1
            else:
                self.counts.delivered += 1
                self.counts.bytes_delivered += size
                arrived.append(Arrived(time, datagram))
        return arrived

    def next_wakeup(self) -> float:
        """When `poll` next has something to do; infinity for never."""
        return self._flying[0][0] if self._flying else math.inf

    def _advance(self, now: float) -> None:
        if not now >= self.now:
            raise ValueError(f"a link's time cannot go from {self.now} back to {now}")
        self.now = now
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting_bytes -= self._waiting.popleft()[1]


@dataclass(frozen=True)
class Route:
    """Description of a link, from which fresh ones are made."""

    capacity: Capacity = field(default_factory=Unlimited)
    delay: float = 0.0
    """Propagation, seconds."""
    queue_bytes: int = 64_000
    channel: Channel = field(default_factory=lambda: Independent("0", 0.0))

    def link(self, clip: str, seed: int) -> Link:
        """A link whose losses are those of the channel for (clip, seed)."""
        return Link(self.capacity, self.delay, self.queue_bytes, self.channel.session(clip, seed))
