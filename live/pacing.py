"""When a source's pictures are sent: at their own times, as a camera gives them, the late ones left out.

No clock: times are passed in. A source that lets us wait (a camera, a pipe, a slow disk) moves what follows
with it; lateness that is our own is made up for by leaving pictures out.
"""

from __future__ import annotations

import math

WAITED = 0.5
"""Of the time between pictures: who needs longer to give one lets us wait."""


class Pacer:
    """interval: seconds between the source's pictures. spacing: seconds between pictures sent, at least."""

    def __init__(self, interval: float, spacing: float = 0.0) -> None:
        self._interval = interval
        self._spacing = max(spacing, interval)
        """Pictures sent keep to a beat of this many seconds, to within half an interval of the source."""
        self._start: float | None = None
        self._next = -math.inf
        self.skipped = 0
        """Pictures left out because they would have been late."""

    def place(self, time: float, asked: float, given: float) -> float | None:
        """When to send the picture of `time` (seconds, in the source), or None to leave it out.

        asked, given: when the source was asked for it and when it gave it.
        """
        if self._start is None:
            self._start = given - time
        late = given - self._start - time
        waited = given - asked
        if late > 0 and waited > WAITED * self._interval:
            self._start += min(late, waited)
        due = self._start + time
        if due < self._next - self._interval / 2:
            return None
        if given - due > self._spacing:
            self.skipped += 1
            return None
        on_the_beat = due < self._next + self._spacing
        self._next = (self._next if on_the_beat else due) + self._spacing
        return due
