"""Error correction that follows the reported loss, as WebRTC's does.

WebRTC looks its redundancy up in a table of loss x rate, keeps parity below half of all packets, doubles the
protection of key frames, and leaves all to retransmission below 20 ms of round trip (`modules/video_coding`,
media_opt_util). Its table is not copied here but computed from its purpose: for n packets a frame, the fewest
parity packets p for which the frame is lost with a probability of at most 5 %:

    P(more than p of n + p lost) <= 0.05,  p <= n

with losses taken as independent. The loss is the largest of the last 10 s, as WebRTC's filter gives it:
smoothed, and slow to forget. Rates enter through n: what matters of a rate is how many packets a frame has.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import lru_cache

from t4vcodec.network.transports.base import MediaFrame, TransportError, media_packets
from t4vcodec.network.transports.fec_static import Waiting, check_payloads, parity_pieces
from t4vcodec.network.transports.feedback import News
from t4vcodec.network.transports.udp import UdpSender

TOLERATED = 0.05
"""Probability that a frame cannot be computed."""
MEMORY = 10.0
"""Seconds for which a loss once seen counts."""
NACK_ALONE = 0.020
"""Round trip in seconds below which no parity is sent, where requests are answered."""
LONGEST_CODE = 128
"""Media packets of one code; larger frames are protected in parts."""


@lru_cache(maxsize=65536)
def table(percent: int, media: int) -> int:
    """Parity packets for `media` packets at a loss of `percent` percent."""
    loss = min(percent, 99) / 100
    for parity in range(media):
        if _more_lost(media + parity, parity, loss) <= TOLERATED:
            return parity
    return media


def _more_lost(packets: int, spare: int, loss: float) -> float:
    """Probability that more than `spare` of `packets` are lost."""
    kept = sum(
        math.comb(packets, lost) * loss**lost * (1 - loss) ** (packets - lost) for lost in range(spare + 1)
    )
    return max(0.0, 1 - kept)


@dataclass
class ReportedLoss:
    """The largest smoothed loss of the last `MEMORY` seconds."""

    def __post_init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def note(self, loss: float, now: float) -> None:
        """Takes the loss as of `now`."""
        while self._seen and self._seen[-1][1] <= loss:
            self._seen.pop()
        self._seen.append((now, loss))
        self._forget(now)

    def now(self, now: float) -> float:
        """The loss to protect against."""
        self._forget(now)
        return self._seen[0][1] if self._seen else 0.0

    def _forget(self, now: float) -> None:
        # The last one stays: silence does not say that losses have ended.
        while len(self._seen) > 1 and self._seen[0][0] < now - MEMORY:
            self._seen.popleft()


@dataclass
class AdaptiveFecSender(UdpSender):
    """Adds to each frame what the table says. Its receiver is `fec_static.FecReceiver` with reports."""

    key_factor: float = 2.0
    """Key frames get at least this many times the parity, and at least one packet once losses were reported."""
    answers_requests: bool = False
    """Whether lost packets are sent again as well, so that short round trips need no parity."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.key_factor >= 1:
            raise TransportError("key frames get at least the protection of others: a factor from 1")
        self.reported = ReportedLoss()

    def send(self, frame: MediaFrame, now: float) -> None:
        now = self.clock.tick(now)
        check_payloads(frame)
        block = [Waiting(self._number(), packet) for packet in media_packets(frame)]
        for waiting in block:
            self._put(waiting.number, waiting.packet)
        parts = -(-len(block) // LONGEST_CODE)
        for i in range(parts):
            part = block[len(block) * i // parts : len(block) * (i + 1) // parts]
            pieces = parity_pieces(part, 0, rows=self.parity_for(len(part), frame.key, now))
            self._outbox += [(piece, None) for piece in pieces]

    def parity_for(self, media: int, key: bool, now: float) -> int:
        """Parity packets for a code of `media` packets sent now; at most as many as those."""
        if self.answers_requests and (self.log.round_trip or math.inf) < NACK_ALONE:
            return 0
        percent = math.ceil(100 * self.reported.now(now) - 0.5)
        if percent <= 0:
            return 0
        parity = table(percent, media)
        if key:
            parity = max(1, math.ceil(self.key_factor * parity))
        return min(parity, media)

    def _learn(self, news: News, now: float) -> None:
        self.reported.note(self.log.loss, now)
