"""What sending a packet again is worth: the policies of selective retransmission.

================  =============================================  =======================================
policy            utility of a lost packet                       knows
================  =============================================  =======================================
``random``        a number drawn for each packet                 nothing
``saliency``      norm of the score's gradient by its latents    the whole clip, not the losses
                  (x264: by the pixels of its frame)
``exact``         incremental influence, by decoding with it     the whole clip and its losses (oracle)
``first-order``   the same from one gradient at what arrived     the same
``predicted``     the sender's prediction                        the past, at the sender
``receiver``      the prediction, where the answer is open       the past, at both ends
================  =============================================  =======================================

Influence is of the *margin*, the distance to the turning of the answer. What counts is whether the answer turns, so
a gain g at margin m is worth how much likelier it makes the right side:

    u = sigmoid((m + g) / SOFTNESS) - sigmoid(m / SOFTNESS), at least 0

A packet of a clip whose answer stands firm, or is lost anyway, is then worth little, whatever its influence.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from t4vcodec.importance.influence import Influence, first_order, first_order_of_pictures
from t4vcodec.importance.sent_video import AnyVideo, SentVideo
from t4vcodec.importance.trace import trace_gradients

POLICIES = ("random", "saliency", "exact", "first-order", "predicted", "receiver")
PREDICTED = ("predicted", "receiver")
"""Policies that need a predictor, and with it our own codec."""
SOFTNESS = 1.0
"""Of the turning, in units of the margin: natural logarithms of a ratio of probabilities."""
LOOKS = 8
"""Frames between two looks of the receiver at its own answer."""


def turning(margin: float | np.ndarray, gain: np.ndarray) -> np.ndarray:
    """How much likelier a gain makes it that the margin is above 0; 0 for losses."""
    return np.maximum(_sigmoid((margin + gain) / SOFTNESS) - _sigmoid(np.asarray(margin) / SOFTNESS), 0)


def decided(margin: float, gains: np.ndarray) -> bool:
    """Whether no missing packets can turn the answer, to first order: the receiver may answer now.

    margin: of the class that is ahead or was wanted. gains: of the missing packets, in its unit, taken as additive.
    """
    if margin > 0:
        return margin + gains[gains < 0].sum() > 0
    return margin + gains[gains > 0].sum() <= 0


def utilities(
    policy: str,
    measure: Influence,
    arrived: np.ndarray,
    predict: Callable[[SentVideo], np.ndarray] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """(packets,) utilities, those of packets that are in `arrived` without meaning.

    measure: of the video, with a target of kind "margin". arrived: the set without any recovery. predict: the
    sender's predictor, for `predicted` and `receiver`.
    """
    video = measure.video
    packets = len(video.frame_of)
    if policy == "random":
        return np.random.default_rng(seed).random(packets) * video.sizes
    if policy == "saliency":
        return _saliency(measure)
    if policy in PREDICTED:
        importance = predict(video)
        return importance * (openness(measure, arrived)[video.frame_of] if policy == "receiver" else 1)
    lost = np.flatnonzero(~arrived)
    gain = np.zeros(packets)
    if policy == "exact":
        gain[lost] = measure.of_each(arrived, lost)[lost]
    elif isinstance(video, SentVideo):
        gain[lost] = first_order(video, [trace_gradients(video, arrived, measure.target)])[lost]
    else:
        gain[lost] = first_order_of_pictures(measure, arrived, lost)[lost]
    return turning(measure.score(arrived), gain)


def openness(measure: Influence, arrived: np.ndarray) -> np.ndarray:
    """(frames,) how open the answer is to a receiver that has seen the frames before each: sigmoid' of the margin
    of its first class over the second, 1 at the turning and where nothing was seen."""
    video = measure.video
    clip = video.rgb(measure.shown(arrived))
    out = np.ones(video.frames)
    for seen in range(LOOKS, video.frames, LOOKS):
        first, second = measure.target.recognizer.scores(clip[:seen], video.fps).detach().topk(2).values
        share = _sigmoid(float(first - second) / SOFTNESS)
        out[seen : seen + LOOKS] = 4 * share * (1 - share)
    return out


def _saliency(measure: Influence) -> np.ndarray:
    video: AnyVideo = measure.video
    if isinstance(video, SentVideo):
        latents = trace_gradients(video, video.everything, measure.target).latents
        packets = [packet for frame in video.packets for packet in frame]
        return np.array([np.linalg.norm(latents[p.packet.frame].numpy()[p.positions]) for p in packets])
    clip = video.rgb(measure.shown(video.everything))
    gradient = measure.target.gradient(clip)
    return np.sqrt((gradient**2).sum((1, 2, 3)))[video.frame_of]


def _sigmoid(x: float | np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(x, float)))
