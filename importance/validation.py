"""Does saliency say what a lost packet costs? Measured on labelled clips, by decoding without packets.

Per clip, sent at a point of the protocol (`measure_clip`):

- *lost*: packets that one run of the channel lost, against what each one's arrival would give (the truth);
- *whole*: all packets, all others received, against what the loss of each would cost;
- *sets*: pairs of packets and runs of frames, lost together against the sum of their singles;
- *protected*: the answer when most packets are lost and some never are, chosen in several orders;
- *frames*: saliency along the clip, as it is and averaged over shifts in time.

The last four are dear and are made for the first clips only (`Settings.whole`). *Sensitive* clips are those whose
answer turns at this loss on one of `Settings.selection`, seeds that nothing else uses; the others are insensitive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from t4vcodec.codec import Setup
from t4vcodec.errors import T4VError
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.scheme import scaled_kbps
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.influence import Influence, first_order
from t4vcodec.importance.labels import frames_of
from t4vcodec.importance.saliency import (
    WAYS,
    LinearTarget,
    averaged_gradient,
    latent_fields,
    of_frame,
    of_packets,
    period,
    picture_fields,
    shown_fields,
)
from t4vcodec.importance.sent_video import SentVideo
from t4vcodec.importance.target import Target
from t4vcodec.importance.trace import Trace, trace_gradients
from t4vcodec.media import to_rgb
from t4vcodec.network.channels import parse_channel
from t4vcodec.recognition.datasets import ActionSet, Labelled, class_numbers
from t4vcodec.recognition.network import WINDOWS
from t4vcodec.recognition.recognizer import Recognizer

ORDERS = ("random", "saliency", "first order", "influence")
RUNS = (1, 2, 3, 6)
_SETS = 5
"""Of each kind, spread over the clip."""
_CODE = (
    "codec",
    "recognition",
    *(f"importance/{name}.py" for name in ("sent_video", "trace", "influence", "target", "saliency")),
)
_FORMAT = 1


@dataclass(frozen=True)
class Settings:
    """point: rate at 854x480 and 25 frames a second. loss: share of packets that are lost, each on its own.

    sensitive, insensitive: clips of either kind, at most. whole: of either kind, those that are looked at whole.
    selection, seed: runs of the channel that choose clips, and the one that is scored. shares: of packets that are
    protected where the share `heavy` of the others is lost, in the runs `heavy_seeds`.
    """

    point: float = 150.0
    loss: float = 0.3
    sensitive: int = 18
    insensitive: int = 9
    whole: tuple[int, int] = (5, 2)
    selection: tuple[int, ...] = (100, 101, 102, 103, 104)
    seed: int = 0
    heavy: float = 0.6
    heavy_seeds: tuple[int, ...] = (1, 2)
    shares: tuple[float, ...] = (0.1, 0.2, 0.4)

    def __post_init__(self) -> None:
        if self.seed in self.selection or set(self.heavy_seeds) & set(self.selection):
            raise ImportanceError("clips are chosen and scored on the same losses: give other seeds")
        if not (0 < self.loss < 1 and 0 < self.heavy < 1 and self.point > 0):
            raise ImportanceError("a study needs a rate above 0 and losses between 0 and 1")


class Sent:
    """A clip, sent, with what judges it. Raises T4VError for clips that do not decode."""

    def __init__(self, labelled: Labelled, recognizer: Recognizer, point: float) -> None:
        self.labelled, self.recognizer = labelled, recognizer
        frames, fps = frames_of(labelled)
        width, height = frames[0].width, frames[0].height
        kbps = scaled_kbps(point, width, height, float(fps))
        self.video = SentVideo.encode(frames, Setup(width, height, fps), kbps)
        self.target = Target.of_clean(recognizer, np.stack([to_rgb(f) for f in frames]), float(fps))
        self.measure = Influence(self.video, self.target)

    @cached_property
    def trace(self) -> Trace:
        """Where everything arrived."""
        return trace_gradients(self.video, self.video.everything, self.target)

    def arrived(self, loss: float, seed: int) -> np.ndarray:
        """(packets,) bool, what one run of independent losses leaves."""
        fates = parse_channel(f"{loss:g}").fates(self.labelled.name, seed)
        return np.array([not next(fates) for _ in self.video.frame_of])

    def answer(self, arrived: np.ndarray) -> tuple[bool, bool]:
        """Whether it agrees with the one on the clean clip, and whether it is right."""
        first = int(self.measure.scores(arrived).argmax())
        return first == self.target.wanted, self.recognizer.labels[first] == self.labelled.label

    def turned(self, loss: float, seeds: Sequence[int]) -> int | None:
        """The first of the seeds at which the answer turns."""
        return next((s for s in seeds if not self.answer(self.arrived(loss, s))[0]), None)


def study_clips(
    pairs: Sequence[tuple[ActionSet, Recognizer]],
    settings: Settings,
    folder: Path,
    echo: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    """A record a clip, kept in `folder` so that a study which was stopped goes on.

    Clips are taken in an order that their names decide, until there are enough of both kinds; first all of them at
    the lost packets, then some whole. Raises RecognitionError, ImportanceError.
    """
    for clips, recognizer in pairs:
        class_numbers(clips.clips, recognizer.labels, recognizer.name)
        if not recognizer.differentiable:
            raise ImportanceError(
                f"{recognizer.name} gives no gradients: take builtin:NAME or a torchvision one"
            )
    cache = Cache(folder)
    chosen: dict[bool, list[tuple[Labelled, Recognizer, dict[str, Any]]]] = {True: [], False: []}
    limits = {True: settings.sensitive, False: settings.insensitive}
    everyone = [(c, r) for clips, r in pairs for c in clips.clips]
    for clip, recognizer in sorted(everyone, key=lambda pair: hashlib.sha256(pair[0].name.encode()).digest()):
        if all(len(chosen[kind]) >= limits[kind] for kind in chosen):
            break
        facts = _remembered(cache, "facts", clip, recognizer, settings, echo)
        if facts is not None and len(chosen[facts["sensitive"]]) < limits[facts["sensitive"]]:
            chosen[facts["sensitive"]].append((clip, recognizer, facts))
    echo(f"{len(chosen[True])} sensitive clips, {len(chosen[False])} insensitive ones")
    records = []
    for kind, count in zip((True, False), settings.whole):
        for number, (clip, recognizer, facts) in enumerate(chosen[kind]):
            records.append((clip, recognizer, facts, number < count))
    lost = [_remembered(cache, "lost", clip, rec, settings, echo) for clip, rec, _, _ in records]
    for (clip, recognizer, facts, whole), of_lost in zip(records, lost):
        more = _remembered(cache, "whole", clip, recognizer, settings, echo) if whole else {}
        yield {**facts, "lost": of_lost, **(more or {})}


def _remembered(
    cache: Cache,
    part: str,
    clip: Labelled,
    recognizer: Recognizer,
    settings: Settings,
    echo: Callable[[str], None],
) -> dict[str, Any] | None:
    """One of the parts of a record; None for a clip that does not decode."""
    wanted = asdict(settings)
    for name in ("sensitive", "insensitive", "whole"):
        del wanted[name]
    key = content_key(
        format=_FORMAT,
        part=part,
        clip=asdict(clip),
        recognizer=recognizer.name,
        settings=wanted,
        code=version_of(*_CODE),
    )
    known = cache.get(key)
    if known is None:
        try:
            sent = Sent(clip, recognizer, settings.point)
        except T4VError as error:
            echo(f"left out: {error}")
            return None
        known = {"facts": clip_facts, "lost": lost_packets, "whole": whole_clip}[part](sent, settings)
        cache.put(key, known)
        echo(f"{part}: {clip.name}")
    return known


def clip_facts(sent: Sent, settings: Settings) -> dict[str, Any]:
    """What clip it is, and whether its answer turns."""
    turned = sent.turned(settings.loss, settings.selection)
    video = sent.video
    wanted = sent.recognizer.labels[sent.target.wanted]
    return {
        "clip": sent.labelled.name,
        "label": sent.labelled.label,
        "group": sent.labelled.group or sent.labelled.name,
        "recognizer": sent.recognizer.name,
        "wanted": wanted,
        "right": wanted == sent.labelled.label,
        "frames": video.frames,
        "packets": len(video.frame_of),
        "bytes": int(video.sizes.sum()),
        "sensitive": turned is not None,
        "turned": turned,
        "score": _short(sent.measure.score(video.everything)),
    }


def lost_packets(sent: Sent, settings: Settings) -> dict[str, Any]:
    """Packets that one run lost: what each one's arrival would give, and what was thought of it."""
    video = sent.video
    arrived = sent.arrived(settings.loss, settings.seed)
    lost = np.flatnonzero(~arrived)
    here = trace_gradients(video, arrived, sent.target)
    thoughts = _saliencies(sent) | {
        "first order, all there": first_order(video, [sent.trace]),
        "first order": first_order(video, [here]),
        "first order, two points": first_order(video, [here, sent.trace]),
    }
    true = sent.measure.of_each(arrived, lost)
    agrees, right = sent.answer(arrived)
    return {
        "score": _short(sent.measure.score(arrived)),
        "agrees": agrees,
        "right": right,
        "numbers": lost.tolist(),
        "frame": video.frame_of[lost].tolist(),
        "true": _listed(true[lost]),
        "thoughts": {name: _listed(values[lost]) for name, values in thoughts.items()},
    }


def whole_clip(sent: Sent, settings: Settings) -> dict[str, Any]:
    """All packets, sets of them, protection, and the frames' saliency."""
    video = sent.video
    some = trace_gradients(video, sent.arrived(settings.loss, settings.seed), sent.target)
    thoughts = _saliencies(sent) | {
        "first order": first_order(video, [sent.trace]),
        "first order, two points": first_order(video, [sent.trace, some]),
    }
    true = sent.measure.of_each(video.everything)
    orders = {
        "random": np.random.default_rng(settings.seed).random(len(true)),
        "saliency": thoughts["latents l2"],
        "first order": thoughts["first order"],
        "influence": true,
    }
    return {
        "whole": {
            "frame": video.frame_of.tolist(),
            "true": _listed(true),
            "thoughts": {name: _listed(values) for name, values in thoughts.items()},
        },
        "sets": list(_sets(sent, true)),
        "protected": list(_protected(sent, orders, settings)),
        "frames_saliency": _frames_saliency(sent),
    }


def _saliencies(sent: Sent) -> dict[str, np.ndarray]:
    """Everything that a sender with the whole clip can think of its packets, and two things that cost nothing."""
    video = sent.video
    played = sent.measure.shown(video.everything)
    trace = sent.trace
    out: dict[str, np.ndarray] = {}
    for name, make in (("shown", shown_fields), ("pictures", picture_fields), ("latents", latent_fields)):
        fields = make(video, played, trace)
        out |= {f"{name} {way}": of_packets(video, fields, way) for way in WAYS}
    # What a frame as a whole shows, the older measure.
    out["frame"] = np.array([of_frame(g) for g in trace.shown])[video.frame_of]
    return out | {
        "bytes": video.sizes.astype(float),
        "frames after": (video.frames - video.frame_of).astype(float),
    }


def _sets(sent: Sent, true: np.ndarray) -> Iterator[dict[str, Any]]:
    """Pairs of packets of neighbouring frames, and all packets of runs of frames."""
    video = sent.video

    def one(kind: str, packets: list[int]) -> dict[str, Any]:
        return {
            "kind": kind,
            "packets": len(packets),
            "together": _short(sent.measure.of_set(video.everything, packets)),
            "singles": _short(float(true[packets].sum())),
        }

    for first in _spread(video.frames - 2):
        yield one("pair", [int(video.first_of[first]), int(video.first_of[first + 1])])
    for run in RUNS:
        for first in _spread(video.frames - run):
            packets = range(int(video.first_of[first]), int(video.first_of[first + run]))
            yield one(f"run of {run}", list(packets))


def _spread(last: int) -> list[int]:
    """Frames from the second on to `last`, a few."""
    return sorted(set(np.linspace(1, last, _SETS).astype(int).tolist())) if last >= 1 else []


def _protected(sent: Sent, orders: dict[str, np.ndarray], settings: Settings) -> Iterator[dict[str, Any]]:
    """Answers with the first packets of each order never lost, the others mostly."""
    for seed in settings.heavy_seeds:
        arrived = sent.arrived(settings.heavy, seed)
        for order, values in {"none": None, **orders}.items():
            for share in (0.0,) if values is None else settings.shares:
                there = arrived.copy()
                if values is not None:
                    there[np.argsort(-values, kind="stable")[: round(share * len(values))]] = True
                agrees, right = sent.answer(there)
                score = _short(sent.measure.score(there))
                yield {
                    "order": order,
                    "share": share,
                    "seed": seed,
                    "agrees": agrees,
                    "right": right,
                    "score": score,
                }


def _frames_saliency(sent: Sent) -> dict[str, Any]:
    video, target, trace = sent.video, sent.target, sent.trace
    shifts = period(video.fps, WINDOWS.fps)
    clip = video.rgb(sent.measure.shown(video.everything))
    averaged = averaged_gradient(target, clip, shifts)
    carried = trace_gradients(video, video.everything, LinearTarget(averaged))
    return {
        "shifts": shifts,
        "fps": video.fps,
        "shown": _listed([of_frame(g) for g in trace.shown]),
        "averaged": _listed([of_frame(g) for g in averaged]),
        "pictures": _listed([of_frame(g[0]) for g in trace.pictures]),
        "pictures, averaged": _listed([of_frame(g[0]) for g in carried.pictures]),
    }


def _listed(values: Any) -> list[float]:
    return [_short(v) for v in np.asarray(values, float)]


def _short(value: float) -> float:
    return float(f"{float(value):.6g}")
