"""Paired differences, medians, intervals, and the tables that show them."""

from dataclasses import replace

import numpy as np
import pytest
from t4vcodec.eval.records import ClipFacts, Delay, Quality, Record, Results
from t4vcodec.eval.summary import channels_of, is_independent, summarise
from t4vcodec.eval.tables import format_results

BASE = Record(
    clip="a",
    scheme="t4v",
    codec="t4v",
    preset="default",
    protection="none",
    redundancy=0.0,
    block=1,
    regime="one-way",
    kbps_target=600.0,
    channel="0.3",
    loss=0.3,
    seed=0,
    config={},
    kbps_sent=598.0,
    bytes_media=1000,
    bytes_protection=0,
    bytes_headers=400,
    packets_sent=10,
    packets_lost=3,
    frames=5,
    frames_damaged=2,
    frames_frozen=0,
    psnr_y=30.0,
    psnr_yuv=31.0,
    ssim_y=0.9,
    ssim_db=10.0,
    ssim_db_p10=9.0,
    vmaf=None,
    delay_ms=Delay(),
    encode_fps=20.0,
    decode_fps=40.0,
    tasks={},
)


def record(clip="a", difference=-1.0, rival=0.5, **changes):
    """Two records: ours at `difference` from the reference, plain x264 at `rival` below ours."""
    ours = replace(
        BASE, clip=clip, ssim_db=12 + difference, psnr_y=33 + difference, reference=Quality(12, 33), **changes
    )
    return [ours, replace(ours, scheme="x264", ssim_db=ours.ssim_db - rival, psnr_y=ours.psnr_y - rival)]


def find(summary, against, measure="ssim_db", channel="0.3"):
    (found,) = [d for d in summary if (d.against, d.measure, d.channel) == (against, measure, channel)]
    return found


def test_mean_over_rates_and_seeds_then_median_over_clips():
    records = [
        *record("a", -1, seed=0),
        *record("a", -3, seed=1),
        *record("a", -2, seed=0, kbps_target=1200.0),
        *record("b", -4),
        *record("c", -10),
    ]
    found = find(summarise(records), "x264-reference")
    assert found.difference == pytest.approx(-4)
    assert found.mean == pytest.approx(-16 / 3)
    assert (found.clips, found.seeds, found.left_out) == (3, 2, 0)
    assert found.low <= found.difference <= found.high
    assert find(summarise(records), "x264").difference == pytest.approx(0.5)


def test_pairs_are_by_clip_rate_channel_and_seed():
    records = [*record("a", -1, rival=1, seed=0), *record("a", -1, rival=3, seed=1)]
    assert find(summarise(records), "x264").difference == pytest.approx(2)
    lonely = [r for r in records if not (r.scheme == "x264" and r.seed == 1)]
    found = find(summarise(lonely), "x264")
    assert found.difference == pytest.approx(1)
    assert found.left_out == 1


def test_no_pair_no_number():
    ours = [replace(record()[0], reference=None)]
    assert summarise(ours) == []


def test_intervals_are_the_same_each_time_and_cover():
    """Of 60 samples of 14 clips from a known distribution, about 95 % of the intervals hold its median."""
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        records = [
            record(f"clip{i}", clip_mean + random.normal(0, 0.3), seed=seed)[0]
            for i, clip_mean in enumerate(random.normal(-2, 1, 14))
            for seed in range(3)
        ]
        found = find(summarise(records), "x264-reference")
        hits += found.low <= -2 <= found.high
    assert found == find(summarise(records), "x264-reference")
    assert hits >= 52


def test_one_clip_and_one_seed_have_no_spread():
    found = find(summarise(record("a", -1)), "x264-reference")
    assert found.low == found.high == found.difference == pytest.approx(-1)


def test_channels_are_ordered():
    records = [record(channel=c)[0] for c in ("ge:0.3:5", "0.6", "0", "tambur", "0.1", "1e-05")]
    assert channels_of(records) == ["0", "1e-05", "0.1", "0.6", "ge:0.3:5", "tambur"]
    assert not is_independent("teleop")


def test_tables_fit_into_80_columns():
    names = ("0", "0.01", "0.1", "0.3", "0.6", "ge:0.333333:5", "get:0.3:40", "tambur")
    records = [
        r
        for clip in ("short", "a-very-long-name-of-a-clip-that-goes-on-and-on")
        for channel in names
        for r in record(clip, -12.25, channel=channel, kbps_sent=12345.6)
    ]
    clips = [ClipFacts(name, name, 352, 288, 25.0, n, "0") for name, n in (("short", 60), ("b", 48))]
    results = Results(1, "", "", {}, {}, {}, clips, records, summarise(records))
    text = format_results(results)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "-12.25" in text
    assert "0.01" in text
    assert "48 to 60 frames" in text
