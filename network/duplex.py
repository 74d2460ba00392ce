"""Two endpoints on two links, in virtual time that jumps to the next moment at which something happens.

The way back has a capacity, delay, queue and losses of its own: feedback is as late and as mortal as anything else.

>>> from t4vcodec.network.channels import parse_channel
>>> from t4vcodec.network.link import Constant, Route
>>> from t4vcodec.network.transports import MediaFrame, make_transport
>>> there = Route(Constant(1000), delay=0.05, channel=parse_channel("10%"))
>>> back = Route(delay=0.05, channel=parse_channel("10%"))
>>> pair = Pair(*make_transport("nack"), there, back, clip="example", seed=0)
>>> frames = [(i / 25, MediaFrame(i, (bytes(500),) * 4, deadline=i / 25 + 0.4)) for i in range(50)]
>>> pair.run(frames, until=3.0)
>>> delivered = pair.delivered()
>>> len(delivered), max(packet.time - packet.frame / 25 for packet in delivered) < 0.4
(200, True)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from t4vcodec.network.link import Link, Route
from t4vcodec.network.transports.base import Delivered, MediaFrame, Receiver, Sender

PATIENCE = 1000
"""Rounds without time passing after which an endpoint is taken for broken."""


@dataclass
class Pair:
    """A sender and a receiver, `there` and `back` between them."""

    sender: Sender
    receiver: Receiver
    there: Route
    back: Route
    clip: str = "pair"
    """With `seed` names the fates of both ways, which are independent of each other."""
    seed: int = 0
    now: float = 0.0
    forward: Link = field(init=False)
    backward: Link = field(init=False)

    def __post_init__(self) -> None:
        self.forward = self.there.link(self.clip, self.seed)
        self.backward = self.back.link(f"{self.clip} feedback", self.seed)
        self._delivered: list[Delivered] = []

    def run(self, frames: Iterable[tuple[float, MediaFrame]], until: float) -> None:
        """Sends `frames`, each at its time (ascending, not before `now`), and lets all happen until `until`.

        May be called again to go on. A frame above `until` is not sent, and lost to later calls.
        """
        for time, frame in _up_to(frames, until):
            self._advance(time)
            self.sender.send(frame, self.now)
            self._exchange()
        self._advance(until)

    def delivered(self) -> list[Delivered]:
        """What the receiver has handed out since the last call, in order of time."""
        self._delivered += self.receiver.take()
        taken, self._delivered = self._delivered, []
        return taken

    def next_wakeup(self) -> float:
        """When something happens next, frames to come aside."""
        return min(
            self.sender.next_wakeup(),
            self.receiver.next_wakeup(),
            self.forward.next_wakeup(),
            self.backward.next_wakeup(),
        )

    def _advance(self, until: float) -> None:
        stuck = 0
        while (wake := self.next_wakeup()) <= until:
            stuck = stuck + 1 if wake <= self.now else 0
            if stuck > PATIENCE:
                raise RuntimeError(f"an endpoint wants to be woken at {wake} again and again")
            self.now = max(self.now, wake)
            self._exchange()
        if until < math.inf:
            self.now = max(self.now, until)

    def _exchange(self) -> None:
        """Lets everybody do what is due now."""
        for arrived in self.forward.poll(self.now):
            self.receiver.handle(arrived.datagram, self.now)
        for arrived in self.backward.poll(self.now):
            self.sender.handle(arrived.datagram, self.now)
        for datagram in self.sender.poll(self.now):
            self.forward.send(datagram, self.now)
        for datagram in self.receiver.poll(self.now):
            self.backward.send(datagram, self.now)
        self._delivered += self.receiver.take()


def _up_to(frames: Iterable[tuple[float, MediaFrame]], until: float) -> Iterator[tuple[float, MediaFrame]]:
    for time, frame in frames:
        if time > until:
            return
        yield time, frame
