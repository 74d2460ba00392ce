"""What the report's tables hold: numbers as text, with a mark on each difference that says who is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median

from t4vcodec.eval.charts import signed
from t4vcodec.eval.curves import BjontegaardOverClips, Means, bjontegaard, point_of
from t4vcodec.eval.records import ClipFacts, Difference, Record
from t4vcodec.eval.scheme_labels import HEADLINE, channel_label, channel_note, in_order, is_named, label_of
from t4vcodec.eval.statistics import Interval
from t4vcodec.eval.summary import MEASURES, REFERENCE, is_ours, pair_key, summarise, was_looked_at

AHEAD, BEHIND, EVEN = "ahead", "behind", "even"
MEASURE_NAMES = {
    "ssim_db": "SSIM, dB",
    "psnr_y": "luma PSNR, dB",
    "vmaf": "VMAF",
    "top1": "accuracy",
    "agreement": "agreement",
    "confidence": "confidence",
}


@dataclass(frozen=True)
class Cell:
    """`kind` is "ahead", "behind" or "even" for a difference, empty for anything else."""

    text: str
    small: str = ""
    kind: str = ""
    below: Cell | None = None
    """Another difference in the same place."""


NOTHING = Cell("–")


@dataclass(frozen=True)
class Row:
    head: str
    note: str = ""
    cells: list[Cell] = field(default_factory=list)
    key: str = ""
    """Name in results.json, if it differs from `head`."""
    section: str = ""
    """Starts a group of rows under this heading."""


@dataclass(frozen=True)
class Table:
    corner: str
    heads: list[str]
    notes: list[str]
    """One for each of `heads`, shown on hovering."""
    rows: list[Row]


@dataclass(frozen=True)
class Verdict:
    """One opponent in a sentence: on which channels ours is ahead, behind, undecided."""

    against: str
    ahead: list[str]
    behind: list[str]
    even: list[str]
    """Each a channel with its difference."""


def kind_of(value: float, low: float, high: float) -> str:
    """Ahead or behind where the whole interval is on one side of zero (a single value: its side), else even."""
    if low > 0 and value > 0:
        return AHEAD
    if high < 0 and value < 0:
        return BEHIND
    return EVEN


def interval_cell(found: Difference | Interval | None, form: str = ".2f", better: int = 1) -> Cell:
    """A difference with its interval; `better` is -1 where less is better."""
    if found is None:
        return NOTHING
    value = found.difference if isinstance(found, Difference) else found.median
    kind = kind_of(better * value, *sorted((better * found.low, better * found.high)))
    if found.clips == 1 and found.seeds == 1:
        return Cell(signed(value, form), "one run, no interval", kind)
    return Cell(signed(value, form), f"[{signed(found.low, form)}, {signed(found.high, form)}]", kind)


class Comparison:
    """Ours (the first scheme whose name begins with t4v) against everybody, or against some."""

    def __init__(self, records: Sequence[Record], against: Sequence[str] | None = None) -> None:
        self.ours = next(r.scheme for r in records if is_ours(r))
        self.differences = {
            (d.against, d.channel, d.measure): d for d in summarise(records, against) if d.ours == self.ours
        }
        self.opponents = in_order(against for against, _, _ in self.differences)
        self.channels = list(dict.fromkeys(channel for _, channel, _ in self.differences))
        self.clips = len({r.clip for r in records if r.scheme == self.ours})
        self.measures = [m for m in MEASURES if any(key[2] == m for key in self.differences)]

    @property
    def named(self) -> list[str]:
        """Opponents of the protocol."""
        return [o for o in self.opponents if is_named(o)]

    @property
    def single(self) -> list[str]:
        """Opponents that are one configuration each."""
        return [o for o in self.opponents if not is_named(o)]

    @property
    def headline(self) -> list[str]:
        """The opponents that decide; without them whoever is there."""
        return [o for o in HEADLINE if o in self.opponents] or self.opponents[:2]

    def get(self, against: str, channel: str, measure: str) -> Difference | None:
        return self.differences.get((against, channel, measure))

    def table(self, measure: str, opponents: Sequence[str]) -> Table:
        """A line for each opponent, a column for each channel."""
        rows = []
        for against in opponents:
            cells = [self._cell(against, c, measure) for c in self.channels]
            if any(cell is not NOTHING for cell in cells):
                rows.append(_scheme_row(against, cells))
        return Table("ours minus … / loss", *_channel_heads(self.channels), rows)

    def _cell(self, against: str, channel: str, measure: str) -> Cell:
        """With the mean over clips, and how many they are where some have no pair."""
        found = self.get(against, channel, measure)
        cell = interval_cell(found)
        if found is None or found.mean is None or found.clips == 1:
            return cell
        few = f", {found.clips} of {self.clips} clips" if found.clips < self.clips else ""
        return replace(cell, small=f"{cell.small}\nmean {signed(found.mean)}{few}")

    def verdicts(self, measure: str) -> list[Verdict]:
        """For the opponents of the headline."""
        found = []
        for against in self.headline:
            kinds: dict[str, list[str]] = {AHEAD: [], BEHIND: [], EVEN: []}
            for channel in self.channels:
                cell = interval_cell(self.get(against, channel, measure))
                if cell.kind:
                    words = f"{channel_label(channel)} ({cell.text})"
                    kinds[cell.kind].append(words.replace(" ", "\N{NO-BREAK SPACE}"))
            found.append(Verdict(label_of(against).name, kinds[AHEAD], kinds[BEHIND], kinds[EVEN]))
        return found


def rate_tables(records: Sequence[Record], whole: Comparison) -> list[tuple[str, str, Table]]:
    """For each opponent of the headline and measure (named): the differences at each rate alone, and
    Bjontegaard averages, a line for each channel.
    """
    points = sorted({point_of(r) for r in records})
    if len(points) < 2:
        return []
    by_point = {}
    for point in points:
        mine = [r for r in records if point_of(r) == point]
        if any(is_ours(r) for r in mine):
            by_point[point] = Comparison(mine, whole.headline)
    found = []
    for against in whole.headline:
        for measure in whole.measures[:2]:
            table = _rate_table(records, whole, by_point, against, measure)
            if table is not None:
                found.append((label_of(against).name, MEASURE_NAMES[measure], table))
    return found


def _rate_table(
    records: Sequence[Record],
    whole: Comparison,
    by_point: dict[float, Comparison],
    against: str,
    measure: str,
) -> Table | None:
    rows = []
    for channel in whole.channels:
        cells = [interval_cell(alone.get(against, channel, measure)) for alone in by_point.values()]
        cells += _bjontegaard_cells(bjontegaard(records, whole.ours, against, channel, measure))
        if any(cell is not NOTHING for cell in cells):
            rows.append(Row(channel_label(channel), channel_note(channel), cells))
    heads = [f"{p:g} kbit/s" for p in by_point] + ["BD-quality, dB", "BD-rate"]
    notes = ["" for _ in by_point] + [
        "mean distance of the curves over the rates in common",
        "rate that ours needs more (+) or less (−), over the qualities in common",
    ]
    return Table("channel", heads, notes, rows) if rows else None


def _bjontegaard_cells(found: BjontegaardOverClips) -> list[Cell]:
    def cell(interval: Interval | None, missing: dict[str, int], form: str, better: int, unit: str) -> Cell:
        lacks = sum(missing.values())
        why = f"of {found.curves} curve pairs: " + "; ".join(f"{n} {reason}" for reason, n in missing.items())
        # The few pairs that happen to overlap are no fair sample of all.
        if interval is None or 2 * lacks > found.curves:
            return Cell("no number", why) if lacks else NOTHING
        shown = interval_cell(interval, form, better)
        return Cell(shown.text + unit, shown.small + (f" ({why})" if lacks else ""), shown.kind)

    return [
        cell(found.quality, found.no_quality, ".2f", 1, ""),
        cell(found.rate, found.no_rate, ".0f", -1, " %"),
    ]


def quality_table(records: Sequence[Record], means: dict[str, Means], channels: Sequence[str]) -> Table:
    """Absolute quality of every scheme; means over rates and seeds, then over clips."""
    by_scheme = _by_scheme(records)
    rows = []
    for scheme in means["ssim_db"].schemes:
        mine = by_scheme.get(scheme, [])
        cells = [_quality_cell(scheme, c, means, [r for r in mine if r.channel == c]) for c in channels]
        rows.append(_scheme_row(scheme, cells))
    return Table("scheme", *_channel_heads(channels), rows)


def _quality_cell(scheme: str, channel: str, means: dict[str, Means], records: Sequence[Record]) -> Cell:
    ssim = means["ssim_db"].mean(scheme, channel)
    if ssim is None:
        return NOTHING
    small = [f"PSNR {means['psnr_y'].mean(scheme, channel):.1f}"]
    if "vmaf" in means and (vmaf := means["vmaf"].mean(scheme, channel)) is not None:
        small.append(f"VMAF {vmaf:.0f}")
    if records:
        small.append(f"p10 {fmean(r.ssim_db_p10 for r in records):.1f}")
        small.append(f"frozen {100 * fmean(r.frames_frozen / r.frames for r in records):.1f} %")
    return Cell(f"{ssim:.2f}", " · ".join(small))


def cost_table(records: Sequence[Record]) -> Table:
    """Where each scheme's bytes go, and how long its frames wait."""
    ours = {pair_key(r): r for r in records if is_ours(r)}
    rows = []
    for scheme, mine in _by_scheme(records).items():
        shares = [r.total_bytes / ours[pair_key(r)].total_bytes for r in mine if pair_key(r) in ours]
        sent = f"{100 * min(shares):.1f} to {100 * max(shares):.1f} %" if shares else "–"
        fec = [r.bytes_protection / max(r.bytes_media, 1) for r in mine]
        late = [r.delay_ms.p95 for r in mine]
        cells = [
            Cell("100 %" if is_ours(mine[0]) else sent, f"{len(mine)} runs"),
            Cell(f"{100 * median(fec):.0f} %", _span([100 * f for f in fec], " %") if any(fec) else "none"),
            Cell(f"{100 * fmean(r.bytes_headers / r.total_bytes for r in mine):.0f} %"),
            Cell(f"{fmean(r.packets_sent / r.frames for r in mine):.1f}"),
            Cell(
                f"{fmean(r.delay_ms.median for r in mine):.0f} ms",
                f"p95 {fmean(late):.0f} ms, at most {max(late):.0f} ms",
            ),
        ]
        rows.append(_scheme_row(scheme, cells))
    heads = ["bytes sent, of ours", "protection / media", "headers / all", "packets a frame", "added delay"]
    notes = [
        "lowest to highest over all runs",
        "median and range over runs: parity and its headers' own bytes",
        "40 bytes a packet for IP, UDP and RTP",
        "protection included",
        "how long a frame waits for other frames, computing not included",
    ]
    return Table("scheme", heads, notes, rows)


def channel_table(records: Sequence[Record], channels: Sequence[str]) -> Table:
    """What each channel is, and what was really lost over it."""
    rows = []
    for channel in channels:
        mine = [r for r in records if r.channel == channel]
        lost = [
            100 * sum(r.packets_lost for r in runs) / max(sum(r.packets_sent for r in runs), 1)
            for runs in _by_scheme(mine).values()
        ]
        seeds = len({r.seed for r in mine})
        cells = [
            Cell(f"{100 * mine[0].loss:g} %"),
            Cell(_span(lost, " %", ".1f")),
            Cell(str(seeds)),
            Cell("", channel_note(channel)),
        ]
        rows.append(Row(channel_label(channel), cells=cells, key=channel))
    heads = ["mean loss", "lost in these runs", "seeds", "model"]
    notes = ["", "lowest to highest scheme; all meet one sequence of fates per clip and seed", "", ""]
    return Table("channel", heads, notes, rows)


def choice_table(records: Sequence[Record], channels: Sequence[str]) -> Table | None:
    """Which codec and protection the searched schemes ended with; most frequent first."""
    rows = []
    for scheme, mine in _by_scheme(records).items():
        if is_ours(mine[0]) or not is_named(scheme) or len({configuration(r) for r in mine}) < 2:
            continue
        cells = []
        for channel in channels:
            chosen = {(r.clip, r.kbps_target): configuration(r) for r in mine if r.channel == channel}
            ranked = Counter(chosen.values()).most_common()
            lines = [f"{count} × {name}" for name, count in ranked[:3]]
            if len(ranked) > 3:
                lines.append(f"{sum(count for _, count in ranked[3:])} × others")
            cells.append(Cell("", "\n".join(lines)) if lines else NOTHING)
        rows.append(_scheme_row(scheme, cells))
    return Table("scheme", *_channel_heads(channels), rows) if rows else None


def configuration(record: Record) -> str:
    """A record's codec and protection in a few words."""
    scale = record.config.get("scale")
    size = "" if scale in (None, 1, 1.0, "1") else f" at {scale} size"
    kind = record.protection.split(":")[0]
    extra = f"+{100 * record.redundancy:g} %"
    frames = f"{record.block} frame{'s' * (record.block != 1)}"
    protection = {
        "none": "no protection",
        "rs": f"RS {extra}, {frames}",
        "streaming": f"streaming {extra}, {frames}",
    }.get(kind, record.protection)
    return f"{record.codec} {record.preset}{size}, {protection}"


def clip_table(
    comparison_of: Callable[[str], Comparison], clips: Sequence[ClipFacts], whole: Comparison
) -> Table:
    """Each clip alone: SSIM dB against the opponents of the headline, clips never looked at first."""
    rows = []
    apart = any(was_looked_at(c.name) for c in clips)
    for looked_at in (False, True):
        group = [c for c in clips if was_looked_at(c.name) == looked_at]
        title = ("never looked at while choosing", "looked at while choosing")[looked_at] if apart else ""
        for number, clip in enumerate(group):
            alone = comparison_of(clip.name)
            cells = []
            for channel in whole.channels:
                found = [interval_cell(alone.get(o, channel, "ssim_db")) for o in whole.headline]
                found = [Cell(cell.text, kind=cell.kind) for cell in found]
                cells.append(replace(found[0], below=found[1]) if len(found) > 1 else found[0])
            facts = f"{clip.width}x{clip.height}, {clip.fps:.4g} fps, {clip.frames} frames"
            rows.append(Row(clip.name, facts, cells, section="" if number else title))
    return Table("clip", *_channel_heads(whole.channels), rows)


def _scheme_row(scheme: str, cells: list[Cell]) -> Row:
    label = label_of(scheme)
    return Row(label.name, label.note, cells, scheme if scheme != REFERENCE else "")


def _channel_heads(channels: Sequence[str]) -> tuple[list[str], list[str]]:
    return [channel_label(c) for c in channels], [channel_note(c) for c in channels]


def _by_scheme(records: Sequence[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {scheme: [] for scheme in in_order(r.scheme for r in records)}
    for record in records:
        groups[record.scheme].append(record)
    return groups


def _span(values: Sequence[float], unit: str, form: str = ".0f") -> str:
    low, high = (format(v, form) for v in (min(values), max(values)))
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"
