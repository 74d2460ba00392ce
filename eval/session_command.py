"""`t4vcodec eval --regime sessions`: ours with reports against standard codecs over transports with feedback."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from t4vcodec.baselines.settings import CodecSettings, check_available
from t4vcodec.eval.cache import Cache, write_atomically
from t4vcodec.eval.clips import Clip, load_clip
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.ours import T4VScheme
from t4vcodec.eval.records import SCHEMA, ClipFacts, Quality, Record, Results, write_results
from t4vcodec.eval.run_facts import clip_facts, machine, one_thread, output_folder, versions
from t4vcodec.eval.run_record import Play, Target
from t4vcodec.eval.scheme import scaled_kbps
from t4vcodec.eval.session_opponents import VARIANTS
from t4vcodec.eval.session_protocol import REGIME, Condition
from t4vcodec.eval.session_run import SessionScheme, T4VSession, our_record
from t4vcodec.eval.session_search import SessionOpponents
from t4vcodec.eval.session_tables import format_sessions, summarise_sessions
from t4vcodec.eval.sweep import Clock
from t4vcodec.eval.unit import Unit, plays_of
from t4vcodec.media.video import BUILTIN, list_clips
from t4vcodec.network.channels import parse_channel, parse_channels

BUILTIN_CLIPS = 4
SETTINGS = {
    "x264": (CodecSettings("x264", "medium", "ssim"),),
    "x265": (CodecSettings("x265", "medium", "ssim", slices=True),),
    "av1": (CodecSettings("av1", "8"),),
    "vp9": (CodecSettings("vp9", "5", slices=True),),
}
"""What each standard codec is set to: one key frame, the strongest preset of `baselines` for SSIM."""
OURS_SHARE = 0.25
"""Of the work of a run, what is not opponents, for the time that is left."""


def run_sessions(
    data: str = "builtin:val",
    losses: str = "0.01,0.1,0.3",
    points: Sequence[float] = (600.0,),
    kbps: Sequence[float] | None = None,
    rtts: Sequence[float] = (50.0, 100.0, 240.0),
    deadlines: Sequence[float] = (200.0,),
    report_delays: Sequence[float] = (),
    seeds: int = 1,
    frames: int = 60,
    out: str | Path = "results-sessions",
    resilience: float | None = None,
    model: str | None = None,
    clips: int | None = None,
    baselines: Sequence[str] = ("x264",),
    echo: Callable[[str], None] = print,
    command: str | None = None,
    scheme: SessionScheme | None = None,
) -> Path:
    """Evaluates sessions with feedback and returns the results file's path.

    data, losses (0 is always added), points, kbps, seeds, frames, clips: as in `command.run_eval`. rtts,
    deadlines: ms, each with each. report_delays: frames after which a report is there, used instead of `rtts` if
    there are any. baselines: standard codecs; none measures ours alone. scheme: measure this instead of our
    codec. echo: gets lines of progress and the tables. command: as written into the file.

    Writes results.json, tables.txt and a report for each condition below `out`; what was measured is kept in
    `out`/.cache, so that an interrupted run goes on. Raises `T4VError`.
    """
    names = [name for name in dict.fromkeys(baselines) if name != "none"]
    check_available(names)
    channels = parse_channels(losses)
    if not any(channel.mean_loss == 0 for channel in channels):
        channels.insert(0, parse_channel("0"))
    conditions = conditions_of(rtts, deadlines, report_delays)
    rates = [(value, kbps is None) for value in (points if kbps is None else kbps)]
    _check(rates, seeds, frames, clips)
    sources = list_clips(data)
    sources = sources[: clips if clips is not None or not data.startswith(BUILTIN) else BUILTIN_CLIPS]
    out = output_folder(Path(out))
    cache = Cache((out / ".cache").resolve())
    scheme = scheme or T4VSession(resilience=resilience, model=model)
    settings = [s for name in names for s in SETTINGS[name]]
    plays = plays_of(channels, seeds)
    clock = Clock(float(len(sources) * len(rates) * len(conditions) * len(plays)), echo)
    job = _Job(rates, conditions, plays, scheme, settings, cache, clock)
    facts: list[ClipFacts] = []
    records: list[Record] = []
    with one_thread():
        for source in sources:
            clip = load_clip(source, frames)
            if any(fact.name == clip.name for fact in facts):
                raise EvalError(f"two sources are called {clip.name}: rename one, since records go by names")
            facts.append(clip_facts(clip, source))
            records += job.measure(clip)
    asked: dict[str, Any] = {
        "regime": REGIME,
        "data": data,
        "losses": [channel.name for channel in channels],
        "points": None if kbps is not None else list(points),
        "kbps": None if kbps is None else list(kbps),
        "rtt": [] if report_delays else list(rtts),
        "report_delay": list(report_delays),
        "deadline": list(deadlines),
        "seeds": seeds,
        "frames": frames,
        "clips": clips,
        "baselines": names,
        **scheme.config(),
    }
    results = Results(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command or _spell(asked),
        versions=versions(),
        machine=machine(),
        settings=asked,
        clips=facts,
        records=records,
        summary=summarise_sessions(records),
    )
    path = out / "results.json"
    write_results(path, results)
    tables = format_sessions(results)
    write_atomically(out / "tables.txt", lambda file: file.write(f"{tables}\n".encode()))
    reports = _reports(results, out)
    echo(f"\n{tables}\n")
    echo(f"Wrote {path}, tables.txt beside it, and {', '.join(map(str, reports))}")
    return path


@dataclass(frozen=True)
class _Job:
    """What is done with each clip."""

    rates: Sequence[tuple[float, bool]]
    """Value, and whether it is a point, which is scaled to the clip."""
    conditions: Sequence[Condition]
    plays: Sequence[Play]
    scheme: SessionScheme
    settings: Sequence[CodecSettings]
    cache: Cache
    clock: Clock

    def measure(self, clip: Clip) -> list[Record]:
        for condition in self.conditions:
            condition.routes(float(clip.fps), self.plays[0].channel)  # says now what could never arrive
        records: list[Record] = []
        for value, is_point in self.rates:
            kbps = scaled_kbps(value, clip.width, clip.height, clip.fps) if is_point else value
            target = Target(kbps, value if is_point else None)
            reference = reference_of(clip, target, self.cache)
            opponents = SessionOpponents(clip, self.settings, VARIANTS, self.cache, reference)
            for condition in self.conditions:
                for play in self.plays:
                    said = f"{clip.name} {condition.name}, loss {play.channel.name}"
                    ours, fresh = our_record(
                        clip, self.scheme, target, condition, play, self.cache, reference
                    )
                    records.append(ours)
                    self.clock.step(said, fresh, OURS_SHARE if self.settings else 1.0)
                    if self.settings:
                        found = opponents.records(target, condition, play, ours.total_bytes)
                        records += [record for record, _ in found]
                        self.clock.step(said, any(new for _, new in found), 1 - OURS_SHARE)
        return records


def reference_of(clip: Clip, target: Target, cache: Cache) -> Callable[[int], Quality | None]:
    """Total bytes -> what x264 veryfast reaches without loss at so many."""
    return Unit(clip, T4VScheme(), target, cache, with_x264=False).reference


def conditions_of(
    rtts: Sequence[float], deadlines: Sequence[float], report_delays: Sequence[float]
) -> list[Condition]:
    """Each round trip (or delay of reports) with each deadline. Raises `EvalError` without any."""
    if not deadlines or not (rtts or report_delays):
        raise EvalError("give at least one deadline, and a round trip or a delay of reports")
    if report_delays:
        return [Condition(deadline, report_frames=delay) for delay in report_delays for deadline in deadlines]
    return [Condition(deadline, rtt_ms=rtt) for rtt in rtts for deadline in deadlines]


def _check(rates: Sequence[tuple[float, bool]], seeds: int, frames: int, clips: int | None) -> None:
    if not rates or any(not math.isfinite(rate) or rate <= 0 for rate, _ in rates):
        raise EvalError("rates must be positive numbers of kbit/s, at least one, as in 300,600")
    numbers: dict[str, Any] = {"seeds": seeds, "frames": frames, "clips": clips}
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise EvalError(f"{name} must be at least 1, got {value}")


def _reports(results: Results, out: Path) -> list[Path]:
    from t4vcodec.eval.session_reports import write_session_reports

    return write_session_reports(results, out)


def _spell(settings: dict[str, Any]) -> str:
    """The command line that gives these settings."""
    line = f"t4vcodec eval --regime {REGIME} --data {settings['data']}"
    for option, name in (
        ("loss", "losses"),
        ("points", "points"),
        ("kbps", "kbps"),
        ("rtt", "rtt"),
        ("report-delay", "report_delay"),
        ("deadline", "deadline"),
    ):
        if settings[name]:
            values = (value if isinstance(value, str) else f"{value:g}" for value in settings[name])
            line += f" --{option} {','.join(values)}"
    line += f" --seeds {settings['seeds']} --frames {settings['frames']}"
    line += f" --baselines {','.join(settings['baselines']) or 'none'}"
    for name in ("clips", "resilience", "model"):
        if settings.get(name) is not None:
            line += f" --{name} {settings[name]}"
    return line
