"""Charts: well-formed SVG that stays within its box, round ticks, values within reach."""

import doctest
import re
from xml.etree import ElementTree

import pytest
from t4vcodec.eval import charts
from t4vcodec.eval.charts import Bar, Series, interval_chart, line_chart, nice_ticks, sample, signed


def test_a_line_chart_draws_every_series_and_point():
    series = [
        Series(f"<{n}>", [(300, 8.0 + n), (600, 11.0), (1200, 13.5)], n, key=f"k{n}") for n in range(10)
    ]
    svg = line_chart(series, "kbit/s", "SSIM, dB", 'a "chart"', log_x=True, x_ticks=(300, 600, 1200))
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'a "chart"'
    groups = [g for g in root.iter("g") if "data-key" in g.attrib]
    assert {g.attrib["data-key"] for g in groups} == {f"k{n}" for n in range(10)}
    assert all(len(list(g.iter("title"))) == 3 for g in groups)
    assert {"300", "600", "1200", "kbit/s", "SSIM, dB"} <= {t.text for t in root.iter("text")}


def test_points_lie_within_the_box():
    svg = line_chart([Series("a", [(0, -3.2), (60, 14.9)], 0)], "x", "y", "")
    for x, y in re.findall(r'cx="([-\d.]+)" cy="([-\d.]+)"', svg):
        assert 0 <= float(x) <= charts.WIDTH
        assert 0 <= float(y) <= charts.HEIGHT


def test_equal_steps_of_rate_are_equally_wide():
    svg = line_chart([Series("a", [(300, 1), (600, 2), (1200, 3)], 0)], "x", "y", "", log_x=True)
    left, middle, right = (float(x) for x in re.findall(r'cx="([\d.]+)"', svg))
    assert middle - left == pytest.approx(right - middle, abs=0.2)


@pytest.mark.parametrize("points", [[], [(30, 7.0)], [(30, 7.0), (60, 7.0)]])
def test_little_to_draw(points):
    svg = line_chart([Series("a", points, 0), Series("b", [], 1)], "x", "y", "")
    assert (svg == "") == (not points)
    if svg:
        ElementTree.fromstring(svg)


def test_long_curves_have_no_markers():
    svg = line_chart([Series("a", [(i, i % 7) for i in range(100)], 0, markers=False)], "frame", "dB", "")
    assert "<circle" not in svg
    assert "<title>a</title>" in svg


def test_intervals_hold_zero_and_say_their_values():
    bars = [Bar("fec & co", -1.25, -1.5, -1.0, "behind"), Bar("other", 0.5, -0.1, 1.1, "even")]
    root = ElementTree.fromstring(interval_chart(bars, -1.5, -1.0, "d"))
    assert "0" in {t.text for t in root.iter("text")}
    assert [g.attrib["class"] for g in root.iter("g")] == ["behind", "even"]
    assert next(root.iter("title")).text == "fec & co: −1.25 [−1.50, −1.00]"


def test_samples_of_all_styles():
    for style in range(10):
        ElementTree.fromstring(sample(style, "3 2"))


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-4.6, 0.8), (8.7, 15.9), (0.001, 0.0013), (-300, 20000), (5, 5), (0, 0)]
)
def test_ticks_are_round_and_enclose(low, high):
    ticks = nice_ticks(low, high, 6)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 9
    assert all(len(f"{t:g}") <= 7 for t in ticks)


def test_signs():
    assert [signed(v) for v in (1.234, -1.234, 0.001, -0.001)] == ["+1.23", "−1.23", "0.00", "0.00"]
    assert signed(-20.4, ".0f") == "−20"


def test_the_manual():
    assert doctest.testmod(charts).failed == 0
