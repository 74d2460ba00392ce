"""Everything that `t4vcodec eval` does; the command line only parses its options and calls `run_eval`."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.records import SCHEMA, ClipFacts, Results, write_results
from t4vcodec.eval.scheme import Scheme
from t4vcodec.eval.summary import summarise
from t4vcodec.eval.sweep import Rate, Sweep, UnitResult, run_sweep
from t4vcodec.eval.tables import format_results
from t4vcodec.media.video import BUILTIN, list_clips
from t4vcodec.network.channels import parse_channel, parse_channels

DEFAULT_POINTS = (600.0,)
BUILTIN_CLIPS = 4
"""Rendered clips evaluated unless asked for more: enough for a first look within minutes."""
_PACKAGES = ("t4vcodec", "torch", "numpy", "numba", "av")


def run_eval(
    data: str = "builtin:val",
    losses: str = "0.1,0.3,0.6",
    points: Sequence[float] = DEFAULT_POINTS,
    kbps: Sequence[float] | None = None,
    seeds: int = 3,
    frames: int = 60,
    out: str | Path = "results",
    resilience: float | None = None,
    model: str | None = None,
    clips: int | None = None,
    workers: int = 1,
    echo: Callable[[str], None] = print,
    command: str | None = None,
    scheme: Scheme | None = None,
) -> Path:
    """Evaluates our codec over real packets, with plain x264 beside it, and returns the results file's path.

    data: what `media.video.list_clips` understands. losses: channels, comma-separated; 0 is always added.
    points: kbit/s at 854x480 and 25 frames per second, scaled to each clip; kbps: plain rates instead.
    clips: at most this many (rendered clips: `BUILTIN_CLIPS` unless given). resilience, model: the codec's,
    its own defaults if None. workers: processes. echo: gets lines of progress and the tables. command: as
    written into the file. scheme: evaluate this instead of our codec.

    Writes results.json, quality-loss.png, quality-time.png and strip.png below `out`; what was measured
    is kept in `out`/.cache, so that an interrupted run goes on. Raises `T4VError`.
    """
    channels = parse_channels(losses)
    if not any(channel.mean_loss == 0 for channel in channels):
        channels.insert(0, parse_channel("0"))
    rates = tuple(Rate(value, kbps is None) for value in (points if kbps is None else kbps))
    _check(rates, seeds, frames, clips, workers)
    sources = list_clips(data)
    limit = clips if clips is not None or not data.startswith(BUILTIN) else BUILTIN_CLIPS
    sources = sources[:limit]
    out = _output_folder(Path(out))
    if scheme is None:
        from t4vcodec.eval.ours import T4VScheme

        scheme = T4VScheme(resilience=resilience, model=model)
    sweep = Sweep(tuple(sources), scheme, rates, tuple(channels), seeds, frames, out / ".cache")
    echo(f"clips: {len(sources)}, rates: {len(rates)}, runs: {sweep.steps}; kept in {sweep.cache}")
    with _one_thread():
        measured = run_sweep(sweep, echo, workers)
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
        **scheme.config(),
    }
    results = Results(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command or _spell(settings),
        versions=_versions(),
        machine=_machine(),
        settings=settings,
        clips=clip_facts,
        records=records,
        summary=summarise(records),
    )
    path = out / "results.json"
    write_results(path, results)
    _plot(results, measured, out)
    echo("")
    echo(format_results(results))
    echo("")
    echo(f"Wrote {path} and quality-loss.png, quality-time.png, strip.png beside it.")
    return path


def _check(rates: Sequence[Rate], seeds: int, frames: int, clips: int | None, workers: int) -> None:
    if not rates or any(not math.isfinite(rate.value) or rate.value <= 0 for rate in rates):
        raise EvalError("rates must be positive numbers of kbit/s, at least one, as in 300,600")
    for name, value in (("seeds", seeds), ("frames", frames), ("clips", clips), ("workers", workers)):
        if value is not None and value < 1:
            raise EvalError(f"{name} must be at least 1, got {value}")


def _output_folder(out: Path) -> Path:
    """Makes the folder now: better to learn that it can't be written before an hour's work than after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvalError(
            f"cannot write into {out}: {error.strerror or error}: choose another folder"
        ) from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise EvalError(f"cannot write into {out}: no permission: choose another folder")
    return out


def _distinct_clips(measured: Sequence[UnitResult]) -> list[ClipFacts]:
    """Each clip once; raises `EvalError` if two sources have one name, since records go by names."""
    by_name: dict[str, ClipFacts] = {}
    for result in measured:
        facts = by_name.setdefault(result.facts.name, result.facts)
        if facts.source != result.facts.source:
            raise EvalError(
                f"{facts.source} and {result.facts.source} are both called {facts.name}: rename one"
            )
    return list(by_name.values())


def _plot(results: Results, measured: Sequence[UnitResult], out: Path) -> None:
    from t4vcodec.eval.plots import picture_strip, quality_over_loss, quality_over_time

    quality_over_loss(results.records, out / "quality-loss.png")
    quality_over_time(results.records, out / "quality-time.png")
    for result in measured:
        if result.strip is not None:
            picture_strip(result.strip, out / "strip.png")


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
    for name in ("clips", "resilience", "model"):
        if settings.get(name) is not None:
            line += f" --{name} {settings[name]}"
    return line


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch with one thread: several are 4 times slower on a busy machine, and `workers` does better."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _machine() -> dict[str, Any]:
    import torch

    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": 1,
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
