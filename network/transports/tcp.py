"""TCP's sending side: reliable, in order, deaf to deadlines; the baseline that video over HTTP has.

What is here: slow start, congestion avoidance and the response to losses of Reno (RFC 5681) or Cubic (RFC 9438,
`tcp_window`); a SACK scoreboard with the loss detection of RFC 6675 or RACK (RFC 8985, `tcp_losses`); fast
retransmit, and fast recovery by proportional rate reduction (RFC 6937); tail loss probes (RFC 8985); the
timeout of RFC 6298; validation of the window (RFC 2861 and 7661 as Linux has them). Left out: connection set-up
and end, flow control (the receiver takes 4 MiB beyond the gap), ECN, HyStart, D-SACK and the undoing of
spurious recoveries, which a link that keeps order hardly causes.

    RTO = SRTT + max(4 RTTVAR, 0.2 s), doubled at each expiry

0.2 s is Linux' least, where RFC 6298 asks for one second. Nagle's algorithm is off; a segment not yet sent is
filled up by the next frame. Frames wait without limit where the network is slower than they are:
`waiting_bytes` says how many.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from t4vcodec.network.transports.base import MediaFrame, Sender, TransportError, media_packets
from t4vcodec.network.transports.tcp_losses import Flying, Scoreboard
from t4vcodec.network.transports.tcp_window import WINDOWS, Reno
from t4vcodec.network.transports.tcp_wire import (
    WINDOW,
    SegmentHead,
    read_segment,
    write_record,
    write_segment,
)
from t4vcodec.network.transports.wire import WireError

LEAST_VARIATION = 0.2
FIRST_TIMEOUT = 1.0
MOST_TIMEOUT = 120.0
MOST_BACKOFF = 1 << 10
OPEN, RECOVERY, LOSS = "open", "recovery", "loss"


@dataclass
class TcpSender(Sender):
    """Sends a stream of records; `tcp_receiver` takes it."""

    window: str = "cubic"
    """``reno`` or ``cubic``."""
    mss: int = 1200
    """Bytes of a segment at most."""
    losses: str = "rack"
    """``rack`` or ``rfc6675``."""

    def __post_init__(self) -> None:
        if self.window not in WINDOWS or self.losses not in ("rack", "rfc6675") or not 1 <= self.mss <= 1460:
            raise TransportError(
                "TCP takes window 'reno' or 'cubic', losses 'rack' or 'rfc6675', mss of 1 to 1460 bytes"
            )
        self.congestion: Reno = WINDOWS[self.window]()
        self.board = Scoreboard(self.losses)
        self.state = OPEN
        """``open``, ``recovery`` (after a loss was told) or ``loss`` (after a timeout)."""
        self.round_trip: float | None = None
        """Smoothed, seconds."""
        self.timeouts = self.recoveries = self.resent = 0
        self._variation = 0.0
        self._unsent: deque[bytearray] = deque()
        self._una = self._next = 0
        self._recover = 0
        self._backoff = 1
        self._timer = math.inf
        self._probe_at = math.inf
        self._probed: tuple[int, float, bool] | None = None
        self._delivered = self._out = 0
        self._prior = 1.0
        self._limited = False
        self._most_out = 0
        self._usage_end = 0
        self._used = 0
        self._used_at = -math.inf

    @property
    def waiting_bytes(self) -> int:
        """Bytes handed over and never sent yet."""
        return sum(map(len, self._unsent))

    @property
    def timeout(self) -> float:
        """Seconds until an unanswered segment is taken for lost."""
        once = FIRST_TIMEOUT
        if self.round_trip is not None:
            once = self.round_trip + max(4 * self._variation, LEAST_VARIATION)
        return min(MOST_TIMEOUT, once * self._backoff)

    def send(self, frame: MediaFrame, now: float) -> None:
        self.clock.tick(now)
        for packet in media_packets(frame):
            data = memoryview(write_record(packet))
            while data:
                if not self._unsent or len(self._unsent[-1]) >= self.mss:
                    self._unsent.append(bytearray())
                room = self.mss - len(self._unsent[-1])
                self._unsent[-1] += data[:room]
                data = data[room:]

    def handle(self, datagram: bytes, now: float) -> None:
        now = self.clock.tick(now)
        try:
            segment = read_segment(datagram, 0, self._una)
        except WireError:
            self.foreign += 1
            return
        if segment.data or segment.ack > self._next or any(end > self._next for _, end in segment.sack):
            self.foreign += 1
            return
        if segment.ack < self._una:
            return
        self._acknowledged(segment, now)

    def poll(self, now: float) -> list[bytes]:
        now = self.clock.tick(now)
        if now >= self.board.check_at:
            self._judge(0, now)
        if now >= self._timer:
            self._time_out(now)
        sent: list[bytes] = []
        if now >= self._probe_at:
            self._probe(sent, now)
        self._idle_check(now)
        self._fill(sent, now)
        return sent

    def next_wakeup(self) -> float:
        wake = min(self._timer, self._probe_at, self.board.check_at)
        return self.clock.now if self._may_send() else wake

    def _may_send(self) -> bool:
        """Whether the window has room for what there is to send."""
        has = self.board.first_lost is not None or (self._unsent and self._next - self._una < WINDOW)
        return bool(has) and self.board.in_flight < math.floor(self.congestion.window)

    def _fill(self, sent: list[bytes], now: float) -> None:
        """Sends what the window allows, lost segments first."""
        while self._may_send():
            lost = self.board.first_lost
            if lost is not None:
                self._resend(lost, sent, now)
            else:
                self._send_new(sent, now)
        limited = self.board.in_flight >= math.floor(self.congestion.window)
        if sent or limited:
            self._note_usage(limited)

    def _send_new(self, sent: list[bytes], now: float) -> None:
        data = bytes(self._unsent.popleft())
        if not self.board.segments:
            self._timer = now + self.timeout
        self.board.add(self._next, data, now)
        sent.append(write_segment(SegmentHead(self._next, 0, data=data)))
        self._next += len(data)
        self._out += 1
        self._plan_probe(now)

    def _resend(self, segment: Flying, sent: list[bytes], now: float) -> None:
        self.board.again(segment, now)
        sent.append(write_segment(SegmentHead(segment.start, 0, data=segment.data)))
        self.resent += 1
        self._out += 1
        if segment is self.board.segments[0]:
            self._timer = now + self.timeout

    def _acknowledged(self, segment: SegmentHead, now: float) -> None:
        advanced = segment.ack > self._una
        self._una = max(self._una, segment.ack)
        news, sample = self.board.acknowledge(segment.ack, segment.sack, now)
        if sample is not None:
            self._measure(sample)
        if advanced:
            self._backoff = 1
            self._timer = now + self.timeout if self.board.segments else math.inf
        if self._una >= self._recover and self.state != OPEN:
            if self.state == RECOVERY:
                self.congestion.window = self.congestion.threshold
            self.state = OPEN
        self._check_probe(segment.ack, now)
        self._judge(len(news), now, advanced)
        grows = self.state != RECOVERY and news and (self._limited or self._half_used())
        if grows:
            self.congestion.grow(len(news), self.round_trip or 0.0, now)
        if advanced or not self.board.segments:
            self._plan_probe(now)

    def _half_used(self) -> bool:
        """Slow start goes on while more than half of the window was in use."""
        starting = self.congestion.window < self.congestion.threshold
        return starting and self.congestion.window < 2 * self._most_out

    def _measure(self, sample: float) -> None:
        """RFC 6298, section 2."""
        if self.round_trip is None:
            self.round_trip, self._variation = sample, sample / 2
            return
        self._variation += (abs(self.round_trip - sample) - self._variation) / 4
        self.round_trip += (sample - self.round_trip) / 8

    def _judge(self, arrived: int, now: float, advanced: bool = False) -> None:
        """Finds losses, enters recovery, and sets the window in it."""
        lost = self.board.detect(self.state != OPEN, now)
        if lost and self.state == OPEN:
            self._enter(now)
        if self.state == RECOVERY:
            self._reduce(arrived, advanced and not lost)
        if self.board.sacked or self.state != OPEN:
            self._probe_at = math.inf

    def _enter(self, now: float) -> None:
        self.recoveries += 1
        self._prior = self.congestion.window
        self.congestion.shrink(now)
        self.state = RECOVERY
        self._recover = self._next
        self._delivered = self._out = 0

    def _reduce(self, arrived: int, progress: bool) -> None:
        """Proportional rate reduction: the window goes to the threshold as segments arrive (RFC 6937)."""
        self._delivered += arrived
        flying = self.board.in_flight
        threshold = self.congestion.threshold
        if flying > threshold:
            room = math.ceil(self._delivered * threshold / self._prior) - self._out
        else:
            limit = max(self._delivered - self._out, arrived) + progress
            room = min(math.floor(threshold) - flying, limit)
        # The first retransmission goes out whatever the arithmetic says.
        self.congestion.window = flying + max(room, 0 if self._out else 1)

    def _time_out(self, now: float) -> None:
        self.timeouts += 1
        self.board.all_lost()
        first = self.state != LOSS
        self.congestion.timed_out(now, first)
        self.state = LOSS
        self._recover = self._next
        self._backoff = min(2 * self._backoff, MOST_BACKOFF)
        self._timer = now + self.timeout
        self._probe_at, self._probed = math.inf, None

    def _plan_probe(self, now: float) -> None:
        """Two round trips without news at the end of what there is to send call for a probe (RFC 8985, 7.2)."""
        self._probe_at = math.inf
        quiet = self.state == OPEN and not self.board.sacked and self._probed is None
        if self.losses != "rack" or not quiet or not self.board.segments or self.round_trip is None:
            return
        alone = len(self.board.segments) == 1
        wait = 2 * self.round_trip + (LEAST_VARIATION if alone else 0.002)
        self._probe_at = min(now + wait, self._timer)

    def _probe(self, sent: list[bytes], now: float) -> None:
        """Sends new data, or the last segment again, so that an acknowledgement tells what is missing."""
        self._probe_at = math.inf
        if self._unsent and self._next - self._una < WINDOW:
            self._send_new(sent, now)
            again = False
        else:
            self._resend(self.board.segments[-1], sent, now)
            again = True
        self._probed = (self._next, now, again)
        self._probe_at = math.inf
        self._timer = now + self.timeout

    def _check_probe(self, ack: int, now: float) -> None:
        """A probe that mended a loss counts as one; one answered too soon was not needed."""
        if self._probed is None or ack < self._probed[0]:
            return
        _, sent, again = self._probed
        self._probed = None
        if again and now - sent >= self.board.least_round_trip and self.state == OPEN:
            self.congestion.window = self.congestion.shrink(now)

    def _note_usage(self, limited: bool) -> None:
        """Whether the window was in use over the last round trip, as Linux' tcp_cwnd_validate finds it."""
        out = len(self.board.segments)
        if self._una >= self._usage_end or limited or (not self._limited and out > self._most_out):
            self._limited, self._most_out, self._usage_end = limited, out, self._next
        self._used = max(self._used, out)
        if limited or self._half_used():
            self._used, self._used_at = 0, self.clock.now

    def _idle_check(self, now: float) -> None:
        if self._used_at == -math.inf:
            self._used_at = now
        if now - self._used_at >= self.timeout and self.state == OPEN:
            self.congestion.idle(self._used)
            self._used, self._used_at = 0, now
