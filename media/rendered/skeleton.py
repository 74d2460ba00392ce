"""From motion channels to joints in space: a jointed figure with planted feet.

A pose is a set of *channels* (see CHANNELS), each a number over time. Feet are given by where they stand and
the legs follow by two-bone inverse kinematics, so a planted foot does not slide; arms follow joint angles, or
reach for goals.

World axes, in metres: x to the right of the picture, y up, z away from the camera. A figure with heading 0
looks along +z (away from the camera) and has its right hand at +x. Everything is computed for all T instants
at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

JOINTS: tuple[str, ...] = (
    "head",
    "neck",
    "chest",
    "pelvis",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_toe",
    "right_toe",
)
"""The joints, in the order of every joints array."""

INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINTS)}

_SIDE = ("foot_x", "foot_y", "foot_z", "foot_pitch", "foot_yaw", "flex", "out", "spin", "elbow")
_GOAL = ("goal_x", "goal_y", "goal_z", "goal")
CHANNELS: tuple[str, ...] = (
    "x",
    "y",
    "z",
    "yaw",
    "pitch",
    "roll",
    "bend",
    "side",
    "twist",
    "nod",
    "look",
    *(f"{side}_{name}" for side in ("left", "right") for name in _SIDE + _GOAL),
)
"""The channels of a motion. Lengths are in units of the body's height, angles in radians.

`x y z`: pelvis in the clip's frame (right, up, forward at the start), y relative to standing. `yaw pitch
roll`: pelvis, positive to the right, forward, to the right. `bend side twist`: chest relative to the pelvis.
`nod look`: head relative to the chest. Per side: `foot_x foot_y foot_z`: ankle in the clip's frame relative
to the floor under the pelvis and to the ankle's height when standing; `foot_pitch`: toes up; `foot_yaw`:
relative to the pelvis's yaw at rest. `flex out spin elbow`: shoulder forward, sideways, turned outwards,
elbow. `goal_x goal_y goal_z`: a place for the wrist (in the clip's frame, or in the chest's), reached with
weight `goal` (0..1).
"""

HIP_HEIGHT = 0.520
ANKLE_HEIGHT = 0.042
STANCE = 0.058
_THIGH, _SHIN, _FOOT = 0.245, 0.243, 0.105
_SPINE, _CHEST, _NECK, _HEAD = 0.120, 0.198, 0.028, 0.078
_UPPER_ARM, _FOREARM = 0.172, 0.150
_SHOULDER, _HIP = 0.112, 0.050

Frame3 = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Right, up and forward, each (T, 3) and of length 1."""


@dataclass(frozen=True, eq=False)
class Posture:
    """Where a figure's joints are over time."""

    joints: np.ndarray
    """(T, len(JOINTS), 3) metres in the world."""
    pelvis: Frame3
    chest: Frame3
    head: Frame3
    feet: tuple[Frame3, Frame3]
    """Left, right."""


def _pitched(frame: Frame3, angle: np.ndarray) -> Frame3:
    right, up, forward = frame
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return right, c * up + s * forward, c * forward - s * up


def _rolled(frame: Frame3, angle: np.ndarray) -> Frame3:
    right, up, forward = frame
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return c * right - s * up, c * up + s * right, forward


def _yawed(frame: Frame3, angle: np.ndarray) -> Frame3:
    right, up, forward = frame
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return c * right - s * forward, up, c * forward + s * right


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def _two_bones(
    start: np.ndarray, goal: np.ndarray, first: float, second: float, pole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bend a limb of two bones from `start` towards `goal` (T, 3); return its middle joint and where it ends.

    The limb never quite straightens (a knee that snaps straight is seen as a jerk): the last 4 % of reach are
    spread over all that lies beyond.
    """
    reach = first + second
    span = goal - start
    distance = np.linalg.norm(span, axis=1, keepdims=True)
    along = span / np.maximum(distance, 1e-9)
    ratio = distance / reach
    ratio = np.where(ratio < 0.95, ratio, 0.95 + 0.045 * (1 - np.exp(-(ratio - 0.95) / 0.045)))
    distance = np.maximum(ratio * reach, abs(first - second) + 1e-3)
    sideways = _unit(pole - np.sum(pole * along, axis=1, keepdims=True) * along)
    cosine = np.clip((first**2 + distance**2 - second**2) / (2 * first * distance), -1, 1)
    middle = start + first * (cosine * along + np.sqrt(1 - cosine**2) * sideways)
    return middle, start + along * distance


def solve(
    channels: dict[str, np.ndarray],
    height: float,
    heading: float,
    origin: tuple[float, float],
    goals_in_chest: bool,
) -> Posture:
    """Pose a body of `height` metres at floor position `origin` (x, z), facing `heading` radians.

    Args:
        channels: every channel of CHANNELS as an array (T,).
        goals_in_chest: hand goals are given in the chest's frame (from its centre) instead of the clip's.
    """
    count = len(channels["x"])
    base: Frame3 = (
        np.tile([np.cos(heading), 0.0, -np.sin(heading)], (count, 1)),
        np.tile([0.0, 1.0, 0.0], (count, 1)),
        np.tile([np.sin(heading), 0.0, np.cos(heading)], (count, 1)),
    )
    floor = np.array([origin[0], 0.0, origin[1]])

    def place(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return floor + height * (x[:, None] * base[0] + y[:, None] * base[1] + z[:, None] * base[2])

    joints = np.empty((count, len(JOINTS), 3))
    root = place(channels["x"], channels["y"] + HIP_HEIGHT, channels["z"])
    heading_frame = _yawed(base, channels["yaw"])
    pelvis = _rolled(_pitched(heading_frame, channels["pitch"]), channels["roll"])
    # The trunk bends half in the lower back and half higher up, so that it curves instead of folding.
    bend, side, twist = channels["bend"], channels["side"], channels["twist"]
    waist = _yawed(_rolled(_pitched(pelvis, bend * 0.5), side * 0.5), twist * 0.5)
    chest = _yawed(_rolled(_pitched(waist, bend * 0.5), side * 0.5), twist * 0.5)
    middle = root + height * _SPINE * waist[1]
    neck = middle + height * _CHEST * chest[1]
    head = _yawed(_pitched(chest, channels["nod"]), channels["look"])
    joints[:, INDEX["pelvis"]] = root
    joints[:, INDEX["chest"]] = middle
    joints[:, INDEX["neck"]] = neck
    joints[:, INDEX["head"]] = neck + height * (_NECK * chest[1] + _HEAD * head[1])

    feet: list[Frame3] = []
    for name, sign in (("left", -1.0), ("right", 1.0)):
        hip = root + height * (sign * _HIP * pelvis[0] - 0.005 * pelvis[1])
        ankle = place(
            channels[f"{name}_foot_x"],
            channels[f"{name}_foot_y"] + ANKLE_HEIGHT,
            channels[f"{name}_foot_z"],
        )
        foot = _pitched(_yawed(base, channels[f"{name}_foot_yaw"]), -channels[f"{name}_foot_pitch"])
        pole = pelvis[2] + 0.6 * foot[2] + 0.12 * sign * pelvis[0]
        knee, ankle = _two_bones(hip, ankle, height * _THIGH, height * _SHIN, pole)
        joints[:, INDEX[f"{name}_hip"]] = hip
        joints[:, INDEX[f"{name}_knee"]] = knee
        joints[:, INDEX[f"{name}_ankle"]] = ankle
        joints[:, INDEX[f"{name}_toe"]] = ankle + height * (_FOOT * foot[2] - 0.026 * foot[1])
        feet.append(foot)

        shoulder = neck + height * (sign * _SHOULDER * chest[0] - 0.022 * chest[1])
        elbow, wrist = _arm(channels, name, sign, shoulder, chest, height)
        weight = channels[f"{name}_goal"][:, None]
        if np.any(weight > 0):
            gx, gy, gz = (channels[f"{name}_goal_{axis}"] for axis in "xyz")
            if goals_in_chest:
                centre = middle + height * 0.5 * _CHEST * chest[1]
                goal = centre + height * sum(g[:, None] * axis for g, axis in zip((gx, gy, gz), chest))
            else:
                goal = place(gx, gy, gz)
            wrist = (1 - weight) * wrist + weight * goal
            # Elbows hang down and out when the hand goes for something in front of the body.
            hanging = 0.5 * sign * chest[0] - 0.8 * base[1] - 0.3 * chest[2]
            pole = (1 - weight) * _unit(elbow - shoulder) + weight * hanging
            elbow, wrist = _two_bones(shoulder, wrist, height * _UPPER_ARM, height * _FOREARM, pole)
        # Hands and elbows that would sink into the floor rest on it; the nearer, the more the elbow turns up.
        gap = np.minimum(wrist[:, 1], elbow[:, 1]) / height - 0.024
        near = gap < 0.04
        if np.any(near):
            share = np.clip((0.04 - gap[near]) / 0.06, 0, 1)[:, None]
            resting = wrist[near]
            resting[:, 1] = np.maximum(resting[:, 1], 0.022 * height)
            bent = _unit(elbow[near] - 0.5 * (shoulder[near] + wrist[near]))
            pole = (1 - share) * bent + share * (base[1][near] + 0.4 * sign * chest[0][near])
            elbow[near], wrist[near] = _two_bones(
                shoulder[near], resting, height * _UPPER_ARM, height * _FOREARM, pole
            )
        joints[:, INDEX[f"{name}_shoulder"]] = shoulder
        joints[:, INDEX[f"{name}_elbow"]] = elbow
        joints[:, INDEX[f"{name}_wrist"]] = wrist
    return Posture(joints, pelvis, chest, head, (feet[0], feet[1]))


def _arm(
    channels: dict[str, np.ndarray],
    name: str,
    sign: float,
    shoulder: np.ndarray,
    chest: Frame3,
    height: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Elbow and wrist (T, 3) from the joint angles of one arm."""
    out, flex = channels[f"{name}_out"], channels[f"{name}_flex"]
    spin, elbow = channels[f"{name}_spin"], channels[f"{name}_elbow"]
    outward = sign * chest[0]
    c, s = np.cos(out)[:, None], np.sin(out)[:, None]
    along, normal, bending = -c * chest[1] + s * outward, c * outward + s * chest[1], chest[2]
    c, s = np.cos(flex)[:, None], np.sin(flex)[:, None]

    def swing(v: np.ndarray) -> np.ndarray:
        up = np.sum(v * chest[1], axis=1, keepdims=True)
        ahead = np.sum(v * chest[2], axis=1, keepdims=True)
        return v + (c * up + s * ahead - up) * chest[1] + (c * ahead - s * up - ahead) * chest[2]

    along, normal, bending = swing(along), swing(normal), swing(bending)
    toward = np.cos(spin)[:, None] * bending + np.sin(spin)[:, None] * normal
    elbow_at = shoulder + height * _UPPER_ARM * along
    forearm = np.cos(elbow)[:, None] * along + np.sin(elbow)[:, None] * toward
    return elbow_at, elbow_at + height * _FOREARM * forearm
