"""Clips x rates x channels x seeds, in this process or in several, with progress.

Work is cut into units of one clip at one rate: a unit encodes once and plays its packets over all channels.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.clips import load_clip
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.records import ClipFacts, Record
from t4vcodec.eval.scheme import Scheme, scaled_kbps
from t4vcodec.eval.unit import Unit, plays_of
from t4vcodec.media.frames import to_rgb
from t4vcodec.network.channels import Channel

Done = Callable[[str, bool], None]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Rate:
    """A rate to measure at: a point of the protocol, which is scaled to the clip, or plain kbit/s."""

    value: float
    is_point: bool


@dataclass(frozen=True)
class Sweep:
    """What to measure."""

    sources: tuple[str, ...]
    scheme: Scheme
    rates: tuple[Rate, ...]
    channels: tuple[Channel, ...]
    seeds: int
    frames: int
    cache: Path

    @property
    def steps(self) -> int:
        """Plays in all units together."""
        return len(self.sources) * len(self.rates) * len(plays_of(self.channels, self.seeds))


@dataclass(frozen=True)
class Strip:
    """One frame of the first clip: as captured, and as shown after each channel's losses."""

    clip: str
    number: int
    source: np.ndarray
    """(H, W, 3) uint8 RGB."""
    shown: tuple[tuple[str, np.ndarray], ...]
    """Channel name and picture."""


@dataclass(frozen=True)
class UnitResult:
    facts: ClipFacts
    records: list[Record]
    strip: Strip | None


def run_sweep(sweep: Sweep, progress: Progress, workers: int = 1) -> list[UnitResult]:
    """Measures everything; results come in order of clips, then rates."""
    units = [(source, rate) for source in sweep.sources for rate in sweep.rates]
    clock = _Clock(sweep.steps, progress)
    if workers == 1:
        return [_measure(sweep, *unit, index == 0, clock.step) for index, unit in enumerate(units)]
    return _run_workers(sweep, units, clock.step, min(workers, len(units)))


def _measure(sweep: Sweep, source: str, rate: Rate, with_strip: bool, done: Done) -> UnitResult:
    clip = load_clip(source, sweep.frames)
    kbps = scaled_kbps(rate.value, clip.width, clip.height, clip.fps) if rate.is_point else rate.value
    unit = Unit(clip, sweep.scheme, kbps, rate.value if rate.is_point else None, Cache(sweep.cache))
    plays = plays_of(sweep.channels, sweep.seeds)
    look_at = (len(clip.frames) - 1) * 3 // 4 if with_strip else None
    records = unit.measure(plays, done, look_at)
    strip = None
    if look_at is not None:
        shown = [(p.channel.name, unit.picture(p, look_at)) for p in plays if p.seed == 0]
        pictures = tuple((name, picture) for name, picture in shown if picture is not None)
        strip = Strip(clip.name, look_at, to_rgb(clip.frames[look_at]), pictures)
    facts = ClipFacts(
        name=clip.name,
        source=source,
        width=clip.width,
        height=clip.height,
        fps=float(clip.fps),
        frames=len(clip.frames),
        sha256=clip.sha256,
    )
    return UnitResult(facts, records, strip)


def _run_workers(
    sweep: Sweep, units: Sequence[tuple[str, Rate]], done: Done, workers: int
) -> list[UnitResult]:
    context = multiprocessing.get_context("spawn")
    steps = context.Queue()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(steps,))
    try:
        futures = [pool.submit(_measure_in_worker, sweep, *unit, i == 0) for i, unit in enumerate(units)]
        waiting = set(futures)
        while waiting:
            finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            _report(steps, done)
            for future in finished:
                future.result()  # raises here what went wrong there, before the others are waited for
        _report(steps, done)
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)


def _report(steps: Any, done: Done) -> None:
    while True:
        try:
            done(*steps.get_nowait())
        except Empty:
            return


_steps: Any = None
"""In a worker process: where its progress goes."""


def _start_worker(steps: Any) -> None:
    global _steps
    _steps = steps
    # Several processes with several threads each only stand in each other's way.
    os.environ["OMP_NUM_THREADS"] = "1"


def _measure_in_worker(sweep: Sweep, source: str, rate: Rate, with_strip: bool) -> UnitResult:
    return _measure(sweep, source, rate, with_strip, lambda *step: _steps.put(step))


class _Clock:
    """Turns steps into lines with the time that is left, at most one a second."""

    def __init__(self, steps: int, progress: Progress) -> None:
        if steps == 0:
            raise EvalError("nothing to evaluate: give at least one clip, rate and channel")
        self._steps, self._progress = steps, progress
        self._done = self._computed = 0
        self._start = time.monotonic()
        self._said = float("-inf")

    def step(self, text: str, computed: bool) -> None:
        """One play is done; `computed` is False if it came from the cache."""
        self._done += 1
        self._computed += computed
        now = time.monotonic()
        if now - self._said < 1 and self._done < self._steps:
            return
        self._said = now
        line = f"{self._done:>5}/{self._steps}  {text}"
        if self._computed:
            left = (now - self._start) / self._computed * (self._steps - self._done)
            line += f"  ({_duration(left)} left)"
        self._progress(line)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
