"""Clips x rates x channels x seeds, in this process or in several, with progress.

Work is cut into jobs of one clip at one rate: a job encodes once and plays its packets over all channels, then
finds and plays the opponents.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from t4vcodec.errors import T4VError
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.clips import Clip, load_clip
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.exhibits import Exhibit
from t4vcodec.eval.gallery import CLIPS, gallery
from t4vcodec.eval.opponents import Opponents, check_length, work
from t4vcodec.eval.profiles import Opposition
from t4vcodec.eval.records import ClipFacts, Record
from t4vcodec.eval.run_facts import clip_facts
from t4vcodec.eval.run_record import Target
from t4vcodec.eval.scheme import Scheme, scaled_kbps
from t4vcodec.eval.task_scores import Onlookers, Task
from t4vcodec.eval.unit import Unit, plays_of
from t4vcodec.media.frames import to_rgb
from t4vcodec.media.video import BUILTIN
from t4vcodec.network.channels import Channel

Done = Callable[[str, bool, float], None]
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
    opposition: Opposition | None = None
    """None measures ours alone."""
    tasks: dict[str, Task] = field(default_factory=dict)
    """Who looks at which source."""
    leave_out: bool = False
    """What cannot be read is left out, and the rest goes on."""

    @property
    def jobs(self) -> list[Job]:
        """In order of clips, then rates."""
        shown = self.rates[len(self.rates) // 2]
        return [
            Job(
                self,
                source,
                self._path(source),
                rate,
                with_strip=number == 0 and rate == self.rates[0],
                with_gallery=number < CLIPS and rate == shown,
            )
            for number, source in enumerate(self.sources)
            for rate in self.rates
        ]

    def file_of(self, source: str) -> str:
        """What is opened for a source."""
        task = self.tasks.get(source)
        return task.file if task is not None and task.file else source

    def _path(self, source: str) -> str:
        file = self.file_of(source)
        return file if is_live(file) or file.startswith(BUILTIN) else str(Path(file).absolute())

    @property
    def work(self) -> float:
        """Of all jobs together, in plays of ours."""
        return len(self.sources) * len(self.rates) * self.work_of_a_job

    @property
    def work_of_a_job(self) -> float:
        """In plays of ours."""
        plays = len(plays_of(self.channels, self.seeds))
        return plays + (0.0 if self.opposition is None else work(self.channels, plays))


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
class JobResult:
    facts: ClipFacts | None
    """None where the clip was left out."""
    records: list[Record]
    strip: Strip | None
    exhibits: list[Exhibit]
    problem: str = ""
    """Why the clip was left out."""


@dataclass(frozen=True)
class Job:
    """One clip at one rate; picklable."""

    sweep: Sweep
    source: str
    """As the user named it."""
    path: str
    """As any process finds it."""
    rate: Rate
    with_strip: bool
    with_gallery: bool

    def run(self, done: Done) -> JobResult:
        """Measures, from the cache where possible. Raises `T4VError`."""
        sweep, rate = self.sweep, self.rate
        try:
            clip = self._clip()
        except T4VError as error:
            if not sweep.leave_out:
                raise
            done(f"left out: {error}", False, sweep.work_of_a_job)
            return JobResult(None, [], None, [], str(error))
        task = sweep.tasks.get(self.source)
        kbps = scaled_kbps(rate.value, clip.width, clip.height, clip.fps) if rate.is_point else rate.value
        target = Target(kbps, rate.value if rate.is_point else None)
        cache = Cache(sweep.cache)
        opposition = sweep.opposition
        with_x264 = opposition is not None and "x264" in opposition.baselines
        onlookers = Onlookers(clip, task, cache)
        unit = Unit(clip, sweep.scheme, target, cache, with_x264, onlookers)
        plays = plays_of(sweep.channels, sweep.seeds)
        look_at = (len(clip.frames) - 1) * 3 // 4 if self.with_strip else None
        records = unit.measure(plays, lambda text, computed: done(text, computed, 1.0), look_at)
        sent = records[0].total_bytes
        opponents = None
        if opposition is not None:
            opponents = Opponents(clip, opposition, target, sent, cache, unit.reference, onlookers)
            records += opponents.records(plays, done)
        strip = None
        if look_at is not None:
            shown = [(p.channel.name, unit.picture(p, look_at)) for p in plays if p.seed == 0]
            pictures = tuple((name, picture) for name, picture in shown if picture is not None)
            strip = Strip(clip.name, look_at, to_rgb(clip.frames[look_at]), pictures)
        exhibits = []
        if self.with_gallery:
            exhibits = gallery(clip, sweep.scheme.name, unit, opponents, plays, sent, cache)
        facts = clip_facts(clip, self.source)
        if task is not None:
            facts = replace(facts, label=task.label, group=task.group, tasks=onlookers.clean())
        return JobResult(facts, records, strip, exhibits)

    def _clip(self) -> Clip:
        sweep = self.sweep
        task = sweep.tasks.get(self.source, Task())
        clip = load_clip(self.path, sweep.frames, task.start, task.end)
        if sweep.leave_out and sweep.opposition is not None:
            check_length(clip.name, len(clip.frames), float(clip.fps))
        return replace(clip, name=task.name) if task.name else clip


def run_sweep(
    sweep: Sweep, progress: Progress, workers: int = 1, cluster: str | None = None
) -> list[JobResult]:
    """Measures everything; results come in order of clips, then rates.

    workers: processes on this machine. cluster: address of a Dask scheduler to use instead.
    """
    clock = Clock(sweep.work, progress)
    jobs = sweep.jobs
    live = any(
        is_live(sweep.file_of(source)) for source in sweep.sources
    )  # another process could not read what this one does
    if (cluster is None and min(workers, len(jobs)) == 1) or live:
        return [job.run(clock.step) for job in jobs]
    from t4vcodec.eval.cluster import run_jobs

    return run_jobs(jobs, clock.step, min(workers, len(jobs)), cluster)


def is_live(source: str) -> bool:
    """Whether a source can be read only once: a pipe or a camera."""
    return not source.startswith(BUILTIN) and not (Path(source).is_file() or Path(source).is_dir())


class Clock:
    """Turns steps into lines with the time that is left, at most one a second."""

    def __init__(self, total: float, progress: Progress) -> None:
        if total <= 0:
            raise EvalError("nothing to evaluate: give at least one clip, rate and channel")
        self._total, self._progress = total, progress
        self._done = self._computed = 0.0
        self._start = time.monotonic()
        self._said = float("-inf")

    def step(self, text: str, computed: bool, share: float = 1.0) -> None:
        """Some work is done; `computed` is False if it came from the cache."""
        self._done += share
        self._computed += share * computed
        now = time.monotonic()
        if now - self._said < 1 and self._done < self._total:
            return
        self._said = now
        line = f"{min(100 * self._done / self._total, 100):>4.0f} %  {text}"
        if self._computed:
            left = (now - self._start) / self._computed * max(0.0, self._total - self._done)
            line += f"  ({_duration(left)} left)"
        self._progress(line)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
