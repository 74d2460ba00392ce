"""`t4vcodec bench`: how fast, where the time goes, how much memory; x264 and x265 on the same frames.

Each size runs in a process of its own, so that its peak memory is its own. Stages are timed by wrapping the
functions that the encoder and decoder call; with several threads a stage's time is that on the clock.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from t4vcodec.errors import T4VError
from t4vcodec.eval.scheme import scaled_kbps

SIZES = ((352, 288), (640, 360), (854, 480), (1280, 720))
WARM_SIZE = (96, 64)
WARM_FRAMES = 20
POINT = 600.0
FPS = 25
ENCODER_STAGES = ("search", "decide", "levels", "reconstruct", "protect", "serialise", "other")
DECODER_STAGES = ("parse", "reconstruct", "other")
OPPONENTS = (
    ("x264 veryfast", "libx264", {"preset": "veryfast", "tune": "zerolatency"}),
    ("x264 medium", "libx264", {"preset": "medium", "tune": "zerolatency"}),
    ("x265 medium", "libx265", {"preset": "medium", "tune": "zerolatency"}),
)


@dataclass(frozen=True)
class Speed:
    """One size. kbps: sent. encode, decode: ms a frame by stage. opponents: frames per second by name.

    peak: megabytes of the process, all frames of the clip included.
    """

    width: int
    height: int
    kbps: float
    encode: dict[str, float]
    decode: dict[str, float]
    peak: float
    opponents: dict[str, float]


def run_bench(
    frames: int = 30, echo: Callable[[str], None] = print, sizes: Sequence[tuple[int, int]] = SIZES
) -> list[Speed]:
    """Measure and print a table of at most 80 columns. Raises T4VError."""
    if frames < 2:
        raise T4VError(f"{frames} frames are too few to time: give 2 or more")
    threads = _threads()
    context = multiprocessing.get_context("spawn")
    results = []
    for width, height in sizes:
        echo(f"measuring {width}x{height} ...")
        with context.Pool(1) as pool:
            results.append(pool.apply(measure, (width, height, frames, threads)))
    echo("")
    echo(format_speeds(results, frames, threads))
    return results


def _threads() -> int:
    """As the other commands: OMP_NUM_THREADS, else two where there are so many cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) > 0 else min(2, cores)


def measure(width: int, height: int, frames: int, threads: int) -> Speed:
    """Encode and decode a rendered clip in this process, then with the others."""
    import torch
    from t4vcodec.codec import Decoder, Encoder, Setup, decoder, encoder, expectation
    from t4vcodec.media.rendered import render_clip

    torch.set_num_threads(threads)
    _warm_up(threads)
    clip = list(render_clip("walk", 0, "val", width, height, FPS, frames))
    setup = Setup(width, height, Fraction(FPS))
    kbps = scaled_kbps(POINT, width, height, FPS)
    sender = Encoder(setup, kbps=kbps, threads=threads)
    encode_parts = (
        ("search", encoder, "propose"),
        ("decide", encoder, "decide"),
        ("levels", encoder, "choose_levels"),
        ("levels", encoder, "key_copies"),
        ("reconstruct", encoder, "predict_frame"),
        ("reconstruct", encoder.Encoder, "_finish"),
        ("protect", expectation.Expectation, "update"),
        ("serialise", encoder, "serialise"),
    )
    sent, size = [], 0
    with _timed(encode_parts) as encode:
        for frame in clip:
            with encode.whole():
                sent.append(sender.push(frame))
            size += sender.stats.bytes
    receiver = Decoder(setup)
    decode_parts = (("parse", decoder.PayloadParser, "parse"), ("reconstruct", decoder, "step"))
    with _timed(decode_parts) as decode:
        for packets in sent:
            wire = [bytes(packet) for packet in packets]
            with decode.whole():
                receiver.push(wire)
    peak = _peak_megabytes()
    return Speed(
        width,
        height,
        size * 8 / 1000 / (frames / FPS),
        encode.per_frame(ENCODER_STAGES, frames),
        decode.per_frame(DECODER_STAGES, frames),
        peak,
        {name: _opponent_fps(codec, options, clip, kbps, threads) for name, codec, options in OPPONENTS},
    )


def _warm_up(threads: int) -> None:
    """Load or compile every kernel on a tiny clip, long enough for a frame of each class."""
    from t4vcodec.codec import Decoder, Encoder, Setup
    from t4vcodec.media.rendered import render_clip

    setup = Setup(*WARM_SIZE, Fraction(FPS))
    sender, receiver = Encoder(setup, kbps=200, threads=threads), Decoder(setup)
    for frame in render_clip("walk", 0, "val", *WARM_SIZE, FPS, WARM_FRAMES):
        receiver.push(sender.push(frame))


class _Stopwatch:
    """Seconds by stage; `whole` is all of them and what lies between."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._inside = False

    def wrap(self, stage: str, function: Callable) -> Callable:
        def timed(*args: Any, **settings: Any) -> Any:
            if self._inside:  # a stage within a stage belongs to the outer one
                return function(*args, **settings)
            self._inside = True
            start = time.perf_counter()
            try:
                return function(*args, **settings)
            finally:
                self._seconds[stage] += time.perf_counter() - start
                self._inside = False

        return timed

    @contextmanager
    def whole(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds["whole"] += time.perf_counter() - start

    def per_frame(self, stages: Sequence[str], frames: int) -> dict[str, float]:
        """Milliseconds a frame; `other` is what no stage accounts for, `whole` all."""
        named = {stage: 1000 * self._seconds[stage] / frames for stage in stages if stage != "other"}
        whole = 1000 * self._seconds["whole"] / frames
        return named | {"other": max(whole - sum(named.values()), 0.0), "whole": whole}


@contextmanager
def _timed(parts: Sequence[tuple[str, Any, str]]) -> Iterator[_Stopwatch]:
    """Times functions, given as (stage, module or class, name), while inside."""
    watch = _Stopwatch()
    originals = [(owner, name, getattr(owner, name)) for _, owner, name in parts]
    for (stage, owner, name), (_, _, function) in zip(parts, originals, strict=True):
        setattr(owner, name, watch.wrap(stage, function))
    try:
        yield watch
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


def _peak_megabytes() -> float:
    """Largest memory of this process so far."""
    try:
        # getrusage starts a new program with the peak of the one that started it; this does not.
        with open("/proc/self/status", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _opponent_fps(
    codec: str, options: dict[str, str], clip: Sequence[Any], kbps: float, threads: int
) -> float:
    """Frames per second of a standard encoder at the same rate, infinite GOP."""
    import av
    import numpy as np

    height, width = clip[0].y.shape
    pictures = []
    for number, frame in enumerate(clip):
        samples = np.concatenate([plane.reshape(-1) for plane in (frame.y, frame.u, frame.v)])
        picture = av.VideoFrame.from_ndarray(samples.reshape(height * 3 // 2, width), format="yuv420p")
        picture.pts, picture.time_base = number, Fraction(1, FPS)
        pictures.append(picture)
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    context.bit_rate, context.gop_size, context.thread_count = round(kbps * 1000), 2**30, threads
    quiet = {"x265-params": f"log-level=none:pools={threads}:keyint=-1"} if codec == "libx265" else {}
    context.options = options | quiet
    start = time.perf_counter()
    for picture in pictures:
        context.encode(picture)
    context.encode(None)
    return len(clip) / (time.perf_counter() - start)


def format_speeds(speeds: Sequence[Speed], frames: int, threads: int) -> str:
    """The tables, at most 80 columns wide."""
    names = [f"{s.width}x{s.height}" for s in speeds]

    def row(label: str, values: Sequence[float], digits: int = 1) -> str:
        return f"{label:26}" + "".join(f"{value:>12.{digits}f}" for value in values)

    lines = [
        f"Rendered clips of {frames} frames, {threads} thread{'s' if threads > 1 else ''}, "
        f"point {POINT:.0f}, key frame included",
        "",
        f"{'':26}" + "".join(f"{name:>12}" for name in names),
        row("sent, kbit/s", [s.kbps for s in speeds], 0),
        row("encode, frames per s", [1000 / s.encode["whole"] for s in speeds]),
        row("decode, frames per s", [1000 / s.decode["whole"] for s in speeds]),
        row("peak memory with clip, MB", [s.peak for s in speeds], 0),
        "",
        "encode, ms a frame",
        *(row(f"  {stage}", [s.encode[stage] for s in speeds]) for stage in ENCODER_STAGES),
        "decode, ms a frame",
        *(row(f"  {stage}", [s.decode[stage] for s in speeds]) for stage in DECODER_STAGES),
        "",
        f"encode, frames per s, {threads} thread{'s' if threads > 1 else ''}",
        *(row(f"  {name}", [s.opponents[name] for s in speeds]) for name, _, _ in OPPONENTS),
    ]
    return "\n".join(lines)
