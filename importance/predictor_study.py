"""`t4vcodec study predictor`: does the sender's predictor put the packets first that turn out to matter?

    predictor.json     settings, areas under the curve with intervals, time against the encoder's
    packets.npz        scores, true influence, clip of every packet that was measured

The truth is the absolute change of the answer's log-odds when a packet is lost, by decoding without it. Important
are the top fifth of it, once over all clips of the set, and once within each clip (mean over clips), which leaves
aside that some clips are more sensitive than others.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from t4vcodec import __version__
from t4vcodec.codec import Encoder, Setup
from t4vcodec.eval.cache import write_atomically
from t4vcodec.eval.scheme import scaled_kbps
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.features import MAPS, features_of
from t4vcodec.importance.labels import POINT, Weighed, frames_of, weigh
from t4vcodec.importance.predictor import TOP, Predictor
from t4vcodec.importance.ranking import area_under_curve
from t4vcodec.recognition.datasets import Labelled
from t4vcodec.recognition.recognizer import Recognizer

CHANCE, DIFFERENCE, SIZE, ORACLE = "chance", "frame difference", "packet size", "first order (oracle)"
_RESAMPLES = 1000
_SETTLED = 4  # frames that are left out of timings: kernels load, key frame
_TIMED = 3  # clips


@dataclass(frozen=True)
class Area:
    """Area under the curve with its 95 % interval, by drawing clips."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class PredictorSettings:
    """point: rate of the streams. share: of packets whose influence is measured. clips: at most, spread evenly."""

    point: float = POINT
    share: float = 0.25
    clips: int | None = None


def rankings(weighed: Weighed, predictors: Sequence[Predictor]) -> dict[str, np.ndarray]:
    """(packets,) scores of everything that is compared, of one clip."""
    difference = []
    for features in features_of(weighed.video):
        change = features.maps[MAPS.index("change")].ravel()
        total = np.bincount(features.packet, change, len(features.scalars))
        difference.append(total / np.bincount(features.packet, minlength=len(features.scalars)))
    seed = sum(weighed.name.encode())
    return {p.name: p.of_video(weighed.video) for p in predictors} | {
        CHANCE: np.random.default_rng(seed).random(len(weighed.true)),
        DIFFERENCE: np.concatenate(difference),
        SIZE: weighed.video.sizes.astype(float),
        ORACLE: np.abs(weighed.first_order),
    }


def areas(scores: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> tuple[Area, Area]:
    """Over the whole set, and within clips. scores, truths: (packets,) of each clip, truths at least 0."""
    limit = np.quantile(np.concatenate(truths), 1 - TOP)
    important = [truth > limit for truth in truths]
    single = [area_under_curve(s, t > np.quantile(t, 1 - TOP)) for s, t in zip(scores, truths)]

    def over(picks: np.ndarray) -> float:
        return area_under_curve(
            np.concatenate([scores[i] for i in picks]), np.concatenate([important[i] for i in picks])
        )

    random = np.random.default_rng(0)
    draws = random.integers(len(truths), size=(_RESAMPLES, len(truths)))
    return (
        Area(over(np.arange(len(truths))), *_interval([over(picks) for picks in draws])),
        Area(
            float(np.nanmean(single)),
            *_interval([float(np.mean(np.array(single)[picks])) for picks in draws]),
        ),
    )


def _interval(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)


@dataclass(frozen=True)
class Timing:
    """Medians over frames, one thread. encode, predict: milliseconds. share: median of the frames' quotients."""

    size: str
    encode: float
    predict: float
    share: float


def timed(labelled: Labelled, predictor: Predictor, point: float) -> Timing:
    """The predictor beside the encoder, frame by frame."""
    frames, fps = frames_of(labelled)
    width, height = frames[0].width, frames[0].height
    encoder = Encoder(
        Setup(width, height, fps), kbps=scaled_kbps(point, width, height, float(fps)), threads=1
    )
    watcher = predictor.watch(encoder.setup)
    rows = []
    for frame in frames:
        begin = time.perf_counter()
        packets = encoder.push(frame)
        middle = time.perf_counter()
        watcher.next(encoder.coded, encoder.reconstruction, packets)
        rows.append((middle - begin, time.perf_counter() - middle))
    encode, predict = np.array(rows[min(_SETTLED, len(rows) - 1) :]).T
    grid = encoder.setup.grid(encoder.coded.header.half)
    return Timing(
        f"{width}x{height}, coded {grid.size[1]}x{grid.size[0]}",
        round(1e3 * float(np.median(encode)), 3),
        round(1e3 * float(np.median(predict)), 3),
        round(float(np.median(predict / encode)), 4),
    )


def study_predictor(
    clips: Sequence[Labelled],
    recognizer: Recognizer,
    predictors: Sequence[Predictor],
    settings: PredictorSettings,
    out: Path,
    labels: Path | None = None,
    echo: Callable[[str], None] = lambda line: None,
) -> dict[str, tuple[Area, Area]]:
    """Measures the clips' packets, ranks them, writes `out`. labels: folder that keeps what was measured.

    Raises `ImportanceError` where two predictors have one name, or nothing was measured.
    """
    for name, times in Counter(predictor.name for predictor in predictors).items():
        if times > 1:
            raise ImportanceError(f"{times} predictors are called '{name}': give their files different names")
    if settings.clips is not None and settings.clips < len(clips):
        clips = [clips[i] for i in np.linspace(0, len(clips) - 1, settings.clips).round().astype(int)]
    kept = labels if labels is not None else out / "labels"
    found: dict[str, list[np.ndarray]] = {}
    truths, names = [], []
    for number, labelled in enumerate(clips, 1):
        weighed = weigh(labelled, recognizer, settings.point, kept, settings.share)
        here = np.isfinite(weighed.true)
        if not here.any():
            continue
        truths.append(np.abs(weighed.true[here]))
        names.append(weighed.name)
        for name, scores in rankings(weighed, predictors).items():
            found.setdefault(name, []).append(scores[here])
        echo(f"{number} of {len(clips)} clips: {weighed.name}")
    if not truths:
        raise ImportanceError("no packet was measured: take more clips or a larger share of packets")
    results = {name: areas(scores, truths) for name, scores in found.items()}
    timings = {p.name: [timed(clip, p, settings.point) for clip in clips[:_TIMED]] for p in predictors}
    _write(out, settings, recognizer, names, results, timings, found, truths)
    count = sum(map(len, truths))
    echo(f"{len(truths)} clips, {count} packets measured; area under the curve for the top {TOP:.0%}")
    echo(f"{'ranked by':24}{'over the set':24}within clips")
    for name, (over, within) in results.items():
        echo(f"{name:24}{over!s:24}{within}")
    for name, mine in timings.items():
        for t in mine:
            echo(f"{name}: {t.predict:.2f} ms a frame, {t.share:.1%} of the encoder's ({t.size})")
    return results


def _write(
    out: Path,
    settings: PredictorSettings,
    recognizer: Recognizer,
    names: Sequence[str],
    results: dict[str, tuple[Area, Area]],
    timings: dict[str, list[Timing]],
    found: dict[str, list[np.ndarray]],
    truths: Sequence[np.ndarray],
) -> None:
    facts = {
        "version": __version__,
        "recognizer": recognizer.name,
        "settings": vars(settings),
        "clips": list(names),
        "areas": {n: {"set": vars(over), "clip": vars(within)} for n, (over, within) in results.items()},
        "timings": {name: [vars(t) for t in mine] for name, mine in timings.items()},
    }
    text = json.dumps(facts, indent=1).encode()
    write_atomically(out / "predictor.json", lambda file: file.write(text))
    arrays = {name: np.concatenate(scores) for name, scores in found.items()}
    arrays["true"] = np.concatenate(truths)
    arrays["clip"] = np.repeat(np.arange(len(truths)), [len(t) for t in truths])
    write_atomically(out / "packets.npz", lambda file: np.savez_compressed(file, **arrays))
