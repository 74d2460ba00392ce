"""Curves over the same clips for everybody, and Bjontegaard averages over clips."""

from dataclasses import replace

import pytest
from synthetic_results import CLIPS, POINTS, synthetic_results
from t4vcodec.eval.curves import Means, bjontegaard, loss_curves, point_of, rate_curves
from t4vcodec.eval.records import Quality

RESULTS = synthetic_results(seeds=2, frames=10, schemes=("t4v", "fec-sound-0", "x264"))


def test_means_hold_each_scheme_and_the_yardstick():
    means = Means.of(RESULTS.records, "psnr_y")
    assert means.schemes == ["t4v", "fec-sound-0", "x264", "x264-reference"]
    assert means.points == list(POINTS)
    assert set(means.cells["t4v", "0.3", 600.0]) == set(CLIPS)
    assert means.mean("nobody", "0.3") is None
    assert means.mean("t4v", "0.3", ["akiyo-cif-00"]) != means.mean("t4v", "0.3")
    assert "x264-reference" not in Means.of(RESULTS.records, "vmaf").schemes


def test_what_was_not_measured_is_absent():
    records = [replace(r, vmaf=None) if r.scheme == "x264" else r for r in RESULTS.records]
    assert Means.of(records, "vmaf").schemes == ["t4v", "fec-sound-0"]


def test_plain_rates_are_points():
    record = replace(RESULTS.records[0], config={"point": None}, kbps_target=77.0)
    assert point_of(record) == 77
    assert point_of(replace(record, config={})) == 77


def test_curves_are_over_the_same_clips():
    records = [r for r in RESULTS.records if (r.scheme, r.clip, r.channel) != ("x264", "akiyo-cif-00", "0.3")]
    means = Means.of(records, "psnr_y")
    found = loss_curves(means, 600.0, means.schemes)
    assert (found.clips, found.out_of, found.absent) == (5, 6, [])
    assert [x for x, _ in found.curves["t4v"]] == [0, 10, 30, 60]
    others = [c for c in CLIPS if c != "akiyo-cif-00"]
    assert found.curves["t4v"][0][1] == pytest.approx(
        sum(means.cells["t4v", "0", 600.0][clip] for clip in others) / 5
    )


def test_a_scheme_with_few_runs_does_not_cost_the_others_their_clips():
    records = [r for r in RESULTS.records if r.scheme != "x264" or r.clip == "akiyo-cif-00"]
    means = Means.of(records, "psnr_y")
    found = rate_curves(means, "0.3", means.schemes)
    assert (found.clips, found.absent) == (6, ["x264"])
    assert [x for x, _ in found.curves["t4v"]] == list(POINTS)


def test_bjontegaard_of_a_constant_distance():
    """Ours at exactly 1.5 dB above the other at the same bytes."""
    records = []
    for r in RESULTS.records:
        if r.scheme == "t4v":
            level = 20 + r.kbps_target / 100
            ours = replace(r, psnr_y=level, reference=Quality(0.0, level - 2))
            records += [ours, replace(ours, scheme="fec-sound-0", psnr_y=level - 1.5, reference=None)]
    for against, distance in (("fec-sound-0", 1.5), ("x264-reference", 2.0)):
        found = bjontegaard(records, "t4v", against, "0.3", "psnr_y")
        assert found.quality.median == pytest.approx(distance)
        assert (found.quality.clips, found.quality.seeds, found.curves) == (6, 2, 12)
        assert found.rate.median < 0
        assert found.no_quality == found.no_rate == {}


def test_bjontegaard_says_why_not():
    records = [
        replace(r, psnr_y=r.psnr_y + 100) if r.scheme == "t4v" else r
        for r in RESULTS.records
        if r.channel == "0"
    ]
    found = bjontegaard(records, "t4v", "fec-sound-0", "0", "psnr_y")
    assert found.rate is None
    assert found.no_rate == {"no quality in common": 6}
    assert bjontegaard(records, "t4v", "fec-sound-0", "0.3", "psnr_y").curves == 0
    one = [r for r in records if point_of(r) == 600]
    assert bjontegaard(one, "t4v", "fec-sound-0", "0", "psnr_y").no_quality == {"fewer than two rates": 6}
