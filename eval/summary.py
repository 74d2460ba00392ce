"""From records to statements: ours against everybody else, paired, over clips.

Ours is compared with x264 without loss at our total bytes (`x264-reference`), and with every other scheme on
the same losses at the same bytes. Differences are taken record by record (same clip, rate, channel and seed),
averaged within a clip, then the median over clips is taken; `statistics` says how sure that is.
"""

from __future__ import annotations

from collections.abc import Sequence

from t4vcodec.eval.records import Difference, Record
from t4vcodec.eval.statistics import interval_of

MEASURES = ("ssim_db", "psnr_y", "vmaf")
REFERENCE, UNPROTECTED = "x264-reference", "x264"
LOOKED_AT = ("carphone", "foreman", "basketball-pass", "tennis", "juggle")
"""Clips by the beginning of their names that choices were made on; figures of all others are the fairer ones."""


def is_ours(record: Record) -> bool:
    """Whether a record is of our codec."""
    return record.scheme.startswith("t4v")


def was_looked_at(clip: str) -> bool:
    """Whether the codec's constants were chosen with an eye on this clip."""
    return clip.startswith(LOOKED_AT)


def channels_of(records: Sequence[Record]) -> list[str]:
    """Channel names: independent losses by rate, then the others in order of appearance."""
    names = list(dict.fromkeys(r.channel for r in records))
    return sorted(
        names, key=lambda name: (0, float(name)) if is_independent(name) else (1, names.index(name))
    )


def is_independent(channel: str) -> bool:
    """Whether a channel's canonical name is a plain loss rate."""
    return channel.replace(".", "", 1).replace("e-", "", 1).isdigit()


def summarise(records: Sequence[Record], against: Sequence[str] | None = None) -> list[Difference]:
    """All comparisons that the records allow, in order of channels; only with some opponents if given."""
    ours = [r for r in records if is_ours(r)]
    rivals = {(r.scheme, *pair_key(r)): r for r in records if not is_ours(r)}
    others = list(dict.fromkeys(scheme for scheme, *_ in rivals))
    summary = []
    for scheme in dict.fromkeys(r.scheme for r in ours):
        for channel in channels_of(ours):
            mine = [r for r in ours if r.scheme == scheme and r.channel == channel]
            for rival in (REFERENCE, *others):
                if against is not None and rival not in against:
                    continue
                pairs = [
                    (r, r.reference if rival == REFERENCE else rivals.get((rival, *pair_key(r))))
                    for r in mine
                ]
                summary += [_compare(pairs, rival, measure) for measure in MEASURES]
    return [difference for difference in summary if difference is not None]


def pair_key(record: Record) -> tuple[str, str, float, str, int]:
    """What two records must share to be compared."""
    return (record.clip, record.regime, record.kbps_target, record.channel, record.seed)


def _compare(pairs: Sequence[tuple[Record, object]], against: str, measure: str) -> Difference | None:
    """Median difference with its interval; None if nothing can be paired."""
    clips: dict[str, dict[int, list[float]]] = {}
    left_out = 0
    for record, rival in pairs:
        values = getattr(record, measure), getattr(rival, measure, None)
        if values[0] is None or values[1] is None:
            left_out += 1
            continue
        clips.setdefault(record.clip, {}).setdefault(record.seed, []).append(values[0] - values[1])
    interval = interval_of(clips)
    if interval is None:
        return None
    first = pairs[0][0]
    return Difference(
        regime=first.regime,
        channel=first.channel,
        loss=first.loss,
        ours=first.scheme,
        against=against,
        measure=measure,
        difference=interval.median,
        low=interval.low,
        high=interval.high,
        clips=interval.clips,
        seeds=interval.seeds,
        mean=interval.mean,
        left_out=left_out,
    )
