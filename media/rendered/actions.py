"""The motions: which pose a figure takes at which moment of an action.

`draw_motion` draws one performance of an action from a generator. Actions of REVERSED are drawn as the action
that they reverse, with the same draws, and are played backwards: their distribution of motion is that of the
other, reversed in time, exactly. Gaits live in gaits.py, everything that is keyed by hand here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from t4vcodec.media.rendered import gaits
from t4vcodec.media.rendered.keyframes import Channels, Keys, ease, follow
from t4vcodec.media.rendered.names import REVERSED, check_action
from t4vcodec.media.rendered.skeleton import STANCE

Curve = Callable[[np.ndarray], Channels]
"""Times (T,) in seconds to channels."""


@dataclass(frozen=True)
class Thing:
    """What an action is done with, in the clip's frame and in units of the body's height."""

    kind: str
    """"seat" or "load"."""
    z: float
    """Ahead of where the figure stands (its centre)."""
    top: float
    """Height of the upper face when at rest."""
    width: float
    grasp: float = 0.0
    """Seconds after which a load follows the hands (in the forward action)."""


@dataclass(frozen=True)
class Motion:
    """One performance of an action."""

    action: str
    duration: float
    """Seconds of the whole action, or of one period."""
    periodic: bool
    curve: Curve
    goals_in_chest: bool = False
    thing: Thing | None = None
    travel: float = 0.0
    """Metres per second and metre of height, forward."""

    @property
    def backwards(self) -> bool:
        """True if the curve is played from its end."""
        return self.action in REVERSED

    def own_time(self, t: np.ndarray) -> np.ndarray:
        """Times on the curve for times of the action: the same, or running backwards."""
        return self.duration - t if self.backwards else t

    def channels(self, t: np.ndarray) -> Channels:
        """All channels, each (T,), at times `t` (T,) in seconds since the action's beginning (any sign)."""
        return self.curve(self.own_time(t))


def draw_motion(action: str, rng: np.random.Generator, tempo: float) -> Motion:
    """Draw one performance of `action`, `tempo` times as fast as usual.

    Raises:
        RenderedError: no such action.
    """
    check_action(action)
    forward = REVERSED.get(action, action)
    duration, periodic, curve, extra = _DRAW[forward](rng)

    def at_tempo(t: np.ndarray) -> Channels:
        return curve(t * tempo)

    thing = extra.pop("thing", None)
    if thing is not None:
        thing = Thing(thing.kind, thing.z, thing.top, thing.width, thing.grasp / tempo)
    travel = extra.pop("travel", 0.0) * tempo
    return Motion(action, duration / tempo, periodic, at_tempo, thing=thing, travel=travel, **extra)


_Drawn = tuple[float, bool, Curve, dict]


def _keyed(keys: Keys) -> Curve:
    return lambda t: follow(keys, t)


def _sides(rng: np.random.Generator) -> tuple[str, str]:
    return ("left", "right") if rng.random() < 0.5 else ("right", "left")


def _cyclic(t: np.ndarray, period: float) -> np.ndarray:
    return np.mod(t, period)


def _jump(rng: np.random.Generator) -> _Drawn:
    lift, depth, ahead = rng.uniform(0.10, 0.18), rng.uniform(0.10, 0.16), rng.choice([0.0, 0.0, 0.25])
    arms = rng.uniform(1.6, 2.8)
    # Free flight of a mass: the time in the air follows from the height.
    flight = 2 * np.sqrt(2 * lift * 1.7 / 9.81)
    off = 0.62
    land = off + flight
    period = land + 0.85

    # A jump ahead cannot be repeated on the spot: it is done once.
    periodic = ahead == 0.0

    def curve(t: np.ndarray) -> Channels:
        t = _cyclic(t, period) if periodic else np.clip(t, 0, period)
        keys: dict[str, list[tuple[float, float]]] = {
            "y": [
                (0, 0),
                (0.15, 0),
                (0.42, -depth),
                (off, 0.03),
                (land, 0.03),
                (land + 0.2, -0.8 * depth),
                (period, 0),
            ],
            "z": [(0, 0), (off, 0.02), (land, ahead), (period, ahead)],
            "pitch": [(0.1, 0), (0.42, 0.45), (off, 0), (land, 0.1), (land + 0.2, 0.4), (period, 0)],
            "bend": [(0.1, 0.03), (0.42, 0.5), (off, -0.05), (land, 0.1), (land + 0.2, 0.4), (period, 0.03)],
            "nod": [(0.1, 0), (0.42, -0.5), (off, -0.1), (land, -0.1), (land + 0.2, -0.3), (period, 0)],
        }
        for side in ("left", "right"):
            keys[f"{side}_flex"] = [
                (0, 0.04),
                (0.38, -0.9),
                (off + 0.1, arms),
                (land, 1.0),
                (land + 0.3, 0.1),
                (period, 0.04),
            ]
            keys[f"{side}_out"] = [(0, 0.13), (0.38, 0.2), (off + 0.1, 0.3), (land, 0.5), (period, 0.13)]
            keys[f"{side}_foot_pitch"] = [
                (0.5, 0),
                (off, -0.7),
                (off + 0.12, -0.8),
                (land, -0.25),
                (land + 0.08, 0),
            ]
            keys[f"{side}_foot_z"] = [(off, 0), (land, ahead), (period, ahead)]
        result = follow(keys, t)
        share = np.clip((t - off) / flight, 0, 1)
        hop = 4 * lift * share * (1 - share)
        result["y"] = result["y"] + hop
        for side in ("left", "right"):
            toes = 0.1 * np.sin(np.maximum(-result[f"{side}_foot_pitch"], 0))
            tuck = 0.35 * hop
            result[f"{side}_foot_y"] = result[f"{side}_foot_y"] + hop + toes + tuck
        return result

    return period, periodic, curve, {}


def _wave(rng: np.random.Generator) -> _Drawn:
    side, other = _sides(rng)
    rate, swing = rng.uniform(1.4, 2.1), rng.uniform(0.35, 0.6)
    out, middle = rng.uniform(1.2, 1.9), rng.uniform(0.9, 1.3)
    up, duration = 0.45, rng.uniform(2.2, 2.8)
    hip = rng.random() < 0.3

    def curve(t: np.ndarray) -> Channels:
        raised = [(0.0, 0.0), (up, 1.0), (duration - up, 1.0), (duration, 0.0)]
        result = follow({"x": raised}, t)
        weight, result["x"] = result["x"], 0.02 * result["x"] * (-1 if side == "left" else 1)
        goal = {"out": out, "flex": 0.35, "spin": 1.35, "elbow": middle}
        for name, value in goal.items():
            key = f"{side}_{name}"
            result[key] = (1 - weight) * result[key] + weight * value
        beat = np.sin(2 * np.pi * rate * (t - up / 2))
        result[f"{side}_elbow"] = result[f"{side}_elbow"] + weight * swing * beat
        result[f"{side}_out"] = result[f"{side}_out"] + weight * 0.08 * beat
        result["side"] = result["side"] + weight * 0.05 * (1 if side == "left" else -1)
        if hip:
            for name, value in {"out": 0.75, "elbow": 1.7, "spin": -0.7, "flex": -0.35}.items():
                result[f"{other}_{name}"] = np.full(len(t), value)
        return result

    return duration, False, curve, {}


def _sit_down(rng: np.random.Generator) -> _Drawn:
    top, back = rng.uniform(0.235, 0.275), rng.uniform(0.20, 0.25)
    lean, duration = rng.uniform(0.45, 0.75), rng.uniform(1.25, 1.7)
    d, low = duration, top + 0.052 - 0.520
    ease_back = rng.uniform(-0.15, 0.02)
    keys: dict[str, list[tuple[float, float]]] = {
        "y": [(0, 0), (0.15 * d, -0.01), (0.55 * d, 0.6 * low), (0.8 * d, low), (d, low)],
        "z": [(0, 0), (0.15 * d, -0.02), (0.55 * d, -0.72 * back), (0.8 * d, -back), (d, -back)],
        "pitch": [(0, 0), (0.4 * d, 0.5 * lean), (0.78 * d, 0.25 * lean), (d, ease_back)],
        "bend": [(0, 0.03), (0.45 * d, 0.75 * lean), (0.78 * d, 0.5 * lean), (d, 0.1)],
        "nod": [(0, -0.03), (0.45 * d, -0.3 * lean), (d, -0.05)],
    }
    knees = rng.random() < 0.7
    for side in ("left", "right"):
        keys[f"{side}_flex"] = [(0, 0.04), (0.45 * d, 0.55), (d, 0.62 if knees else 0.35)]
        keys[f"{side}_out"] = [(0, 0.13), (0.5 * d, 0.25), (d, 0.12)]
        keys[f"{side}_elbow"] = [(0, 0.25), (0.5 * d, 0.5), (d, 0.75 if knees else 1.1)]
        keys[f"{side}_spin"] = [(0, -0.25), (d, -0.35)]
        wide = rng.uniform(1.0, 1.5) * STANCE * (1 if side == "right" else -1)
        keys[f"{side}_foot_x"] = [(0, wide), (d, wide)]
        keys[f"{side}_foot_z"] = [(0, 0.0), (d, 0.0)]
    return duration, False, _keyed(keys), {"thing": Thing("seat", -back - 0.02, top, 0.26)}


def _fall(rng: np.random.Generator) -> _Drawn:
    d = rng.uniform(1.0, 1.3)
    if rng.random() < 0.5:
        keys: dict[str, list[tuple[float, float]]] = {
            "y": [
                (0, 0),
                (0.3 * d, -0.03),
                (0.55 * d, -0.17),
                (0.82 * d, -0.445),
                (0.9 * d, -0.43),
                (d, -0.445),
            ],
            "z": [(0, 0), (0.3 * d, 0.05), (0.55 * d, 0.19), (0.82 * d, 0.36), (d, 0.37)],
            "pitch": [(0, 0), (0.3 * d, 0.22), (0.6 * d, 0.85), (0.82 * d, 1.5), (d, 1.52)],
            "bend": [(0, 0), (0.35 * d, 0.25), (0.82 * d, -0.05), (d, 0.03)],
            "nod": [(0, 0), (0.5 * d, -0.5), (0.82 * d, -0.6), (0.93 * d, -0.2), (1.1 * d, -0.15)],
        }
        for side in ("left", "right"):
            keys[f"{side}_flex"] = [(0, 0.1), (0.45 * d, 1.5), (0.8 * d, 1.9), (d, 2.3)]
            keys[f"{side}_out"] = [(0, 0.13), (0.4 * d, 0.5), (d, 0.55)]
            keys[f"{side}_elbow"] = [(0, 0.3), (0.4 * d, 0.6), (0.8 * d, 1.1), (d, 1.5)]
            keys[f"{side}_foot_pitch"] = [(0.2 * d, 0), (0.6 * d, -0.9), (0.85 * d, -1.35)]
            keys[f"{side}_foot_y"] = [(0.2 * d, 0), (0.6 * d, 0.07), (0.85 * d, 0.08), (d, 0.08)]
            keys[f"{side}_foot_z"] = [(0.3 * d, 0), (0.85 * d, -0.14)]
    else:
        keys = {
            "y": [
                (0, 0),
                (0.25 * d, -0.03),
                (0.5 * d, -0.25),
                (0.68 * d, -0.45),
                (0.75 * d, -0.44),
                (d, -0.45),
            ],
            "z": [(0, 0), (0.25 * d, -0.07), (0.5 * d, -0.2), (0.7 * d, -0.29), (d, -0.3)],
            "pitch": [(0, 0), (0.3 * d, -0.05), (0.62 * d, -0.5), (0.92 * d, -1.5), (1.05 * d, -1.47)],
            "bend": [(0, 0), (0.3 * d, 0.35), (0.7 * d, 0.5), (d, 0.0)],
            "nod": [(0, 0), (0.7 * d, 0.5), (d, 0.15)],
        }
        for side in ("left", "right"):
            keys[f"{side}_flex"] = [(0, 0), (0.3 * d, 1.2), (0.65 * d, 0.2), (d, 0.3)]
            keys[f"{side}_out"] = [(0, 0.13), (0.3 * d, 0.9), (0.7 * d, 0.8), (d, 1.1)]
            keys[f"{side}_elbow"] = [(0, 0.3), (0.4 * d, 0.8), (d, 0.6)]
            keys[f"{side}_foot_pitch"] = [(0.3 * d, 0), (0.6 * d, 0.5), (d, 0.9)]
            keys[f"{side}_foot_y"] = [(0.4 * d, 0), (0.7 * d, 0.12), (d, 0.01)]
            keys[f"{side}_foot_z"] = [(0.2 * d, 0), (0.6 * d, 0.06), (d, 0.14 if side == "left" else 0.06)]
    turn = rng.uniform(-0.3, 0.3)
    keys["twist"] = [(0, 0), (0.6 * d, turn), (d, 0.5 * turn)]
    return d, False, _keyed(keys), {}


def _kick(rng: np.random.Generator) -> _Drawn:
    leg, support = _sides(rng)
    sign = 1 if leg == "right" else -1
    high, far = rng.uniform(0.16, 0.42), rng.uniform(0.36, 0.46)
    keys: dict[str, list[tuple[float, float]]] = {
        "x": [(0, 0), (0.3, -0.045 * sign), (0.9, -0.045 * sign), (1.3, 0)],
        "y": [(0, 0), (0.3, -0.02), (0.58, -0.005), (0.9, -0.02), (1.3, 0)],
        "z": [(0, 0), (0.35, 0.02), (0.58, 0.03), (1.3, 0)],
        "pitch": [(0.1, 0), (0.33, 0.15), (0.58, -0.35), (0.8, -0.2), (1.2, 0)],
        "bend": [(0.1, 0.03), (0.33, 0.1), (0.58, 0.15), (1.2, 0.03)],
        "twist": [(0.1, 0), (0.33, 0.3 * sign), (0.58, -0.35 * sign), (1.2, 0)],
        "nod": [(0.1, -0.03), (0.58, 0.15), (1.2, -0.03)],
        f"{leg}_foot_z": [(0.08, 0), (0.34, -0.24), (0.47, 0.08), (0.58, far), (0.75, 0.24), (1.1, 0)],
        f"{leg}_foot_y": [(0.08, 0), (0.34, 0.16), (0.46, 0.11), (0.58, high), (0.75, 0.2), (1.1, 0)],
        f"{leg}_foot_pitch": [(0.08, 0), (0.34, -0.8), (0.58, 0.15), (0.8, -0.1), (1.1, 0)],
        f"{leg}_flex": [(0.1, 0.04), (0.34, 0.7), (0.58, -0.6), (1.2, 0.04)],
        f"{support}_flex": [(0.1, 0.04), (0.34, -0.5), (0.58, 1.0), (1.2, 0.04)],
    }
    for side in ("left", "right"):
        keys[f"{side}_out"] = [(0.05, 0.13), (0.4, 0.55), (0.75, 0.5), (1.2, 0.13)]
        keys[f"{side}_elbow"] = [(0.05, 0.25), (0.4, 0.9), (1.2, 0.25)]
    period = 1.45 + rng.uniform(0, 0.2)
    return period, True, lambda t: follow(keys, _cyclic(t, period)), {}


def _punch(rng: np.random.Generator) -> _Drawn:
    lead, rear = _sides(rng)
    sign = 1 if lead == "right" else -1
    beats = [lead, rear] if rng.random() < 0.6 else [lead, lead, rear]
    gap, reach, level = rng.uniform(0.5, 0.62), rng.uniform(0.31, 0.335), rng.uniform(0.06, 0.12)
    period = gap * len(beats)

    def curve(t: np.ndarray) -> Channels:
        time = _cyclic(t, period)
        thrust = {"left": np.zeros(len(t)), "right": np.zeros(len(t))}
        for i, side in enumerate(beats):
            for shift in (-period, 0.0, period):
                local = (time - i * gap - shift) / gap
                out, back = ease((local - 0.18) / 0.28), ease((local - 0.5) / 0.42)
                thrust[side] = thrust[side] + out * (1 - back)
        result = follow({}, t)
        twist = thrust[lead] * 0.25 - thrust[rear] * 0.75
        result["yaw"] = sign * (-0.45 - 0.25 * twist)
        result["twist"] = -sign * 0.55 * twist
        result["look"] = sign * (0.4 + 0.7 * twist)
        result["y"] = -0.035 + 0.008 * np.cos(2 * np.pi * time / gap)
        result["z"] = 0.05 + 0.03 * (thrust[lead] + thrust[rear])
        result["bend"] = result["bend"] + 0.14
        for side in ("left", "right"):
            own = 1 if side == "right" else -1
            push = thrust[side]
            result[f"{side}_goal"] = np.ones(len(t))
            result[f"{side}_goal_x"] = own * (0.075 - 0.04 * push)
            result[f"{side}_goal_y"] = 0.115 + (level - 0.115) * push
            result[f"{side}_goal_z"] = 0.15 + (reach - 0.15) * push
            front = side == lead
            result[f"{side}_foot_z"] = np.full(len(t), 0.15 if front else -0.13)
            result[f"{side}_foot_x"] = np.full(len(t), own * (0.05 if front else 0.09))
            result[f"{side}_foot_yaw"] = np.full(len(t), -sign * (0.15 if front else 0.7))
            lifted = 0.0 if front else 0.35 + 0.35 * thrust[rear]
            result[f"{side}_foot_pitch"] = -lifted + np.zeros(len(t))
            result[f"{side}_foot_y"] = 0.1 * np.sin(lifted) + np.zeros(len(t))
        return result

    return period, True, curve, {"goals_in_chest": True}


def _pick_up(rng: np.random.Generator) -> _Drawn:
    size, d = rng.uniform(0.13, 0.19), rng.uniform(1.5, 1.9)
    ahead, carry = rng.uniform(0.25, 0.29), rng.uniform(0.55, 0.64)
    knees = rng.uniform(0.15, 0.23)
    hold = 0.6 * size
    a, g, b = 0.1 * d, 0.5 * d, 0.95 * d
    keys: dict[str, list[tuple[float, float]]] = {
        "y": [(a, 0), (g, -knees), (g + 0.06, -knees), (b, 0)],
        "z": [(a, 0), (g, -0.09), (g + 0.06, -0.09), (b, -0.02)],
        "pitch": [(a, 0), (g, 0.75), (g + 0.06, 0.75), (b, -0.03)],
        "bend": [(a, 0.03), (g, 0.75), (g + 0.06, 0.75), (b, -0.04)],
        "nod": [(a, 0.05), (0.35 * d, 0.25), (g, -0.2), (b, 0.15)],
    }
    for side, sign in (("left", -1), ("right", 1)):
        keys[f"{side}_goal"] = [(a, 0), (g - 0.08, 1), (b, 1)]
        keys[f"{side}_goal_x"] = [(a, sign * 0.13), (g - 0.08, sign * (0.5 * size + 0.01))]
        keys[f"{side}_goal_y"] = [(0.3 * d, hold), (g, hold), (b, carry)]
        keys[f"{side}_goal_z"] = [(0.3 * d, ahead), (g, ahead), (0.72 * d, 0.25), (b, 0.19)]
        keys[f"{side}_foot_x"] = [(0, sign * 0.085), (d, sign * 0.085)]
    return d, False, _keyed(keys), {"thing": Thing("load", ahead, size, size, g)}


def _clap(rng: np.random.Generator) -> _Drawn:
    rate, wide = rng.uniform(1.7, 2.6), rng.uniform(0.09, 0.14)
    level, ahead = rng.uniform(-0.05, 0.04), rng.uniform(0.17, 0.21)

    def curve(t: np.ndarray) -> Channels:
        result = follow({}, t)
        # The hands meet faster than they part.
        phase = 2 * np.pi * rate * t
        apart = (0.5 - 0.5 * np.cos(phase + 0.45 * np.sin(phase))) ** 0.8
        for side, sign in (("left", -1), ("right", 1)):
            result[f"{side}_goal"] = np.ones(len(t))
            result[f"{side}_goal_x"] = sign * (0.050 + wide * apart)
            result[f"{side}_goal_y"] = level + 0.02 * apart + (0.02 if sign > 0 else -0.01)
            result[f"{side}_goal_z"] = ahead - 0.02 * apart
        result["bend"] = result["bend"] + 0.015 * apart
        return result

    return 1 / rate, True, curve, {"goals_in_chest": True}


_DRAW: dict[str, Callable[[np.random.Generator], _Drawn]] = {
    "walk": gaits.draw_walk,
    "run": gaits.draw_run,
    "turn": gaits.draw_turn,
    "jump": _jump,
    "wave": _wave,
    "sit_down": _sit_down,
    "fall": _fall,
    "kick": _kick,
    "punch": _punch,
    "pick_up": _pick_up,
    "clap": _clap,
}
