"""Thresholds from shares, and what outcomes add up to."""

import json

import numpy as np
import pytest
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.session_protocol import Condition
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.tradeoff import Cell, LostPackets, Outcome, Runs, Trial, Way, thresholds
from t4vcodec.importance.tradeoff import outcomes as measure
from t4vcodec.importance.tradeoff_command import Plan, tradeoff
from t4vcodec.importance.tradeoff_figures import bytes_figure, delay_figure, utility_figure
from t4vcodec.importance.tradeoff_summary import area, height_at, summarise, table
from t4vcodec.recognition.datasets import Labelled
from t4vcodec.recognition.recognizer import load_recognizer


def outcome(clip, way, share, right, more, delay=100.0):
    return Outcome(
        clip, "wave", clip[:2], "t4v, 0.3, RTT 50 ms, deadline 200 ms", way, share, 0, right, right, 1.0,
        1000, 1000 + more, 50, 3, delay, delay + 50, 2, 20,
    )  # fmt: skip


def outcomes():
    """Ten clips in five groups: nothing gives 4 right answers, all gives 8, half of the bytes give 8 as well."""
    found = []
    for number in range(10):
        clip = f"g{number // 2}-{number}"
        found.append(outcome(clip, "none", 1.0, number < 4, 0, 150.0))
        found.append(outcome(clip, "all", 1.0, number < 8, 400, 120.0 + number))
        found.append(outcome(clip, "first-order", 0.5, number < 8, 160))
        found.append(outcome(clip, "random", 0.5, number < 6, 160))
    return found


def lost(worth, sizes):
    worth, sizes = np.array(worth, float), np.array(sizes, float)
    return LostPackets(np.arange(worth.size), worth, sizes)


def test_a_threshold_lets_the_asked_share_of_bytes_through():
    rng = np.random.default_rng(1)
    clips = [lost(rng.random(40), rng.integers(50, 500, 40)) for _ in range(5)]
    for share, limit in zip((0.1, 0.4, 0.7), thresholds(clips, (0.1, 0.4, 0.7))):
        kept = sum(p.sizes[p.worth / p.sizes >= limit].sum() for p in clips)
        assert kept / sum(p.sizes.sum() for p in clips) == pytest.approx(share, abs=0.03)


def test_what_is_worth_nothing_is_never_sent_again():
    clips = [lost([0.0, 0.0, 2.0], [100, 100, 100])]
    (limit,) = thresholds(clips, (0.9,))
    assert [w / s >= limit for w, s in zip(clips[0].worth, clips[0].sizes)] == [False, False, True]


def test_clips_that_lose_nothing_need_no_threshold():
    assert thresholds([lost([], [])], (0.1, 0.5)) == [0.0, 0.0]


def test_the_area_is_the_mean_height():
    shares, heights = np.array([[0.0], [0.5], [1.0]]), np.array([[0.2], [0.8], [0.8]])
    assert area(shares, heights)[0] == pytest.approx(0.65)
    assert height_at(shares, heights, 0.25)[0] == pytest.approx(0.5)


def test_points_may_come_in_any_order():
    shares, heights = np.array([[1.0], [0.0], [0.5]]), np.array([[0.8], [0.2], [0.8]])
    assert area(shares, heights)[0] == pytest.approx(0.65)


def test_policies_are_compared_at_equal_bytes():
    (cell,) = summarise(outcomes())
    assert cell["clips"] == 10
    assert cell["groups"] == 5
    by_way = {w["way"]: w for w in cell["ways"]}
    assert by_way["all"]["accuracy"]["mean"] == 0.8
    assert by_way["first-order"]["share"] == 0.4
    policies = {p["policy"]: p for p in cell["policies"]}
    assert policies["first-order"]["accuracy_at_0.4_less_all"]["mean"] == pytest.approx(0, abs=1e-9)
    assert policies["random"]["accuracy_at_0.4_less_all"]["mean"] == pytest.approx(-0.2)
    assert policies["first-order"]["accuracy_area_less_random"]["mean"] == pytest.approx(0.1)


def test_tables_fit_a_terminal_and_figures_are_drawn(tmp_path):
    summary = summarise(outcomes())
    assert max(map(len, table(summary).splitlines())) <= 80
    bytes_figure(summary, tmp_path / "a.png")
    delay_figure(summary, tmp_path / "b.png")
    utility_figure({"first-order": [lost([1, 2], [10, 10])]}, tmp_path / "c.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 1000 for name in "abc")
    json.dumps(summary)


def test_ways_name_transports():
    assert Way("fec 0.5").variant.redundancy == 0.5
    assert Way("first-order", 0.2).variant.transport == "nack"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ways": ("none", "pigeon")}, "unknown way 'pigeon'"),
        ({"ways": ("none", "random")}, "add all"),
        ({"shares": (0.0,)}, "shares above 0"),
        ({"seeds": ()}, "give ways and seeds"),
    ],
)
def test_plans_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ImportanceError, match=said):
        Plan(**settings)


CELLS = [Cell(codec, "0.4", Condition(200, 50)) for codec in ("t4v", "x264")]
WAYS = ("none", "all", "random", "saliency", "first-order", "exact")


@pytest.fixture(scope="module")
def trials():
    clip = Labelled("builtin:val/wave-00", "wave", group="wave-00", start=0.0, end=0.4)
    recognizer = load_recognizer("builtin:rendered")
    return [Trial(clip, recognizer, codec, 300) for codec in ("t4v", "x264")]


@pytest.fixture(scope="module")
def measured(trials, tmp_path_factory):
    cache = Cache(tmp_path_factory.mktemp("tradeoff"))
    return cache, list(measure(Runs(cache), trials, CELLS, WAYS, (0.5,)))


def test_every_way_is_measured_for_both_codecs(measured):
    _, found = measured
    assert {(o.cell.split(",")[0], o.way) for o in found} == {(c, w) for c in ("t4v", "x264") for w in WAYS}
    for cell in {o.cell for o in found}:
        by_way = {o.way: o for o in found if o.cell == cell}
        assert by_way["none"].bytes_sent == by_way["none"].bytes_media
        assert by_way["all"].bytes_sent > by_way["none"].bytes_sent
        assert by_way["all"].packets_lost < by_way["none"].packets_lost
        assert all(o.bytes_sent <= by_way["all"].bytes_sent for o in by_way.values())


def test_what_is_known_is_not_measured_again(measured, trials, monkeypatch):
    cache, found = measured
    monkeypatch.setattr("t4vcodec.importance.tradeoff.deliver", None)
    monkeypatch.setattr("t4vcodec.importance.tradeoff.utilities", None)
    assert list(measure(Runs(cache), trials, CELLS, WAYS, (0.5,))) == found


def test_predicted_utilities_need_a_predictor(tmp_path):
    plan = Plan(ways=("none", "all", "predicted"))
    with pytest.raises(ImportanceError, match="--predictor"):
        tradeoff([(None, None, None)], plan, tmp_path / "out", print)
    assert not (tmp_path / "out").exists()
