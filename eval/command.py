"""Everything that `t4vcodec eval` does; the command line only parses its options and calls `run_eval`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from t4vcodec.baselines.settings import check_available
from t4vcodec.eval.candidates import CODES, REDUNDANCIES, Menu
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.hindsight import FIRST_SEED
from t4vcodec.eval.opponents import check_length, scheme_names
from t4vcodec.eval.profiles import Opposition, Profile, profile_of
from t4vcodec.eval.records import SCHEMA, ClipFacts, Record, Results, write_results
from t4vcodec.eval.run_facts import machine, one_thread, output_folder, versions
from t4vcodec.eval.scheme import Scheme
from t4vcodec.eval.scheme_labels import SOUND_LATE as LATE
from t4vcodec.eval.summary import summarise
from t4vcodec.eval.sweep import JobResult, Rate, Sweep, is_live, run_sweep
from t4vcodec.eval.tables import format_results
from t4vcodec.eval.task_clips import Look, choose_sources
from t4vcodec.eval.task_summary import summarise_tasks
from t4vcodec.media.video import open_video
from t4vcodec.network.channels import parse_channel, parse_channels
from t4vcodec.network.fec import MAX_REDUNDANCY

DEFAULT_BASELINES = ("x264", "x265")
NO_BASELINES = "none"


def run_eval(
    data: str = "builtin:val",
    losses: str | None = None,
    points: Sequence[float] | None = None,
    kbps: Sequence[float] | None = None,
    seeds: int | None = None,
    frames: int = 60,
    out: str | Path = "results",
    resilience: float | None = None,
    model: str | None = None,
    clips: int | None = None,
    workers: int = 1,
    cluster: str | None = None,
    baselines: Sequence[str] = DEFAULT_BASELINES,
    profile: str = "quick",
    redundancies: Sequence[float] | None = None,
    recognizer: Sequence[str] | None = None,
    where: Sequence[Mapping[str, str]] = (),
    labels: Path | None = None,
    echo: Callable[[str], None] = print,
    command: str | None = None,
    scheme: Scheme | None = None,
) -> Path:
    """Evaluates our codec over real packets, with its opponents, and returns the results file's path.

    data: what `media.video.list_clips` understands, or with a recognizer a labelled set (`recognition.datasets`).
    losses: channels, comma-separated; 0 is always added.
    points: kbit/s at 854x480 and 25 frames per second, scaled to each clip; kbps: plain rates instead.
    clips: at most this many (rendered clips: four unless given). resilience, model: the codec's,
    its own defaults if None. workers: processes. cluster: address of a Dask scheduler to use instead.
    baselines: standard codecs for the opponents (`eval.opponents`), none for ours alone. profile: defaults of
    losses, points, seeds, redundancies, and the effort of the search for opponents. redundancies: of the single
    configurations. recognizer, where, labels: who looks at what is shown (`task_clips.Look`). echo: gets lines of
    progress and the tables. command: as written into the file. scheme: evaluate this instead of our codec.

    Writes results.json, report.html and pictures below `out`; what was measured is kept in `out`/.cache, so that
    an interrupted run goes on. Raises `T4VError`.
    """
    chosen = profile_of(profile)
    losses = chosen.losses if losses is None else losses
    seeds = chosen.seeds if seeds is None else seeds
    points = chosen.points if points is None else points
    opposition = _opposition(baselines, chosen, chosen.redundancies if redundancies is None else redundancies)
    channels = parse_channels(losses)
    if not any(channel.mean_loss == 0 for channel in channels):
        channels.insert(0, parse_channel("0"))
    rates = tuple(Rate(value, kbps is None) for value in (points if kbps is None else kbps))
    _check(rates, seeds, frames, clips, workers)
    look = Look(None if recognizer is None else tuple(recognizer), tuple(where), labels)
    found = choose_sources(data, clips, look)
    sources = found.sources
    if opposition is not None and not found.is_set:
        _check_lengths(sources, frames)
    out = output_folder(Path(out))
    if scheme is None:
        from t4vcodec.eval.ours import T4VScheme

        scheme = T4VScheme(resilience=resilience, model=model)
    cache = (out / ".cache").resolve()
    sweep = Sweep(
        sources, scheme, rates, tuple(channels), seeds, frames, cache, opposition, found.tasks, found.is_set
    )
    names = [] if opposition is None else scheme_names(opposition)
    echo(f"clips: {len(sources)}, rates: {len(rates)}, opponents: {len(names)}; kept in {out / '.cache'}")
    with one_thread():
        measured = _whole(run_sweep(sweep, echo, workers, cluster), echo)
    clip_facts = _distinct_clips(measured)
    records = [record for result in measured for record in result.records]
    settings = {
        "data": data,
        "losses": [channel.name for channel in channels],
        "points": None if kbps is not None else list(points),
        "kbps": None if kbps is None else list(kbps),
        "seeds": seeds,
        "frames": frames,
        "clips": clips,
        "profile": profile,
        "baselines": list(baselines) if opposition is not None else [],
        "redundancies": [] if opposition is None else list(opposition.redundancies),
        "search": None if opposition is None else _search_settings(opposition, records),
        "recognizer": None if recognizer is None else list(recognizer),
        "where": [dict(each) for each in where] or None,
        "labels": None if labels is None else str(labels),
        **scheme.config(),
    }
    results = Results(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command or _spell(settings),
        versions=versions(),
        machine=machine(),
        settings=settings,
        clips=clip_facts,
        records=records,
        summary=summarise(records),
        task_summary=summarise_tasks(clip_facts, records),
    )
    path = out / "results.json"
    write_results(path, results)
    _plot(results, measured, out)
    report = _report(results, measured, out)
    echo("")
    echo(format_results(results))
    echo("")
    echo(f"Wrote {path}, pictures beside it, and the report: {report}")
    return path


def _whole(measured: Sequence[JobResult], echo: Callable[[str], None]) -> list[JobResult]:
    """Those of clips that could be read; tells of the others. Raises `EvalError` if there are none."""
    problems = list(dict.fromkeys(result.problem for result in measured if result.problem))
    kept = [result for result in measured if not result.problem]
    if not kept:
        raise EvalError(f"none of the clips can be evaluated: {problems[0]}")
    for problem in problems:
        echo(f"left out: {problem}")
    if problems:
        echo(f"{len(problems)} clip{'s' * (len(problems) > 1)} left out")
    return kept


def _opposition(
    baselines: Sequence[str], profile: Profile, redundancies: Sequence[float]
) -> Opposition | None:
    """Raises `T4VError` on codecs that are unknown or not in this build, and on redundancies that make no sense."""
    names = tuple(dict.fromkeys(name.strip() for name in baselines))
    if names in ((), (NO_BASELINES,)):
        return None
    if NO_BASELINES in names:
        raise EvalError("--baselines none stands alone: name codecs, or none")
    check_available(names)
    for value in redundancies:
        if not 0 < value <= MAX_REDUNDANCY:
            raise EvalError(f"redundancies lie above 0 and at most at {MAX_REDUNDANCY:g}, got {value:g}")
    return Opposition(names, profile.effort, tuple(redundancies), profile.x264_apart)


def _check_lengths(sources: Sequence[str], frames: int) -> None:
    """Raises `EvalError` now on clips that are too short for the opponents, as far as their files tell."""
    for source in sources:
        if is_live(source):
            continue  # what is looked at is gone
        with open_video(source, max_frames=frames) as video:
            if video.info.frames is not None:
                check_length(video.info.name, min(frames, video.info.frames), float(video.info.fps))


def _search_settings(opposition: Opposition, records: Sequence[Record]) -> dict[str, Any]:
    """How the opponents were searched for, and how much of what was possible was only estimated."""
    effort = opposition.effort
    searched = {
        (r.clip, r.kbps_target, r.channel): (r.config["candidates_estimated"], r.config["candidates_decoded"])
        for r in records
        if r.scheme == LATE and "candidates_estimated" in r.config
    }
    estimated, decoded = (sum(counts) for counts in zip(*searched.values())) if searched else (0, 0)
    return {
        "measure": "mean SSIM dB",
        "seeds": [FIRST_SEED, FIRST_SEED + effort.search_seeds - 1],
        "settings": len(Menu(opposition.baselines).settings),
        "redundancies": list(REDUNDANCIES),
        "codes": [
            f"{kind} over {frames}{f', key frames x {k:g}' if k > 1 else ''}" for kind, frames, k in CODES
        ],
        "leaders": effort.leaders,
        "finalists": effort.finalists,
        "climbs": effort.climbs,
        "estimated": estimated,
        "decoded": decoded,
        "skipped": (
            f"{LATE}: of {estimated} candidates that were estimated (all searches together), {estimated - decoded} "
            "were not decoded; redundancies away from the estimate's best, and other key frames, slices and "
            "presets of settings outside its leaders, were not even estimated"
        ),
    }


def _check(rates: Sequence[Rate], seeds: int, frames: int, clips: int | None, workers: int) -> None:
    if not rates or any(not math.isfinite(rate.value) or rate.value <= 0 for rate in rates):
        raise EvalError("rates must be positive numbers of kbit/s, at least one, as in 300,600")
    for name, value in (("seeds", seeds), ("frames", frames), ("clips", clips), ("workers", workers)):
        if value is not None and value < 1:
            raise EvalError(f"{name} must be at least 1, got {value}")


def _distinct_clips(measured: Sequence[JobResult]) -> list[ClipFacts]:
    """Each clip once; raises `EvalError` if two sources have one name, since records go by names."""
    by_name: dict[str, ClipFacts] = {}
    for result in measured:
        facts = by_name.setdefault(result.facts.name, result.facts)
        if facts.source != result.facts.source:
            raise EvalError(
                f"{facts.source} and {result.facts.source} are both called {facts.name}: rename one"
            )
    return list(by_name.values())


def _plot(results: Results, measured: Sequence[JobResult], out: Path) -> None:
    from t4vcodec.eval.plots import picture_strip, quality_over_loss, quality_over_time

    quality_over_loss(results.records, out / "quality-loss.png")
    quality_over_time(results.records, out / "quality-time.png")
    for result in measured:
        if result.strip is not None:
            picture_strip(result.strip, out / "strip.png")


def _report(results: Results, measured: Sequence[JobResult], out: Path) -> Path:
    from t4vcodec.eval.exhibits import FILE_NAME, save_exhibits
    from t4vcodec.eval.report import REPORT_NAME, write_report

    exhibits = [exhibit for result in measured for exhibit in result.exhibits]
    save_exhibits(out / FILE_NAME, exhibits)
    write_report(results, out / REPORT_NAME, exhibits)
    return out / REPORT_NAME


def _spell(settings: dict[str, Any]) -> str:
    """The command line that gives these settings."""

    def numbers(values: Sequence[float]) -> str:
        return ",".join(f"{value:g}" for value in values)

    rates = (
        f"--kbps {numbers(settings['kbps'])}"
        if settings["kbps"]
        else f"--points {numbers(settings['points'])}"
    )
    line = f"t4vcodec eval --data {settings['data']} --loss {','.join(settings['losses'])} {rates}"
    line += f" --seeds {settings['seeds']} --frames {settings['frames']}"
    line += f" --profile {settings['profile']} --baselines {','.join(settings['baselines']) or NO_BASELINES}"
    if settings["redundancies"]:
        line += f" --redundancies {numbers(settings['redundancies'])}"
    for spec, where in zip_longest(settings["recognizer"] or (), settings["where"] or ()):
        line += f" --recognizer {spec}" if spec else ""
        line += f" --where {','.join(f'{k}={v}' for k, v in where.items())}" if where else ""
    for name in ("labels", "clips", "resilience", "model"):
        if settings.get(name) is not None:
            line += f" --{name} {settings[name]}"
    return line
