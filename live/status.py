"""The line that says how a live session goes, once a second on a terminal, every ten seconds elsewhere."""

from __future__ import annotations

from typing import TextIO

from t4vcodec.live.receiver import ReceiverFacts
from t4vcodec.live.sender import SenderFacts

EVERY, SELDOM = 1.0, 10.0
WIDTH = 100


class StatusLine:
    """stream: where to write. `due` says whether it is time; the caller then calls `show`."""

    def __init__(self, stream: TextIO, begun: float) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._every = EVERY if self._terminal else SELDOM
        self._begun = begun
        self._last = begun
        self._before = (0, 0)

    def due(self, now: float) -> bool:
        return now - self._last >= self._every

    def show(self, now: float, text: str, frames: int, size: int) -> None:
        """text: what there is to say; frames, size: totals of pictures and bytes, shown as rates since the
        last line."""
        passed = max(now - self._last, 1e-6)
        rate = (frames - self._before[0]) / passed
        kbps = (size - self._before[1]) * 8 / 1000 / passed
        self._last, self._before = now, (frames, size)
        line = f"{now - self._begun:6.0f} s  {rate:5.1f} frames/s  {kbps:7.1f} kbit/s  {text}"
        self._stream.write(f"\r{line[:WIDTH]:{WIDTH}}" if self._terminal else f"{line}\n")
        self._stream.flush()

    def end(self) -> None:
        """What follows stands on a line of its own."""
        if self._terminal:
            self._stream.write("\n")
            self._stream.flush()


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole > 0 else "-"


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f} ms"


def sender_text(facts: SenderFacts, heard: bool, skipped: int) -> str:
    """Totals of a sender in words."""
    if not heard:
        return f"nobody answers; {skipped} pictures left out"
    lag = f"  receiver {facts.lag:.1f} s behind" if facts.lag > 0.1 else ""
    lost = share(facts.lost, facts.told)
    return f"lost {lost}  round trip {milliseconds(facts.rtt)}  left out {skipped}{lag}"


def receiver_text(facts: ReceiverFacts, silent: bool, delay: float) -> str:
    """Totals of a receiver in words. delay: of the buffer, seconds."""
    if facts.sessions == 0:
        return "nobody sends"
    lost = share(facts.losses.expected - facts.losses.received, facts.losses.expected)
    state = "  silent" if silent else ""
    return f"lost {lost}  delay {milliseconds(facts.delay)}  buffer {milliseconds(delay)}{state}"
