"""What every transport looks like: frames with deadlines go in, packets with times come out.

A transport is two endpoints without clock, socket or thread. Whoever drives them (`duplex.Pair` in virtual
time, an event loop in a real one) tells them the time with every call and carries their datagrams:

* `handle(datagram, now)` takes one datagram from the other side;
* `poll(now)` gives the datagrams that are due, in order;
* `next_wakeup()` says when `poll` is next worth calling, if nothing arrives before.

Times are seconds of one clock that both sides share, deadlines as well. A time before the latest one seen is
taken for the latest one (`Clock`): real clocks jump, and no timer may then run backwards. Datagrams that are
not the other side's are counted and forgotten; nothing that arrives may raise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from t4vcodec.errors import T4VError
from t4vcodec.network.stream import MAX_PAYLOAD

MAX_PACKETS = 2047
"""Packets of a frame at most: 11 bits of a header count them."""


class TransportError(T4VError):
    """A transport's settings make no sense, or a frame does not fit what it can carry."""


@dataclass(frozen=True)
class MediaFrame:
    """One frame as the sender hands it over: packets that whoever encoded it made."""

    number: int
    """From 0, counting up."""
    packets: tuple[bytes, ...]
    """Payloads of 1 to `MAX_PAYLOAD` bytes; protection may want some less."""
    deadline: float = math.inf
    """Seconds; a packet that arrives later is worth nothing."""
    key: bool = False
    utilities: tuple[float, ...] = ()
    """What each packet is worth, in any unit; empty: 1 each."""

    def __post_init__(self) -> None:
        if not self.number >= 0 or len(self.packets) > MAX_PACKETS:
            raise TransportError(f"a frame has a number from 0 and at most {MAX_PACKETS} packets")
        if self.utilities and len(self.utilities) != len(self.packets):
            raise TransportError(f"{len(self.packets)} packets need as many utilities, or none")
        for packet in self.packets:
            if not 1 <= len(packet) <= MAX_PAYLOAD:
                raise TransportError(f"a packet has 1 to {MAX_PAYLOAD} bytes, got {len(packet)}")


@dataclass(frozen=True)
class MediaPacket:
    """One packet of a frame, with what a transport may know of it."""

    frame: int
    index: int
    """Among the frame's packets, from 0."""
    count: int
    """Packets of the frame."""
    data: bytes
    deadline: float = math.inf
    key: bool = False
    utility: float = 1.0


class Delivered(NamedTuple):
    """One packet as the receiver hands it out; each at most once."""

    frame: int
    index: int
    count: int
    data: bytes
    time: float
    """When it was in hand, seconds."""
    key: bool


Utility = Callable[[MediaPacket, float], float]
"""What sending a packet again would be worth now: (packet, time) -> number, larger is better."""


def stated_utility(packet: MediaPacket, now: float) -> float:
    """The utility that came with the frame."""
    return packet.utility


def media_packets(frame: MediaFrame) -> list[MediaPacket]:
    """The packets of a frame, in order."""
    worth = frame.utilities or (1.0,) * len(frame.packets)
    count = len(frame.packets)
    return [
        MediaPacket(frame.number, i, count, data, frame.deadline, frame.key, utility)
        for i, (data, utility) in enumerate(zip(frame.packets, worth))
    ]


@dataclass
class Clock:
    """The latest time seen; earlier ones are lifted to it."""

    now: float = -math.inf

    def tick(self, now: float) -> float:
        """The time to go by."""
        if now > self.now:
            self.now = now
        return self.now


@dataclass
class Endpoint(ABC):
    """One side of a transport."""

    clock: Clock = field(default_factory=Clock, kw_only=True)
    foreign: int = field(default=0, kw_only=True)
    """Datagrams that were not the other side's."""

    @abstractmethod
    def handle(self, datagram: bytes, now: float) -> None:
        """Takes one datagram that arrived at `now`."""

    @abstractmethod
    def poll(self, now: float) -> list[bytes]:
        """Datagrams that leave at `now`, in order, each of at most 1,224 bytes."""

    @abstractmethod
    def next_wakeup(self) -> float:
        """When to call `poll` at the latest, in seconds; infinity where only an arrival can change anything."""


@dataclass
class Sender(Endpoint):
    """The side that has frames."""

    @abstractmethod
    def send(self, frame: MediaFrame, now: float) -> None:
        """Takes a frame to be sent from now on; call `poll` next."""

    @property
    def target_kbps(self) -> float | None:
        """Rate that the network seems to bear, headers included; None where nobody watches it."""
        return None


@dataclass
class Receiver(Endpoint):
    """The side that wants frames."""

    @abstractmethod
    def take(self) -> list[Delivered]:
        """What has been delivered since the last call, in order of time."""
