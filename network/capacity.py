"""What a link can carry, as a function of time: constant, in steps, or from a trace of the mahimahi kind.

==================  ===============================================================================
spelling            meaning
==================  ===============================================================================
``500``             500 kbit/s, always
``unlimited``       every packet leaves at once
a file's path       trace as mahimahi's (Netravali et al., USENIX ATC'15): one line for each chance to send
                    1,500 bytes, milliseconds since the start, none below the line before; repeats itself
==================  ===============================================================================

A capacity is a description; `server()` gives one run of it, which a link asks packet by packet when each would
have left. Steps (`Steps`) are made in Python and may be 0 for a while.

>>> parse_capacity("500").server().finish(1250, start=2.0)
2.02
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from t4vcodec.errors import T4VError

OPPORTUNITY_BYTES = 1500
"""What one line of a trace lets through."""

TRACE_LIMIT = 10_000_000
"""Lines of a trace at most."""


class CapacityError(T4VError):
    """A capacity's spelling, or its trace, makes no sense."""


class Server(Protocol):
    """One run of a capacity. Starts must not decrease: the link is first come, first served."""

    def finish(self, size: int, start: float) -> float:
        """When (seconds) the last of `size` bytes has left, if the link turns to them at `start`;
        infinity where it never gets there."""
        ...


class Capacity(Protocol):
    """What a link can carry."""

    def server(self) -> Server:
        """A fresh run from time 0."""
        ...


@dataclass(frozen=True)
class Unlimited:
    """Every packet leaves at once."""

    def server(self) -> Unlimited:
        return self

    def finish(self, size: int, start: float) -> float:
        return start


@dataclass(frozen=True)
class Constant:
    """The same rate always."""

    kbps: float
    """Thousand bits a second, above 0."""

    def __post_init__(self) -> None:
        if not 0 < self.kbps < math.inf:
            raise CapacityError(f"a link's rate must be above 0 kbit/s, got {self.kbps:g}")

    def server(self) -> Constant:
        return self

    def finish(self, size: int, start: float) -> float:
        return start + size / (125 * self.kbps)


@dataclass(frozen=True)
class TokenBucket:
    """A rate that lets `burst_bytes` through at once after a pause, as Linux' tbf does."""

    kbps: float
    burst_bytes: int

    def __post_init__(self) -> None:
        if not 0 < self.kbps < math.inf or self.burst_bytes < 0:
            raise CapacityError("a token bucket needs a rate above 0 kbit/s and a burst of at least 0 bytes")

    def server(self) -> Server:
        return _TokenServer(self)


@dataclass
class _TokenServer:
    bucket: TokenBucket
    full_at: float = 0.0
    """When the bucket is, or was, full."""

    def finish(self, size: int, start: float) -> float:
        rate = 125 * self.bucket.kbps
        self.full_at = max(self.full_at, start) + size / rate
        return max(start, self.full_at - self.bucket.burst_bytes / rate)


@dataclass(frozen=True)
class Steps:
    """A rate that changes at given times."""

    times: tuple[float, ...]
    """Seconds, ascending, from 0."""
    kbps: tuple[float, ...]
    """From each of the times on; 0 stops the link."""
    period: float = math.inf
    """Seconds after which the steps start again; infinity: the last rate stays."""

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in zip(self.times, self.times[1:]))
        if not self.times or self.times[0] != 0 or not ascending or len(self.times) != len(self.kbps):
            raise CapacityError("steps need as many rates as times, which start at 0 and ascend")
        if not self.period > self.times[-1] or not all(0 <= rate < math.inf for rate in self.kbps):
            raise CapacityError("steps need rates of at least 0 kbit/s and a period behind the last of them")

    def server(self) -> Steps:
        return self

    def finish(self, size: int, start: float) -> float:
        if not any(self.kbps) or (self.period == math.inf and start >= self.times[-1] and not self.kbps[-1]):
            return math.inf
        cycle = math.floor(start / self.period) if self.period < math.inf else 0
        origin = cycle * self.period if cycle else 0.0
        at = bisect_right(self.times, start - origin) - 1
        now, left = start, float(size)
        while True:
            last = at == len(self.times) - 1
            end = origin + (self.period if last else self.times[at + 1])
            rate = 125 * self.kbps[at]
            if rate and now + left / rate <= end:
                return now + left / rate
            if end == math.inf:
                return math.inf
            left -= rate * (end - now)
            now = end
            at = 0 if last else at + 1
            origin = end if last else origin


@dataclass(frozen=True)
class Opportunities:
    """Moments at which a link lets 1,500 bytes through, repeated.

    What is left of a moment serves whoever waits by then, and is gone afterwards.
    """

    milliseconds: tuple[int, ...]
    """Ascending, several equal ones allowed; the last is the trace's length."""

    def __post_init__(self) -> None:
        if not self.milliseconds or self.milliseconds[-1] <= 0 or self.milliseconds[0] < 0:
            raise CapacityError("a trace needs at least one chance to send, after 0 ms")

    @property
    def mean_kbps(self) -> float:
        """Thousand bits a second on average."""
        return 8 * OPPORTUNITY_BYTES * len(self.milliseconds) / self.milliseconds[-1]

    def server(self) -> Server:
        return _OpportunityServer(self.milliseconds)


@dataclass
class _OpportunityServer:
    milliseconds: tuple[int, ...]
    cycle: int = 0
    at: int = -1
    """Opportunity in use."""
    left: int = 0
    """Bytes that it still lets through."""

    def _time(self) -> float:
        return (self.cycle * self.milliseconds[-1] + self.milliseconds[self.at]) / 1000

    def finish(self, size: int, start: float) -> float:
        if self.at < 0 or start > self._time():
            self._seek(start)
        while size > self.left:
            size -= self.left
            self.at += 1
            if self.at == len(self.milliseconds):
                self.at, self.cycle = 0, self.cycle + 1
            self.left = OPPORTUNITY_BYTES
        self.left -= size
        return self._time()

    def _seek(self, start: float) -> None:
        """Goes before the first opportunity at or after `start`."""
        length = self.milliseconds[-1]
        cycle, rest = divmod(1000 * start, length)
        at = bisect_left(self.milliseconds, rest)
        # An opportunity in use now must not be used again by rounding of times.
        if (int(cycle), at - 1) >= (self.cycle, self.at):
            self.cycle, self.at = int(cycle), at - 1
        self.left = 0


def parse_capacity(text: str) -> Capacity:
    """The capacity that `text` spells (the table at this module's head); raises `CapacityError`."""
    spelling = text.strip()
    if spelling == "unlimited":
        return Unlimited()
    try:
        rate = float(spelling)
    except ValueError:
        rate = None
    if rate is not None:
        return Constant(rate)
    path = Path(spelling)
    if not spelling or not path.is_file():
        raise CapacityError(
            f"capacity '{text}' is neither a rate in kbit/s, 'unlimited' nor a trace file that is there"
        )
    return read_trace(path)


def read_trace(path: Path) -> Opportunities:
    """A trace file's opportunities; raises `CapacityError` with the number of the first bad line."""
    times: list[int] = []
    try:
        with path.open(encoding="ascii") as lines:
            for number, line in enumerate(lines, 1):
                text = line.strip()
                if not (text.isdecimal() and len(text) <= 10) or (times and int(text) < times[-1]):
                    raise CapacityError(
                        f"trace {path}, line {number}: expected milliseconds, none below the line before"
                    )
                if number > TRACE_LIMIT:
                    raise CapacityError(f"trace {path} has more than {TRACE_LIMIT:,} lines: cut it")
                times.append(int(text))
    except (OSError, UnicodeDecodeError) as error:
        raise CapacityError(f"trace {path} cannot be read as lines of numbers: {error}") from error
    if not times or times[-1] == 0:
        raise CapacityError(f"trace {path} lasts no time: expected a line for each chance to send, in ms")
    return Opportunities(tuple(times))
