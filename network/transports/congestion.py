"""A rate that the network seems to bear, from one-way delays and losses, after Google Congestion Control.

After draft-ietf-rmcat-gcc-02 and Carlucci et al., "Analysis and design of the Google congestion control for
WebRTC" (MMSys 2016), with the trend line of later WebRTC in place of the Kalman filter:

* Datagrams sent within 5 ms are a group. From group to group the delay changes by
  d = (arrival - arrival before) - (sending - sending before).
* The sum of the d, smoothed, is fitted by a line over the last 20 groups; its slope, times the number of groups (at
  most 60) and a gain of 4, is compared with a threshold that adapts to it: above for 10 ms and rising is overuse.
* Overuse: target = 0.85 x rate received of late. Underuse: hold until the queue is empty. Normal: + 8 % a second,
  or, near the rate at which overuse was met before, half a packet each response time (round trip + 100 ms).
  The target stays below 1.5 x the rate received + 10 kbit/s.
* Losses: above 10 % of a report's datagrams, target x (1 - loss / 2); below 2 %, + 5 % (per round trip, at least
  200 ms); in between, hold. What is sent is the smaller of both targets.

A video that bears loss may turn the loss rule off: `losses=False`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from t4vcodec.network.transports.feedback import News

GROUP = 0.005
TREND_GROUPS = 20
TREND_GAIN = 4.0
SMOOTHING = 0.9
OVERUSE_TIME = 0.010
BETA = 0.85
GROWTH = 1.08
WINDOW = 0.5
"""Seconds over which the received rate and the loss are taken."""


@dataclass
class _Group:
    first_sent: float
    last_sent: float
    arrived: float


@dataclass
class DelayController:
    """Watches reports; `target_kbps` is the answer."""

    start_kbps: float = 300.0
    least_kbps: float = 30.0
    most_kbps: float = 20_000.0
    losses: bool = True
    """Whether losses lower the rate."""
    state: str = field(default="increase", init=False)
    """``increase``, ``hold`` or ``decrease``."""

    def __post_init__(self) -> None:
        if not 0 < self.least_kbps <= self.start_kbps <= self.most_kbps:
            raise ValueError("expected 0 < least_kbps <= start_kbps <= most_kbps")
        self._by_delay = self._by_loss = self.start_kbps
        self._group: _Group | None = None
        self._before: _Group | None = None
        self._points: deque[tuple[float, float]] = deque(maxlen=TREND_GROUPS)
        self._sum = self._smoothed = 0.0
        self._groups = 0
        self._threshold = 0.0125
        self._threshold_time: float | None = None
        self._over_since: float | None = None
        self._trend_before = 0.0
        self._received: deque[tuple[float, int]] = deque()
        self._fates: deque[tuple[float, int]] = deque()
        self._updated: float | None = None
        self._loss_updated: float | None = None
        self._ceiling: float | None = None
        self._round_trip = 0.1

    @property
    def target_kbps(self) -> float:
        """Thousand bits a second that may be sent, headers included."""
        target = min(self._by_delay, self._by_loss) if self.losses else self._by_delay
        return min(max(target, self.least_kbps), self.most_kbps)

    def take(self, news: News, now: float) -> None:
        """Takes what a report told, at `now`."""
        timed = sorted((sent.number, sent, time) for sent, time in news.arrived if time is not None)
        signal = "normal"
        for _, sent, time in timed:
            self._received.append((time, sent.size))
            signal = self._arrival(sent.time, time) or signal
        self._fates += [(now, 0)] * len(news.arrived) + [(now, 1)] * len(news.lost)
        if timed:
            self._round_trip += (max(0.0, now - timed[-1][1].time) - self._round_trip) / 8
            self._respond(signal, now)
        self._respond_to_loss(now)

    def _arrival(self, sent: float, arrived: float) -> str | None:
        """Adds a datagram; the signal if it completed a group."""
        group = self._group
        if group is not None and sent - group.first_sent <= GROUP:
            group.last_sent, group.arrived = max(group.last_sent, sent), max(group.arrived, arrived)
            return None
        signal = None
        if group is not None and self._before is not None:
            signal = self._compare(group, self._before)
        if group is not None:
            self._before = group
        self._group = _Group(sent, sent, arrived)
        return signal

    def _compare(self, group: _Group, before: _Group) -> str:
        change = (group.arrived - before.arrived) - (group.last_sent - before.last_sent)
        self._sum += change
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * self._sum
        self._points.append((group.arrived, self._smoothed))
        self._groups = min(60, self._groups + 1)
        if len(self._points) < TREND_GROUPS:
            return "normal"
        trend = _slope(self._points)
        scaled = trend * self._groups * TREND_GAIN / 1000
        signal = self._detect(scaled, trend, group.arrived)
        self._adapt(scaled, group.arrived)
        return signal

    def _detect(self, scaled: float, trend: float, time: float) -> str:
        if scaled > self._threshold:
            if self._over_since is None:
                self._over_since = time
            rising = trend >= self._trend_before
            self._trend_before = trend
            if time - self._over_since >= OVERUSE_TIME and rising:
                return "overuse"
            return "normal"
        self._over_since = None
        self._trend_before = trend
        return "underuse" if scaled < -self._threshold else "normal"

    def _adapt(self, scaled: float, time: float) -> None:
        """The threshold follows the signal, slowly up and more slowly down (Carlucci et al., section 4.2)."""
        if self._threshold_time is not None and abs(scaled) < self._threshold + 0.015:
            gain = 8.7 if abs(scaled) > self._threshold else 39.0  # each second
            step = min(0.1, max(0.0, time - self._threshold_time))
            self._threshold += (1 - math.exp(-gain * step)) * (abs(scaled) - self._threshold)
            self._threshold = min(0.6, max(0.006, self._threshold))
        self._threshold_time = time

    def _received_kbps(self) -> float | None:
        newest = self._received[-1][0]
        while self._received[0][0] < newest - WINDOW:
            self._received.popleft()
        span = newest - self._received[0][0]
        # The first datagram only opens the span.
        size = sum(size for _, size in list(self._received)[1:])
        return size / 125 / span if span > WINDOW / 2 else None

    def _respond(self, signal: str, now: float) -> None:
        rate = self._received_kbps()
        step = 0.0 if self._updated is None else min(1.0, max(0.0, now - self._updated))
        self._updated = now
        if signal == "overuse":
            if rate is not None and self.state != "decrease":
                self._by_delay = min(self._by_delay, BETA * rate)
                self._ceiling = rate
            self.state = "decrease"
        elif signal == "underuse":
            self.state = "hold"
        else:
            self.state = "increase"
            if self._ceiling is not None and rate is not None and rate > 1.3 * self._ceiling:
                self._ceiling = None
            if self._ceiling is None or self._by_delay < 0.7 * self._ceiling:
                self._by_delay *= GROWTH**step
            else:
                self._by_delay += 0.5 * 9.6 * step / (self._round_trip + 0.1)
        if rate is not None:
            self._by_delay = min(self._by_delay, max(1.5 * rate + 10, self.least_kbps))
        self._by_delay = min(max(self._by_delay, self.least_kbps), self.most_kbps)

    def _respond_to_loss(self, now: float) -> None:
        while self._fates and self._fates[0][0] < now - WINDOW:
            self._fates.popleft()
        if self._loss_updated is not None and now - self._loss_updated < max(0.2, self._round_trip):
            return
        if not self._fates:
            return
        self._loss_updated = now
        loss = sum(lost for _, lost in self._fates) / len(self._fates)
        if loss > 0.1:
            self._by_loss = min(self._by_loss, self._by_delay) * (1 - loss / 2)
        elif loss < 0.02:
            self._by_loss *= 1.05
        self._by_loss = min(max(self._by_loss, self.least_kbps), self.most_kbps)


def _slope(points: deque[tuple[float, float]]) -> float:
    """Of the line through (x, y) with least squares; 0 where all x are equal."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
