"""How schemes and channels are called and drawn wherever people read of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from t4vcodec.eval.summary import REFERENCE, UNPROTECTED, is_independent

SOURCE = "source"
"""In place of a scheme: the clip as captured."""
SOUND_NOW, SOUND_LATE = "fec-sound-0", "fec-sound-3"
HEADLINE = (SOUND_NOW, SOUND_LATE)
"""The opponents that decide: ours adds no delay, so being better means above the first."""


@dataclass(frozen=True)
class Label:
    """How one scheme appears. `style` numbers its colour and marker in charts, 0 to 9; `dash` as in SVG."""

    name: str
    note: str
    style: int
    dash: str = ""


_SOUND = "the codec and protection that did best in hindsight on other seeds, for each clip, rate and channel"
_LABELS = {
    SOUND_NOW: Label("fec-sound, no added delay", f"{_SOUND}; decides who is better", 1),
    SOUND_LATE: Label("fec-sound, up to 3 frames of delay", f"{_SOUND}; may wait for 3 more frames", 2),
    "fec-sound-x264-0": Label(
        "fec-sound of x264 alone, no added delay", "only x264 to choose from", 3, "6 3"
    ),
    "fec-sound-x264-3": Label(
        "fec-sound of x264 alone, up to 3 frames", "only x264 to choose from", 4, "6 3"
    ),
    "fec-fixed-30": Label("fec-fixed, made for 30 %", "best at 30 %, used on every channel", 5, "2 3"),
    "fec-fixed-10": Label("fec-fixed, made for 10 %", "best at 10 %, used on every channel", 6, "2 3"),
    "capacity": Label(
        "capacity", "a bound, no real code: best standard codec, lossless, at rate x (1 - loss)", 7, "9 3 2 3"
    ),
    UNPROTECTED: Label("x264, unprotected", "same bytes, nothing spent on protection", 8),
    REFERENCE: Label(
        "x264 without any loss",
        "yardstick, no opponent: x264 veryfast at the same bytes, nothing lost",
        9,
        "1 3",
    ),
    SOURCE: Label("source", "as captured", 9),
}
ORDER = tuple(_LABELS)


def label_of(scheme: str) -> Label:
    """The label of any scheme; single configurations go by their own names."""
    if scheme.startswith("t4v"):
        return Label("t4v (ours)" if scheme == "t4v" else f"{scheme} (ours)", "the codec of this package", 0)
    known = _LABELS.get(scheme)
    if known:
        return known
    # Any colour but those that mean something; the same one each time.
    return Label(scheme, "one configuration", 3 + sum(scheme.encode()) % 6, "3 2")


def is_named(scheme: str) -> bool:
    """Whether a scheme is one of the protocol's, rather than a single configuration."""
    return scheme.startswith("t4v") or scheme in _LABELS


def in_order(schemes: Iterable[str]) -> list[str]:
    """Ours, then the protocol's opponents in its order, then others by name; each once."""

    def place(scheme: str) -> tuple[int, int, str]:
        if scheme.startswith("t4v"):
            return (0, 0, scheme)
        return (1, ORDER.index(scheme), "") if scheme in _LABELS else (2, 0, scheme)

    return sorted(set(schemes), key=place)


def channel_label(channel: str) -> str:
    """A few words for a channel's canonical name."""
    kind, *parts = channel.split(":")
    if is_independent(channel):
        return f"{100 * float(channel):g} %"
    if kind == "ge" and len(parts) == 2:
        return f"{_percent(parts[0])} in bursts of {parts[1]}"
    if kind == "get" and len(parts) == 2:
        return f"{_percent(parts[0])} in bursts of {parts[1]} ms"
    return channel.rsplit("/", 1)[-1]


def channel_note(channel: str) -> str:
    """A sentence on how a channel loses packets."""
    kind, *parts = channel.split(":")
    if is_independent(channel):
        if float(channel) == 0:
            return "nothing is lost"
        return f"each packet is lost with probability {100 * float(channel):g} %, independently"
    if kind == "ge" and len(parts) == 2:
        return (
            f"Gilbert-Elliott: {_percent(parts[0])} of packets lost, in runs of {parts[1]} packets on average "
            "(all are lost in the bad state)"
        )
    if kind == "get" and len(parts) == 2:
        return (
            f"bad spells of {parts[1]} ms on average, {_percent(parts[0])} of the time; all sent then is lost"
        )
    if channel == "tambur":
        return "Gilbert-Elliott of Tambur: 0.068 good to bad, 0.852 back, loss 0.04 and 0.5"
    if channel == "teleop":
        return "a measured teleoperation link: 6 % independent losses, round trip 240 ms"
    return "trace of packet fates from a file"


def _percent(text: str) -> str:
    try:
        return f"{100 * float(text):g} %"
    except ValueError:
        return text
