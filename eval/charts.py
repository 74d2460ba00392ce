"""Charts as inline SVG, without any library: lines over axes, and intervals beside a line of zero.

Sizes are in the units of the view box and chosen so that text stays readable when a chart is as wide as a
telephone. Colours are left to the page (classes `s0` to `s9`, `grid`, `axis`, `ahead`, `behind`, `even`), so that
one chart serves light, dark and paper. Every point carries its value as a tooltip.

>>> svg = line_chart([Series("ours", [(0, 10), (30, 8)], 0)], "loss, %", "SSIM, dB", "a chart")
>>> svg.startswith("<svg"), "ours: 8.00 at 30" in svg
(True, True)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 28, 40
_MARKERS = ("circle", "square", "diamond", "up", "square", "down", "plus", "cross", "diamond", "bar")
"""One for each style, so that curves can be told apart without colours."""


@dataclass(frozen=True)
class Series:
    """One curve."""

    name: str
    points: Sequence[tuple[float, float]]
    style: int
    """Colour and marker, 0 to 9."""
    dash: str = ""
    key: str = ""
    """What the page's legend switches it by."""
    markers: bool = True
    wide: bool = False


@dataclass(frozen=True)
class Bar:
    """A difference with its interval; `kind` is "ahead", "behind" or "even"."""

    label: str
    value: float
    low: float
    high: float
    kind: str


def line_chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    description: str,
    *,
    log_x: bool = False,
    x_ticks: Sequence[float] | None = None,
    width: int = WIDTH,
) -> str:
    """Curves over one pair of axes; `description` is read out instead of the picture."""
    drawn = [s for s in series if s.points]
    if not drawn:
        return ""
    xs = [x for s in drawn for x, _ in s.points]
    ys = [y for s in drawn for _, y in s.points]
    y_ticks = nice_ticks(min(ys), max(ys), 6)
    if x_ticks is None:
        x_ticks = [x for x in nice_ticks(min(xs), max(xs), 7) if min(xs) <= x <= max(xs)]
    to_x = _scale(min(xs), max(xs), LEFT + 8, width - RIGHT - 8, log_x)
    to_y = _scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [_open(width, HEIGHT, description)]
    for tick in y_ticks:
        parts.append(_line(LEFT, to_y(tick), width - RIGHT, to_y(tick), "grid"))
        parts.append(_text(LEFT - 6, to_y(tick) + 4, f"{tick:g}", "end"))
    parts.append(_line(LEFT, HEIGHT - BOTTOM, width - RIGHT, HEIGHT - BOTTOM, "axis"))
    for tick in x_ticks:
        parts.append(_line(to_x(tick), HEIGHT - BOTTOM, to_x(tick), HEIGHT - BOTTOM + 4, "axis"))
        parts.append(_text(to_x(tick), HEIGHT - BOTTOM + 17, f"{tick:g}", "middle"))
    parts.append(_text((LEFT + width - RIGHT) / 2, HEIGHT - 6, x_label, "middle", "label"))
    parts.append(_text(0, 13, y_label, "start", "label"))
    for item in reversed(drawn):  # the first, ours, lies on top
        parts.append(_curve(item, to_x, to_y))
    return "".join([*parts, "</svg>"])


def interval_chart(bars: Sequence[Bar], low: float, high: float, description: str) -> str:
    """Differences as points with intervals, zero in sight; `low` and `high` are those of all charts beside it."""
    label_width, row, top = 178, 25, 6
    height = top + row * len(bars) + 30
    low, high = min(low, 0.0), max(high, 0.0)
    ticks = nice_ticks(low, high, 5)
    to_x = _scale(ticks[0], ticks[-1], label_width + 8, WIDTH - RIGHT - 8)
    bottom = top + row * len(bars)
    parts = [_open(WIDTH, height, description)]
    for tick in ticks:
        parts.append(_line(to_x(tick), top, to_x(tick), bottom, "axis" if tick == 0 else "grid"))
        parts.append(_text(to_x(tick), bottom + 16, signed(tick, "g") if tick else "0", "middle"))
    for number, bar in enumerate(bars):
        y = top + row * (number + 0.5)
        said = f"{bar.label}: {signed(bar.value)} [{signed(bar.low)}, {signed(bar.high)}]"
        parts.append(f'<g class="{bar.kind}"><title>{escape(said)}</title>')
        parts.append(_text(label_width, y + 4, bar.label, "end"))
        parts.append(_line(to_x(bar.low), y, to_x(bar.high), y, "whisker"))
        parts.append(f'<circle class="dot" cx="{to_x(bar.value):.1f}" cy="{y:.1f}" r="5"/></g>')
    return "".join([*parts, "</svg>"])


def sample(style: int, dash: str = "", markers: bool = True) -> str:
    """A short piece of a curve, for a legend."""
    mark = _marker(14, 7, style) if markers else ""
    return (
        f'<svg class="sample s{style}" viewBox="0 0 28 14" width="28" height="14" aria-hidden="true">'
        f'<path class="curve" d="M1 7H27"{_dashed(dash)}/>{mark}</svg>'
    )


def signed(value: float, form: str = ".2f") -> str:
    """A number with its sign, a real minus; what rounds to zero has none."""
    text = format(abs(value), form)
    if float(text) == 0:
        return text
    return f"{'−' if value < 0 else '+'}{text}"


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers that enclose [low, high]."""
    span = high - low or max(abs(high), 1.0)
    if high == low:
        low, high = low - span / 2, high + span / 2
    rough = span / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _scale(low: float, high: float, start: float, end: float, log: bool = False) -> Callable[[float], float]:
    if log and low > 0:
        inner = _scale(math.log(low), math.log(high), start, end)
        return lambda value: inner(math.log(value))
    if high <= low:
        return lambda value: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _curve(item: Series, to_x: Callable[[float], float], to_y: Callable[[float], float]) -> str:
    places = [(to_x(x), to_y(y), x, y) for x, y in item.points]
    path = "L".join(f"{px:.1f} {py:.1f}" for px, py, _, _ in places)
    classes = f"series s{item.style}" + (" wide" if item.wide else "")
    parts = [f'<g class="{classes}" data-key="{escape(item.key)}">']
    if len(places) > 1:
        name = "" if item.markers else f"<title>{escape(item.name)}</title>"
        parts.append(f'<path class="curve" d="M{path}"{_dashed(item.dash)}>{name}</path>')
    for px, py, x, y in places if item.markers else ():
        title = f"<title>{escape(item.name)}: {y:.2f} at {x:g}</title>"
        parts.append(f"<g>{title}{_marker(px, py, item.style)}</g>")
    return "".join([*parts, "</g>"])


def _marker(x: float, y: float, style: int) -> str:
    kind, r = _MARKERS[style], 4.0
    shapes = {
        "square": f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z",
        "diamond": f"M{x:.1f} {y - 1.3 * r:.1f}l{1.3 * r} {1.3 * r}l{-1.3 * r} {1.3 * r}l{-1.3 * r} {-1.3 * r}z",
        "up": f"M{x:.1f} {y - 1.2 * r:.1f}l{1.2 * r} {2.2 * r}h{-2.4 * r}z",
        "down": f"M{x:.1f} {y + 1.2 * r:.1f}l{1.2 * r} {-2.2 * r}h{-2.4 * r}z",
        "plus": f"M{x - r:.1f} {y:.1f}h{2 * r}M{x:.1f} {y - r:.1f}v{2 * r}",
        "cross": f"M{x - r:.1f} {y - r:.1f}l{2 * r} {2 * r}m{-2 * r} 0l{2 * r} {-2 * r}",
        "bar": f"M{x - r:.1f} {y:.1f}h{2 * r}",
    }
    if kind == "circle":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'
    filled = "" if kind in ("plus", "cross", "bar") else " mark"
    return f'<path class="curve{filled}" d="{shapes[kind]}"/>'


def _open(width: int, height: int, description: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(description)}">'


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
