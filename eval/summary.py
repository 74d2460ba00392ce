"""From records to statements: paired differences, their median over clips, and how sure one can be.

Ours is compared with x264 without loss at our total bytes (`x264-reference`), and with x264 without
protection on the same losses (`x264`). Differences are taken record by record (same clip, rate, channel and
seed), averaged within a clip, then the median over clips is taken.

Intervals are bootstrapped: clips are drawn with replacement, and within each clip its seeds (all rates of a
seed together), 2,000 times; 95 % of the medians lie within. With one clip they speak of its seeds only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from t4vcodec.eval.records import Difference, Record

MEASURES = ("ssim_db", "psnr_y")
REFERENCE, UNPROTECTED = "x264-reference", "x264"
RESAMPLES = 2000


def is_ours(record: Record) -> bool:
    """Whether a record is of our codec."""
    return record.scheme.startswith("t4v")


def channels_of(records: Sequence[Record]) -> list[str]:
    """Channel names: independent losses by rate, then the others in order of appearance."""
    names = list(dict.fromkeys(r.channel for r in records))
    return sorted(
        names, key=lambda name: (0, float(name)) if is_independent(name) else (1, names.index(name))
    )


def is_independent(channel: str) -> bool:
    """Whether a channel's canonical name is a plain loss rate."""
    return channel.replace(".", "", 1).replace("e-", "", 1).isdigit()


def summarise(records: Sequence[Record]) -> list[Difference]:
    """All comparisons that the records allow, in order of channels."""
    ours = [r for r in records if is_ours(r)]
    rivals = {
        (r.clip, r.regime, r.kbps_target, r.channel, r.seed): r for r in records if r.scheme == UNPROTECTED
    }
    summary = []
    for scheme in dict.fromkeys(r.scheme for r in ours):
        for channel in channels_of(ours):
            mine = [r for r in ours if r.scheme == scheme and r.channel == channel]
            for against in (REFERENCE, UNPROTECTED):
                pairs = [
                    (
                        r,
                        r.reference
                        if against == REFERENCE
                        else rivals.get((r.clip, r.regime, r.kbps_target, r.channel, r.seed)),
                    )
                    for r in mine
                ]
                summary += [_compare(pairs, against, measure) for measure in MEASURES]
    return [difference for difference in summary if difference is not None]


def _compare(pairs: Sequence[tuple[Record, object]], against: str, measure: str) -> Difference | None:
    """Median difference with its interval; None if nothing can be paired."""
    clips: dict[str, dict[int, list[float]]] = {}
    left_out = 0
    for record, rival in pairs:
        if rival is None:
            left_out += 1
            continue
        difference = getattr(record, measure) - getattr(rival, measure)
        clips.setdefault(record.clip, {}).setdefault(record.seed, []).append(difference)
    if not clips:
        return None
    seeds = [list(by_seed.values()) for by_seed in clips.values()]
    means = [float(np.mean([value for seed in clip for value in seed])) for clip in seeds]
    low, high = _bootstrap(seeds)
    first = pairs[0][0]
    return Difference(
        regime=first.regime,
        channel=first.channel,
        loss=first.loss,
        ours=first.scheme,
        against=against,
        measure=measure,
        difference=float(np.median(means)),
        low=low,
        high=high,
        clips=len(means),
        seeds=max(len(clip) for clip in seeds),
        mean=float(np.mean(means)),
        left_out=left_out,
    )


def _bootstrap(clips: Sequence[Sequence[Sequence[float]]]) -> tuple[float, float]:
    """95 % interval of the median over clips of means within; `clips[c][s]` holds a seed's differences."""
    random = np.random.default_rng(0)
    picked = random.integers(len(clips), size=(RESAMPLES, len(clips)))
    resampled = np.empty(picked.shape)
    for number, clip in enumerate(clips):
        sums = np.array([sum(seed) for seed in clip])
        counts = np.array([len(seed) for seed in clip])
        places = picked == number
        seeds = random.integers(len(clip), size=(int(places.sum()), len(clip)))
        resampled[places] = sums[seeds].sum(axis=1) / counts[seeds].sum(axis=1)
    low, high = np.percentile(np.median(resampled, axis=1), (2.5, 97.5))
    return float(low), float(high)
