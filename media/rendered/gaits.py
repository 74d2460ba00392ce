"""Walking, running and turning: motions made of steps.

A foot stands still in the clip's frame while it carries and travels only while it swings; its heel leaves the
floor about the ball of the foot. Timing after Winter, Biomechanics and Motor Control of Human Movement
(stance is about 62 % of a walking cycle and 35 % of a running one).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator
from t4vcodec.media.rendered.keyframes import Channels, ease, rest
from t4vcodec.media.rendered.skeleton import STANCE

_BALL = 0.10
"""Ankle to ball of the foot, in body heights."""

_Drawn = tuple[float, bool, Callable[[np.ndarray], Channels], dict]


def _foot(
    result: Channels,
    side: str,
    phase: np.ndarray,
    stride: float,
    stance: float,
    lift: float,
    roll: np.ndarray,
) -> None:
    """Set one foot's channels; `phase` counts cycles from heel strike, `roll` holds (share of cycle, pitch)
    keys."""
    step, share = np.floor(phase), np.mod(phase, 1.0)
    swing = ease((share - stance) / (1 - stance))
    pitch = PchipInterpolator(roll[:, 0], roll[:, 1])(share)
    heel = np.maximum(np.sin(-pitch), 0.0)
    raised = np.where(
        share > stance, np.sin(np.pi * np.clip((share - stance) / (1 - stance), 0, 1)) ** 1.3, 0.0
    )
    result[f"{side}_foot_z"] = stride * (step + swing + 0.5 * stance) + _BALL * (
        1 - np.cos(np.minimum(pitch, 0))
    )
    result[f"{side}_foot_y"] = _BALL * heel + lift * raised
    result[f"{side}_foot_pitch"] = pitch


def draw_walk(rng: np.random.Generator) -> _Drawn:
    """Walk straight on; speeds of 0.65 to 0.85 body heights a second."""
    cycle, speed = rng.uniform(1.0, 1.15), rng.uniform(0.65, 0.82)
    arms, start = rng.uniform(0.32, 0.55), rng.uniform(0, 1)
    stance, stride = 0.62, speed * cycle
    roll = np.array(
        [(0, 0.28), (0.09, 0.0), (0.40, 0.0), (0.62, -0.85), (0.74, -0.55), (0.90, 0.22), (1, 0.28)]
    )

    def curve(t: np.ndarray) -> Channels:
        result = rest(t)
        phase = t / cycle + start
        angle = 2 * np.pi * phase
        result["z"] = stride * phase + 0.006 * np.sin(2 * angle)
        # Lowest with both feet on the floor, highest over the carrying foot.
        result["y"] = -0.018 - 0.012 * np.cos(2 * angle - 0.75)
        result["x"] = 0.012 * np.sin(angle - 0.4)
        result["roll"] = 0.05 * np.sin(angle - 0.3)
        result["side"] = -0.06 * np.sin(angle - 0.3)
        result["yaw"] = 0.11 * -np.cos(angle)
        result["twist"] = 0.26 * np.cos(angle)
        result["look"] = -0.13 * np.cos(angle)
        result["bend"] = 0.06 + 0.012 * np.cos(2 * angle)
        for side, shift in (("right", 0.0), ("left", 0.5)):
            _foot(result, side, phase + shift, stride, stance, 0.035, roll)
            result[f"{side}_foot_z"] -= stride * shift
            result[f"{side}_foot_x"] = np.full(len(t), 0.75 * STANCE * (1 if side == "right" else -1))
            beat = np.cos(angle + 2 * np.pi * shift - 0.15)
            result[f"{side}_flex"] = 0.06 - arms * beat
            result[f"{side}_elbow"] = 0.38 - 0.22 * beat
            result[f"{side}_out"] = np.full(len(t), 0.14)
        return result

    return cycle, True, curve, {"travel": speed}


def draw_run(rng: np.random.Generator) -> _Drawn:
    """Run straight on; speeds of 1.5 to 2.0 body heights a second."""
    cycle, speed = rng.uniform(0.66, 0.76), rng.uniform(1.5, 2.0)
    arms, start, lean = rng.uniform(0.6, 0.85), rng.uniform(0, 1), rng.uniform(0.12, 0.2)
    stance, stride = 0.36, speed * cycle
    roll = np.array(
        [(0, 0.12), (0.07, 0.0), (0.2, 0.0), (0.36, -0.95), (0.6, -1.35), (0.85, -0.1), (1, 0.12)]
    )

    def curve(t: np.ndarray) -> Channels:
        result = rest(t)
        phase = t / cycle + start
        angle = 2 * np.pi * phase
        result["z"] = stride * phase
        # Lowest in the middle of stance, highest in flight.
        result["y"] = -0.03 - 0.028 * np.cos(2 * angle - 2 * np.pi * stance)
        result["roll"] = 0.05 * np.sin(angle - 0.5)
        result["pitch"] = np.full(len(t), 0.6 * lean)
        result["bend"] = np.full(len(t), 0.6 * lean)
        result["nod"] = np.full(len(t), -0.9 * lean)
        result["yaw"] = -0.2 * np.cos(angle)
        result["twist"] = 0.48 * np.cos(angle)
        result["look"] = -0.25 * np.cos(angle)
        for side, shift in (("right", 0.0), ("left", 0.5)):
            _foot(result, side, phase + shift, stride, stance, 0.13, roll)
            result[f"{side}_foot_z"] -= stride * shift
            result[f"{side}_foot_x"] = np.full(len(t), 0.5 * STANCE * (1 if side == "right" else -1))
            beat = np.cos(angle + 2 * np.pi * shift - 0.1)
            result[f"{side}_flex"] = 0.0 - arms * beat
            result[f"{side}_elbow"] = 1.55 - 0.25 * beat
            result[f"{side}_out"] = np.full(len(t), 0.2)
            result[f"{side}_spin"] = np.full(len(t), -0.4)
        return result

    return cycle, True, curve, {"travel": speed}


def draw_turn(rng: np.random.Generator) -> _Drawn:
    """Turn on the spot by 90 to 270 degrees to either side, foot by foot."""
    angle = rng.uniform(0.5, 1.5) * np.pi * rng.choice([-1.0, 1.0])
    steps = int(np.ceil(abs(angle) / 0.85))
    pace = rng.uniform(0.42, 0.52)
    duration = pace * (steps + 1)
    order = ("right", "left") if angle > 0 else ("left", "right")

    def curve(t: np.ndarray) -> Channels:
        result = rest(t)
        course = ease(t / duration)
        result["yaw"] = angle * course
        result["look"] = 0.35 * np.sign(angle) * np.sin(np.pi * np.clip(1.3 * t / duration, 0, 1))
        result["twist"] = 0.18 * np.sign(angle) * np.sin(np.pi * np.clip(1.2 * t / duration, 0, 1))
        bumps = np.zeros(len(t))
        for i, side in enumerate(order):
            sign = 1 if side == "right" else -1
            turned, lifted = np.zeros(len(t)), np.zeros(len(t))
            done = 0.0
            for step in range(i, steps + 1, 2):
                target = angle * min(1.0, (step + 1.0) / steps)
                local = (t - step * pace) / pace
                turned = turned + (target - done) * ease(local / 0.9)
                lifted = lifted + np.sin(np.pi * np.clip(local / 0.9, 0, 1)) ** 2
                done = target
            result[f"{side}_foot_yaw"] = sign * 0.14 + turned
            result[f"{side}_foot_x"] = sign * STANCE * np.cos(turned)
            result[f"{side}_foot_z"] = -sign * STANCE * np.sin(turned)
            result[f"{side}_foot_y"] = 0.04 * lifted
            result[f"{side}_foot_pitch"] = -0.25 * lifted
            result["x"] = result["x"] - sign * 0.022 * lifted * np.cos(turned)
            result["z"] = result["z"] + sign * 0.022 * lifted * np.sin(turned)
            result[f"{side}_flex"] = result[f"{side}_flex"] + 0.25 * lifted - 0.1
            bumps = bumps + lifted
        result["y"] = -0.008 - 0.006 * np.clip(bumps, 0, 1)
        return result

    return duration, False, curve, {}
