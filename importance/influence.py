"""Influence of packets: what the answer loses without them, by really decoding without them.

    measure = Influence(video, target)
    measure.score(arrived)            # the recognizer's score of what is shown then
    measure.of_each(arrived)          # (packets,) s(with p) - s(without p), the others as in `arrived`

For a packet that is there this is what its loss costs; for one that is missing, what its arrival would still give
(incremental influence): its cascade through the references of later frames included. Influences do not add up;
`of_set` measures sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.reconstruct import Planes
from t4vcodec.codec.state import step
from t4vcodec.importance.sent_video import AnyVideo, SentVideo, Shown
from t4vcodec.importance.target import Target
from t4vcodec.importance.trace import Trace, mended_pictures


class Influence:
    """Measures a video. Keeps what it decoded first and last, so that sets that differ in late frames are cheap."""

    def __init__(self, video: AnyVideo, target: Target) -> None:
        self.video, self.target = video, target
        self._first: Shown | None = None
        self._base: tuple[bytes, Shown] | None = None

    def shown(self, arrived: np.ndarray) -> Shown:
        """What is shown when `arrived`, kept as the base of what follows."""
        key = np.packbits(arrived).tobytes()
        if self._base is None or self._base[0] != key:
            self._base = (key, self.video.play(arrived, self._first))
            self._first = self._first or self._base[1]
        return self._base[1]

    def scores(self, arrived: np.ndarray) -> torch.Tensor:
        """(classes,) logarithms of probabilities of what is shown."""
        return self.target.recognizer.scores(self._clip(self.shown(arrived)), self.target.fps).detach()

    def score(self, arrived: np.ndarray) -> float:
        """The target's score of what is shown."""
        return float(self.target(self._clip(self.shown(arrived))))

    def of_each(self, arrived: np.ndarray, packets: Iterable[int] | None = None) -> np.ndarray:
        """Influence of single packets given all others as in `arrived`: (packets,) of the score's unit.

        packets: which of them; NaN for the others. None: all.
        """
        wanted = range(len(self.video.frame_of)) if packets is None else packets
        out = np.full(len(self.video.frame_of), np.nan)
        here = self.score(arrived)
        for p in wanted:
            change = self._without(arrived, [p], not arrived[p]) - here
            out[p] = change if not arrived[p] else -change
        return out

    def of_set(self, arrived: np.ndarray, packets: Sequence[int]) -> float:
        """What the score loses when `packets`, all of them in `arrived`, are lost together."""
        return self.score(arrived) - self._without(arrived, packets, False)

    def _without(self, arrived: np.ndarray, packets: Sequence[int], value: bool) -> float:
        changed = arrived.copy()
        changed[list(packets)] = value
        return float(self.target(self._clip(self.video.play(changed, self.shown(arrived)))))

    def _clip(self, shown: Shown) -> np.ndarray:
        return self.video.rgb(shown, self.target.frames_seen(self.video.frames))


def first_order(video: SentVideo, traces: Sequence[Trace]) -> np.ndarray:
    """(packets,) influence of each packet to first order, given all others as in the traces' set.

    The change that the packet makes to the picture of its own frame, decoded with and without it, times the
    gradient of the score by that picture (which carries on into later frames). One picture is decoded per packet
    instead of a video. traces: at one set, or at several between nothing and everything (the mean of gradients
    along the way: integrated gradients, Sundararajan et al. 2017); the pictures are those of the first.
    """
    arrived = traces[0].arrived
    played = video.play(arrived)
    mended: dict[int, Picture] = {}
    for state in played.states:
        mended |= mended_pictures(state, played.pictures)
    out = np.zeros(len(video.frame_of))
    for p, frame in enumerate(video.frame_of):
        frame = int(frame)
        with_, without = arrived.copy(), arrived.copy()
        with_[p], without[p] = True, False
        there = _planes(video, played, frame, with_, arrived[p])
        gone = _planes(video, played, frame, without, not arrived[p])
        # Later frames are predicted from what a lost frame was mended to, not from what was shown of it.
        again = mended.get(frame)
        unseen = gone if again is None else (again.y, again.u, again.v)
        for trace in traces:
            change = _product(trace.pictures[frame], there, gone)
            if frame in trace.mended:
                change += _product(trace.mended[frame], there, unseen)
            out[p] += change / len(traces)
    return out


def first_order_of_pictures(measure: Influence, arrived: np.ndarray, packets: Iterable[int]) -> np.ndarray:
    """The same for a codec that lets no gradient through: (packets,), NaN for those that aren't asked for.

    The change of everything that is shown, by decoding with and without the packet, times the gradient of the score
    by the pixels at `arrived`. This spares the recognizer, not the decoder.
    """
    video = measure.video
    here = measure.shown(arrived)
    seen = measure.target.frames_seen(video.frames)
    clip = video.rgb(here, seen)
    gradient = measure.target.gradient(clip).transpose(0, 2, 3, 1) / 255
    out = np.full(len(video.frame_of), np.nan)
    for p in packets:
        changed = arrived.copy()
        changed[p] = not arrived[p]
        difference = video.rgb(video.play(changed, here), seen).astype(np.float32) - clip
        out[p] = float((gradient * difference).sum()) * (-1 if arrived[p] else 1)
    return out


def _planes(video: SentVideo, played: Shown, frame: int, arrived: np.ndarray, known: bool) -> Planes:
    if known:
        picture = played.pictures[frame]
    else:
        _, picture = step(played.states[frame], video.arrived_of(frame, arrived), video.setup, video.model)
    return picture.y, picture.u, picture.v


def _product(gradient: Planes, there: Planes, gone: Planes) -> float:
    """Of a gradient and a difference; 0 where pictures are of another size."""
    if gradient[0].shape != there[0].shape or there[0].shape != gone[0].shape:
        return 0.0
    return sum(float((g * (a - b)).sum()) for g, a, b in zip(gradient, there, gone))
