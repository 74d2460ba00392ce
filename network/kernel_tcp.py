"""Does the simulated TCP delay frames as the kernel's does? A table of both, and a figure.

    python -m t4vcodec.network.kernel_tcp --seconds 60 --figure kernel_tcp.png

Runs three paths at three losses through the kernel (`kernel_lab`) in real time, and five times as long through the
simulator (`transports.tcp`, `duplex`) under equal conditions. Exit status 1 where a median differs by more than
20 %, 2 where the lab cannot be built.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from t4vcodec.errors import T4VError
from t4vcodec.network.duplex import Pair
from t4vcodec.network.kernel_lab import SEGMENT_BYTES, Setting, kernel_delays, missing
from t4vcodec.network.transports.tcp import TcpSender
from t4vcodec.network.transports.tcp_receiver import TcpReceiver

PATHS = (
    Setting(kbps=1000, delay=0.020, loss="0", video_kbps=500),
    Setting(kbps=2000, delay=0.050, loss="0", video_kbps=200),
    Setting(kbps=4000, delay=0.100, loss="0", video_kbps=120),
)
LOSSES = ("0.5%", "1%", "2%")
AT_ONCE = 3
"""Paths that the lab runs at the same time: more of them wait for each other."""
TOLERANCE = 0.20
"""By which the simulator's median may differ."""


@dataclass(frozen=True)
class Comparison:
    """Frame delays of both, in seconds."""

    setting: Setting
    kernel: np.ndarray
    simulated: np.ndarray

    @property
    def ratio(self) -> float:
        """Simulated median over the kernel's."""
        return float(np.median(self.simulated) / np.median(self.kernel))


def all_settings() -> list[Setting]:
    """Each path at each loss."""
    return [replace(path, loss=loss) for path in PATHS for loss in LOSSES]


def simulated_delays(setting: Setting, seconds: float, patience: float = 30.0) -> list[float]:
    """What `kernel_lab.kernel_delays` measures, from the simulator."""
    sender = TcpSender(window=setting.window, mss=SEGMENT_BYTES)
    pair = Pair(sender, TcpReceiver(), *setting.routes(), clip="kernel", seed=setting.seed)
    frames = setting.frames(seconds)
    pair.run(frames, until=seconds + patience)
    finished: dict[int, list[float]] = {}
    for packet in pair.delivered():
        finished.setdefault(packet.frame, []).append(packet.time)
    return [
        max(finished[frame.number]) - at
        if len(finished.get(frame.number, ())) == len(frame.packets)
        else float("inf")
        for at, frame in frames
    ]


def compare(settings: Sequence[Setting], seconds: float) -> list[Comparison]:
    """Both for each setting; the simulator over five times the frames, of other seeds, since they cost nothing."""
    kernel = [
        delays
        for first in range(0, len(settings), AT_ONCE)
        for delays in kernel_delays(settings[first : first + AT_ONCE], seconds)
    ]
    return [
        Comparison(
            setting,
            np.array(delays),
            np.concatenate(
                [simulated_delays(replace(setting, seed=seed), max(seconds, 30.0)) for seed in range(5)]
            ),
        )
        for setting, delays in zip(settings, kernel)
    ]


def table(comparisons: Sequence[Comparison]) -> str:
    """Markdown: median and 95th percentile in milliseconds."""
    lines = [
        "| link | delay each way | video | loss | kernel: median, p95 | simulated: median, p95 | median |",
        "|---|---|---|---|---|---|---|",
    ]
    for c in comparisons:
        s = c.setting
        both = (
            f"{1000 * np.median(d):.0f}, {1000 * np.percentile(d, 95):.0f}" for d in (c.kernel, c.simulated)
        )
        lines.append(
            f"| {s.kbps:g} kbit/s | {1000 * s.delay:g} ms | {s.video_kbps:g} kbit/s | {s.loss} "
            f"| {' | '.join(both)} | {100 * (c.ratio - 1):+.0f} % |"
        )
    return "\n".join(lines)


def figure(comparisons: Sequence[Comparison], path: Path) -> None:
    """Distribution of frame delays, one panel for each setting."""
    from matplotlib.figure import Figure

    columns = len(LOSSES)
    rows = -(-len(comparisons) // columns)
    drawing = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    for i, c in enumerate(comparisons):
        axes = drawing.add_subplot(rows, columns, i + 1)
        for name, delays in (("kernel", c.kernel), ("simulated", c.simulated)):
            axes.plot(1000 * np.sort(delays), np.linspace(0, 1, len(delays)), label=name)
        axes.set_title(
            f"{c.setting.kbps:g} kbit/s, {1000 * c.setting.delay:g} ms, {c.setting.loss}", fontsize=9
        )
        axes.set_xlim(0, 1000 * max(np.quantile(c.kernel, 0.99), np.quantile(c.simulated, 0.99)))
        axes.set_xlabel("frame delay (ms)", fontsize=8)
        axes.set_ylabel("share of frames", fontsize=8)
        axes.legend(fontsize=8)
    partial = path.with_name(f".{path.name}.part")
    drawing.savefig(partial, format=path.suffix.lstrip(".") or "png", dpi=110)
    partial.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m t4vcodec.network.kernel_tcp", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds of video on each path")
    parser.add_argument("--window", choices=("cubic", "reno"), default="cubic")
    parser.add_argument("--figure", type=Path, help="file for a figure (.png, .svg)")
    options = parser.parse_args(arguments)
    reason = missing()
    if reason is not None:
        print(f"the kernel's TCP cannot be run here: {reason}", file=sys.stderr)
        return 2
    settings = [replace(setting, window=options.window) for setting in all_settings()]
    try:
        comparisons = compare(settings, options.seconds)
    except T4VError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(comparisons))
    if options.figure is not None:
        figure(comparisons, options.figure)
    return int(any(abs(c.ratio - 1) > TOLERANCE for c in comparisons))


if __name__ == "__main__":
    sys.exit(main())
