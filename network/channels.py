"""Channels that lose packets: independent losses, bursts, traces. One spelling for them everywhere.

==================  ===============================================================================
spelling            meaning
==================  ===============================================================================
``0.3`` ``30%``     each packet is lost with this probability, independently
``ge:0.3:5``        Gilbert-Elliott: all packets are lost in the bad state, 30 % on average, in bursts of
                    5 packets on average
``get:0.3:40``      the same in time: bad spells of 40 milliseconds on average, 30 % of the time
``tambur``          Gilbert-Elliott of Tambur (NSDI'23): p(good to bad) 0.068, p(bad to good) 0.852, loss
                    0.04 in the good and 0.5 in the bad state
``teleop``          a measured teleoperation link: 6 % independent losses at a round trip of 240 ms
a file's path       trace: one line a packet, 0 arrived or 1 lost; repeats itself, starts at a random line
``mahimahi:100:F``  outages of the link that file F describes as mahimahi does (a line for each packet that it can
                    deliver: milliseconds since the start): lost is what is sent when the link delivers nothing
                    for the next 100 ms. Repeats itself, starts at a random time
==================  ===============================================================================

A channel is *one* sequence of fates per (clip, seed), consumed packet by packet in sending order by whoever
sends. Independent channels of different loss share their random numbers per (clip, seed): what is lost at
10 % is lost at 30 % too, which makes curves over loss comparable.

A mahimahi trace (Netravali et al., USENIX ATC'15) states a capacity. Losses from filling its queue depend on what
is sent and are a link simulator's to find; a channel here takes from it what strikes every sender alike.

Chains start in their stationary distribution, so the mean loss holds from the first packet on.

>>> channel = parse_channel("ge:30%:5")
>>> channel.name, channel.mean_loss
('ge:0.3:5', 0.3)
>>> session = channel.session(clip="foreman", seed=0)
>>> fates = [session.lost(send_time=0.01 * i) for i in range(10)]
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from t4vcodec.errors import T4VError

SPELLINGS = (
    "a loss rate (0.3 or 30%), ge:LOSS:PACKETS, get:LOSS:MS, tambur, teleop, mahimahi:MS:FILE or a trace file"
)
TRACE_LIMIT = 10_000_000
"""Lines of a trace file at most: a day of 100 packets a second."""


class ChannelError(T4VError):
    """A channel's spelling, or its trace file, makes no sense."""


class Session(Protocol):
    """One run of a channel; not to be shared, since it advances with each packet."""

    def lost(self, send_time: float) -> bool:
        """Whether the next packet, sent at `send_time` seconds, is lost. Times must not decrease."""
        ...


def random_numbers(kind: str, clip: str, seed: int) -> np.random.Generator:
    """Random numbers that depend on nothing but (kind of channel, clip, seed), on any machine."""
    digest = hashlib.sha256(repr((kind, clip, int(seed))).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


@dataclass(frozen=True)
class Channel:
    """Base of all channels: a description that makes sessions."""

    name: str
    """Canonical spelling: `parse_channel(name)` gives an equal channel."""
    mean_loss: float
    """Share of packets lost in the long run, 0 to 1."""

    @property
    def identity(self) -> str:
        """What distinguishes this channel's fates from those of others, for caches."""
        return self.name

    @property
    def round_trip(self) -> float | None:
        """Round-trip time in seconds where the channel's definition states one."""
        return None

    def session(self, clip: str, seed: int) -> Session:
        """A fresh run, the same for the same (clip, seed)."""
        raise NotImplementedError

    def fates(self, clip: str, seed: int) -> Iterator[bool]:
        """Endless sequence of fates (True = lost) where they don't depend on time.

        Raises `ChannelError` on a channel whose losses are spells of time: use `session` there.
        """
        session = self.session(clip, seed)
        while True:
            yield session.lost(0.0)


@dataclass(frozen=True)
class Independent(Channel):
    """Each packet is lost with probability `mean_loss`, whatever happened to others."""

    rtt: float | None = None

    @property
    def round_trip(self) -> float | None:
        return self.rtt

    def session(self, clip: str, seed: int) -> Session:
        return _IndependentSession(random_numbers("independent", clip, seed), self.mean_loss)


@dataclass
class _IndependentSession:
    random: np.random.Generator
    loss: float

    def lost(self, send_time: float) -> bool:
        return bool(self.random.random() < self.loss)


@dataclass(frozen=True)
class GilbertElliott(Channel):
    """Two states, left with probability `to_bad` and `to_good` after each packet; each loses at its rate.

    Gilbert, Bell Syst. Tech. J. 39 (1960); Elliott, 42 (1963).
    """

    to_bad: float
    to_good: float
    loss_good: float = 0.0
    loss_bad: float = 1.0

    def session(self, clip: str, seed: int) -> Session:
        random = random_numbers("gilbert-elliott", clip, seed)
        bad = random.random() < self.to_bad / (self.to_bad + self.to_good)
        return _GilbertElliottSession(random, self, bad)


@dataclass
class _GilbertElliottSession:
    random: np.random.Generator
    channel: GilbertElliott
    bad: bool

    def lost(self, send_time: float) -> bool:
        fate, change = self.random.random(2)
        lost = fate < (self.channel.loss_bad if self.bad else self.channel.loss_good)
        if change < (self.channel.to_good if self.bad else self.channel.to_bad):
            self.bad = not self.bad
        return bool(lost)


@dataclass(frozen=True)
class _ByTime(Channel):
    def fates(self, clip: str, seed: int) -> Iterator[bool]:
        raise ChannelError(f"{self.name} loses by time, not by packet: its session needs send times")


@dataclass(frozen=True)
class TimedBursts(_ByTime):
    """Good and bad spells of exponential length; all that is sent in a bad spell is lost.

    Many small packets are no advantage here: packets of one moment share their fate.
    """

    burst: float
    """Mean length of a bad spell in seconds."""

    def session(self, clip: str, seed: int) -> Session:
        random = random_numbers("timed", clip, seed)
        good = self.burst * (1 - self.mean_loss) / self.mean_loss
        bad = random.random() < self.mean_loss
        # Exponential spells have no memory: what is left of the first one is distributed like a whole one.
        return _TimedSession(random, (good, self.burst), bad, random.exponential((good, self.burst)[bad]))


@dataclass
class _TimedSession:
    random: np.random.Generator
    spells: tuple[float, float]
    bad: bool
    end: float

    def lost(self, send_time: float) -> bool:
        while send_time >= self.end:
            self.bad = not self.bad
            self.end += self.random.exponential(self.spells[self.bad])
        return bool(self.bad)


@dataclass(frozen=True)
class Trace(Channel):
    """Fates read from a file, repeated from its start when it ends."""

    losses: bytes
    """One byte a packet, 0 or 1."""

    @property
    def identity(self) -> str:
        return f"trace:{hashlib.sha256(self.losses).hexdigest()}"

    def session(self, clip: str, seed: int) -> Session:
        start = int(random_numbers("trace", clip, seed).integers(len(self.losses)))
        return _TraceSession(self.losses, start)


@dataclass
class _TraceSession:
    losses: bytes
    at: int

    def lost(self, send_time: float) -> bool:
        lost = self.losses[self.at]
        self.at = (self.at + 1) % len(self.losses)
        return bool(lost)


@dataclass(frozen=True)
class Outages(_ByTime):
    """Loses what is sent while a link delivers nothing for longer than `patience`."""

    patience: int
    """Milliseconds."""
    deliveries: tuple[int, ...]
    """Milliseconds since the start at which the link delivers, ascending; the last is the trace's length."""

    @property
    def identity(self) -> str:
        return f"mahimahi:{self.patience}:{hashlib.sha256(repr(self.deliveries).encode()).hexdigest()}"

    def session(self, clip: str, seed: int) -> Session:
        start = random_numbers("mahimahi", clip, seed).random() * self.deliveries[-1]
        return _OutagesSession(self, start)


@dataclass
class _OutagesSession:
    channel: Outages
    start: float

    def lost(self, send_time: float) -> bool:
        deliveries = self.channel.deliveries
        now = (self.start + 1000 * send_time) % deliveries[-1]
        return deliveries[bisect_left(deliveries, now)] - now > self.channel.patience


def parse_channel(text: str) -> Channel:
    """The channel that `text` spells (the table at this module's head); raises `ChannelError`."""
    spelling = text.strip()
    if not spelling:
        raise ChannelError(f"empty channel: expected {SPELLINGS}")
    if spelling == "tambur":
        to_bad, to_good = 0.068, 0.852
        share = to_bad / (to_bad + to_good)
        return GilbertElliott(spelling, share * 0.5 + (1 - share) * 0.04, to_bad, to_good, 0.04, 0.5)
    if spelling == "teleop":
        return Independent(spelling, 0.06, rtt=0.240)
    kind, *parts = spelling.split(":")
    if kind == "mahimahi":
        return _parse_outages(spelling)
    if kind in ("ge", "get"):
        return _parse_bursts(spelling, kind, parts)
    loss = _number(spelling)
    if loss is not None:
        if not 0 <= loss <= 1:
            raise ChannelError(f"channel '{text}': a loss rate lies between 0 and 1 (write 0.3 or 30%)")
        return Independent(f"{loss:g}", float(f"{loss:g}"))
    path = Path(spelling)
    if path.is_file():
        return _read_trace(path)
    raise ChannelError(f"channel '{text}' is neither known nor a file: expected {SPELLINGS}")


def parse_channels(text: str) -> list[Channel]:
    """Channels of a comma-separated list, in order, each once; raises `ChannelError`."""
    channels: dict[str, Channel] = {}
    for part in text.split(","):
        channel = parse_channel(part)
        channels.setdefault(channel.name, channel)
    return list(channels.values())


def _number(text: str) -> float | None:
    """The finite number that `text` writes, a percent sign heeded; None where it writes none."""
    percent = text.endswith("%")
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return value / 100 if percent else value


def _parse_bursts(text: str, kind: str, parts: list[str]) -> Channel:
    example = (
        "ge:0.3:5 (30 % in bursts of 5 packets)" if kind == "ge" else "get:0.3:40 (30 %, bursts of 40 ms)"
    )
    numbers = [_number(part) for part in parts]
    if len(numbers) != 2 or None in numbers:
        raise ChannelError(f"channel '{text}': expected {kind}:LOSS:BURST as in {example}")
    loss, burst = numbers
    loss = float(f"{loss:g}")
    if not 0 < loss < 1:
        raise ChannelError(f"channel '{text}': the loss must lie between 0 and 1, as in {example}")
    name = f"{kind}:{loss:g}:{burst:g}"
    if kind == "get":
        if not 0 < burst <= 3_600_000:
            raise ChannelError(
                f"channel '{text}': bursts last above 0 ms and at most an hour, as in {example}"
            )
        return TimedBursts(name, loss, burst / 1000)
    if not 1 <= burst <= 1e6:
        raise ChannelError(f"channel '{text}': bursts have 1 to 1,000,000 packets, as in {example}")
    to_bad = loss / (burst * (1 - loss))
    if to_bad > 1:
        raise ChannelError(
            f"channel '{text}': bursts of {burst:g} packets cannot lose {loss:g} of all packets;"
            f" they must be at least {loss / (1 - loss):.3g} long"
        )
    return GilbertElliott(name, loss, to_bad, 1 / burst)


def _parse_outages(text: str) -> Outages:
    _, patience, path = (*text.split(":", 2), "", "")[:3]
    if not (
        patience.isdecimal() and len(patience) <= 5 and 1 <= int(patience) <= 60_000 and Path(path).is_file()
    ):
        raise ChannelError(
            f"channel '{text}': expected mahimahi:MS:FILE with 1 to 60,000 ms and a mahimahi trace"
        )
    times: list[int] = []
    for number, line in _lines(Path(path)):
        if not (line.isdecimal() and len(line) <= 10) or (times and int(line) < times[-1]):
            raise ChannelError(
                f"trace {path}, line {number}: expected milliseconds, none below the line before"
            )
        times.append(int(line))
    if not times or times[-1] == 0:
        raise ChannelError(f"trace {path} lasts no time: expected a line for each delivery, in milliseconds")
    deliveries = tuple(sorted(set(times)))
    outage = sum(max(0, b - a - int(patience)) for a, b in zip((0, *deliveries), deliveries))
    name = f"mahimahi:{int(patience)}:{path}"
    return Outages(name, outage / deliveries[-1], int(patience), deliveries)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbers and texts of a trace file's lines."""
    try:
        with path.open(encoding="ascii") as lines:
            for number, line in enumerate(lines, 1):
                if number > TRACE_LIMIT:
                    raise ChannelError(f"trace {path} has more than {TRACE_LIMIT:,} lines: cut it")
                yield number, line.strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelError(f"trace {path} cannot be read as lines of numbers: {error}") from error


def _read_trace(path: Path) -> Trace:
    losses = bytearray()
    for number, line in _lines(path):
        if line not in ("0", "1"):
            raise ChannelError(f"trace {path}, line {number}: expected 0 (arrived) or 1 (lost)")
        losses.append(line == "1")
    if not losses:
        raise ChannelError(f"trace {path} is empty: expected one line a packet, 0 (arrived) or 1 (lost)")
    return Trace(str(path), sum(losses) / len(losses), bytes(losses))
