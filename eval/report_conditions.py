"""Under which conditions a report's figures were measured, as far as the records say so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from statistics import median
from typing import Any

from t4vcodec.eval.curves import point_of
from t4vcodec.eval.records import Record, Results
from t4vcodec.eval.report_tables import NOTHING, Cell, Row, Table
from t4vcodec.eval.scheme import REFERENCE_SIZE
from t4vcodec.eval.scheme_labels import channel_label, in_order, is_named, label_of
from t4vcodec.eval.summary import channels_of, is_ours, was_looked_at
from t4vcodec.network.stream import HEADER_BYTES, MAX_PAYLOAD

_LISTED = 6
"""Different values of a setting that are named one by one."""


def conditions(results: Results) -> list[tuple[str, str]]:
    """Name and text of each condition that holds for the whole evaluation."""
    records, clips = results.records, results.clips
    sizes = sorted({(c.width, c.height) for c in clips})
    seen = [c.name for c in clips if was_looked_at(c.name)]
    kbps = [r.kbps_target for r in records]
    frames = [c.frames for c in clips]
    w, h, fps = REFERENCE_SIZE
    points = ", ".join(f"{p:g}" for p in sorted({point_of(r) for r in records}))
    scaled = any(r.config.get("point") is not None for r in records)
    channels = channels_of(records)
    found = [
        ("Clips", f"{len(clips)}, of which looked at while choosing: {', '.join(seen) or 'none'}"),
        ("Picture sizes", ", ".join(f"{w}x{h}" for w, h in sizes)),
        ("Frames", f"{_range(frames, 'd')} a clip, {_range([c.fps for c in clips], '.4g')} a second"),
        (
            "Rates",
            f"{points} kbit/s at {w}x{h} and {fps} frames per second, scaled to each clip by "
            f"(pixel rate)^0.75: {_range(kbps, '.0f')} kbit/s"
            if scaled
            else f"{points} kbit/s",
        ),
        (
            "Bytes counted",
            f"all: payload, protection, own headers, and {HEADER_BYTES} bytes of IP, UDP and RTP a packet; "
            f"payloads of at most {MAX_PAYLOAD} bytes. Ours keeps to its rate by causal control; opponents are "
            "searched to the bytes that ours sent (the table of costs says how near they came)",
        ),
        (
            "Loss",
            f"{len(channels)} channels: {', '.join(map(channel_label, channels))}; key frames are lost like others",
        ),
        (
            "Seeds",
            f"{len({r.seed for r in records})} where losses are random; fates depend on clip and seed alone",
        ),
        (
            "Feedback",
            "none (one-way)"
            if {r.regime for r in records} == {"one-way"}
            else ", ".join({r.regime for r in records}),
        ),
        (
            "Quality",
            "against the source at its own size and time, over all frames, lost ones included: SSIM of luma (11x11 "
            "Gaussian, sigma 1.5) averaged, as −10 log10(1 − SSIM); PSNR from the mean squared error over the "
            "clip; p10: tenth percentile over frames; frozen: a loss left the picture before on the screen",
        ),
    ]
    search = results.settings.get("search")
    if isinstance(search, dict):
        found.append(("Search for opponents", _search(search)))
    return found


def _search(search: dict[str, Any]) -> str:
    """How fec-sound and what follows from it were chosen, as far as the settings say so."""
    known = {"measure": "?", "seeds": "?", "estimated": "?", "decoded": "?", "skipped": ""} | search
    seeds = known["seeds"]
    span = f"{seeds[0]} to {seeds[1]}" if isinstance(seeds, list) and len(seeds) == 2 else seeds
    return (
        f"in hindsight by {known['measure']}, on seeds {span}, which score nothing; {known['estimated']} candidates"
        f" estimated from sizes and fates, {known['decoded']} of them encoded and decoded. {known['skipped']}"
    )


def setting_table(records: Sequence[Record]) -> Table:
    """What each scheme ran with: codec, preset, protection, and whatever its records' config says."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.scheme, []).append(record)
    rows = []
    for scheme in in_order(groups):
        mine = groups[scheme]
        latency = max(r.delay_ms.p95 for r in mine)
        cells = [
            Cell("", _values(f"{r.codec} {r.preset}" for r in mine)),
            Cell("", _values(r.protection for r in mine if is_ours(r) or r.protection)),
            Cell("", _values(r.redundancy for r in mine)),
            Cell("", _values(r.block for r in mine)),
            Cell("", f"{latency:.0f} ms"),
            Cell("", _config(mine)),
        ]
        rows.append(Row(label_of(scheme).name, cells=cells, key=scheme))
    heads = [
        "codec and preset",
        "protection",
        "redundancy (n − k) / k",
        "block, frames",
        "added delay, p95",
        "config",
    ]
    return Table("scheme", heads, ["" for _ in heads], rows)


def _config(records: Sequence[Record]) -> str:
    keys = dict.fromkeys(key for r in records for key in r.config if key != "point")
    lines = []
    for key in keys:
        values = [r.config[key] for r in records if key in r.config]
        if any(value is not None for value in values):
            lines.append(f"{key.replace('_', ' ')}: {_values(values)}")
    return "\n".join(lines) or "defaults"


def _values(values: Iterable[Any]) -> str:
    """Distinct values in a few words: named while they are few, a range of numbers otherwise."""
    values = list(values)
    distinct = list(dict.fromkeys(map(_spelled, values)))
    if len(distinct) <= _LISTED:
        return ", ".join(distinct) if distinct else "–"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return f"{min(values):g} to {max(values):g}"
    return f"{', '.join(distinct[:_LISTED])} and {len(distinct) - _LISTED} more"


def _spelled(value: Any) -> str:
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def time_table(results: Results) -> Table:
    """Milliseconds a frame by codec and stage, and how many pixels a second that is."""
    sizes = {c.name: c.width * c.height for c in results.clips}
    stages = [f.name for f in fields(Record) if f.name.endswith("_fps")]
    groups: dict[str, list[Record]] = {}
    for record in results.records:
        groups.setdefault(f"{record.codec} {record.preset}", []).append(record)
    rows = []
    for name in sorted(groups, key=lambda n: (not is_ours(groups[n][0]), n)):
        cells = []
        for stage in stages:
            timed = [(getattr(r, stage), sizes.get(r.clip, 0)) for r in groups[name] if getattr(r, stage)]
            if not timed:
                cells.append(NOTHING)
                continue
            times = [1000 / speed for speed, _ in timed]
            pixels = median(speed * size / 1e6 for speed, size in timed)
            cells.append(Cell(f"{median(times):.1f} ms", f"{_range(times, '.1f')}; {pixels:.2g} Mpixel/s"))
        rows.append(Row(name, f"{len(groups[name])} runs", cells))
    heads = [stage.removesuffix("_fps") for stage in stages]
    return Table("codec and preset", heads, ["median, range; pixels of luma" for _ in heads], rows)


def left_out(results: Results) -> list[str]:
    """What a reader might miss: runs without a partner, measures not taken, schemes that are absent."""
    records = results.records
    found = []
    ours = {(r.clip, r.kbps_target, r.channel, r.seed) for r in records if is_ours(r)}
    for scheme in in_order({r.scheme for r in records if not is_ours(r)}):
        have = {(r.clip, r.kbps_target, r.channel, r.seed) for r in records if r.scheme == scheme}
        missing = ours - have
        if missing and is_named(scheme):
            found.append(
                f"{label_of(scheme).name}: {len(missing)} of {len(ours)} runs are missing "
                f"({len({key[:2] for key in missing})} pairs of clip and rate); "
                "differences are taken where both have one"
            )
    without = sum(r.reference is None for r in records if is_ours(r))
    if without:
        found.append(f"{without} of our runs have no x264 of the same bytes: no rate factor gives them")
    if not any(r.vmaf is not None for r in records):
        found.append("VMAF was not measured: the optional extra imageio-ffmpeg was not installed")
    if not any(scheme.startswith("fec-") for scheme in {r.scheme for r in records}):
        found.append(
            "no codec with error correction was measured: nothing here says how ours compares with one"
        )
    if len(results.clips) < 5:
        found.append(f"{len(results.clips)} clip{'s' * (len(results.clips) != 1)} only: intervals say little")
    return found


def digest_of(results: Results) -> str:
    """A short hash of what was measured, speeds apart, so that a report can be matched with its results."""
    digest = hashlib.sha256()
    for r in results.records:
        facts = (r.clip, r.scheme, r.channel, r.seed, r.kbps_target, r.total_bytes, r.packets_lost)
        digest.update(repr((*facts, r.ssim_db, r.psnr_y, r.vmaf)).encode())
    return digest.hexdigest()[:16]


def _range(values: Sequence[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"
