"""Bjontegaard averages against known values and by construction; intervals of paired differences."""

import doctest

import numpy as np
import pytest
from t4vcodec.eval import statistics
from t4vcodec.eval.statistics import bd_quality, bd_rate, interval_of

ANCHOR = [(9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851)]
TEST = [(9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 34.987)]
WIDE = [(12000, 41.0), (6000, 39.9), (3100, 37.5), (2000, 35.9)]


@pytest.mark.parametrize(
    ("test", "rate", "quality"),
    [(TEST, -4.417485350589045, 0.11969278542479489), (WIDE, -8.127563784860548, 0.31887450201034934)],
)
def test_known_values(test, rate, quality):
    """By the package `bjontegaard` 1.3.0, method pchip."""
    assert bd_rate(ANCHOR, test).value == pytest.approx(rate, rel=1e-9)
    assert bd_quality(ANCHOR, test).value == pytest.approx(quality, rel=1e-9)


def test_what_is_shifted_is_found():
    higher = [(rate, quality + 1.25) for rate, quality in ANCHOR]
    cheaper = [(0.8 * rate, quality) for rate, quality in ANCHOR]
    assert bd_quality(ANCHOR, higher).value == pytest.approx(1.25)
    assert bd_quality(higher, ANCHOR).value == pytest.approx(-1.25)
    assert bd_rate(ANCHOR, cheaper).value == pytest.approx(-20)
    assert bd_rate(cheaper, ANCHOR).value == pytest.approx(25)
    assert bd_quality(ANCHOR, ANCHOR).value == bd_rate(ANCHOR, ANCHOR).value == 0


def test_only_the_common_range_counts():
    """What lies outside of the other curve's range changes nothing where the curve is straight."""
    straight = [(100 * 2**i, 30 + 3 * i) for i in range(4)]
    longer = [(50, 27 + 1), *[(rate, quality + 1) for rate, quality in straight], (1600, 42 + 1)]
    found = bd_quality(straight, longer)
    assert found.value == pytest.approx(1)
    assert (found.low, found.high) == (100, 800)


def test_order_and_repeated_rates_do_not_matter():
    doubled = [*reversed(TEST), (TEST[0][0], TEST[0][1] + 1), (TEST[0][0], TEST[0][1] - 1)]
    assert bd_quality(ANCHOR, doubled).value == pytest.approx(bd_quality(ANCHOR, TEST).value)


def test_no_overlap_no_number():
    far = [(100, 20.0), (200, 22.0), (400, 24.0)]
    for found, what in ((bd_quality(ANCHOR, far), "rate"), (bd_rate(ANCHOR, far), "quality")):
        assert found.value is None
        assert f"no {what} in common" in found.reason
    touching = [(400, 24.0), (800, 26.0)]
    assert bd_quality(far, touching).value is None
    assert "400" in bd_quality(far, touching).reason


@pytest.mark.parametrize("curve", [[], [(100, 30.0)], [(100, 30.0), (100, 31.0)]])
def test_one_rate_is_no_curve(curve):
    assert "fewer than two rates" in bd_quality(ANCHOR, curve).reason
    assert bd_rate(curve, ANCHOR).value is None


@pytest.mark.parametrize("bad", [(0, 30.0), (-5, 30.0), (100, float("nan")), (float("inf"), 30.0)])
def test_numbers_that_are_none(bad):
    assert bd_quality(ANCHOR, [bad, (200, 33.0)]).value is None


def test_quality_must_rise_for_a_rate():
    sinking = [(1000, 36.0), (2000, 35.0), (4000, 38.0)]
    assert "does not rise" in bd_rate(ANCHOR, sinking).reason
    assert bd_quality(ANCHOR, sinking).value is not None


def test_intervals_are_of_clips_and_seeds():
    samples = {"a": {0: [1.0, 3.0], 1: [2.0]}, "b": {0: [4.0]}, "c": {}, "d": {0: []}}
    found = interval_of(samples)
    assert (found.median, found.mean, found.clips, found.seeds) == (3.0, 3.0, 2, 2)
    assert found.low <= 3 <= found.high
    assert found == interval_of(samples)
    assert interval_of({"c": {}}) is None
    assert interval_of({}) is None


def test_intervals_of_seeds_cover_the_truth():
    """One clip with six seeds: about nine in ten intervals hold the mean that they were drawn from."""
    random = np.random.default_rng(1)
    draws = (interval_of({"a": {s: [random.normal(2, 1)] for s in range(6)}}) for _ in range(100))
    assert 75 <= sum(found.low <= 2 <= found.high for found in draws) <= 100


def test_the_manual():
    assert doctest.testmod(statistics).failed == 0
