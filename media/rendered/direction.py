"""Staging: draws everything that one clip needs, from body to light, before the first frame is rendered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from t4vcodec.media.rendered import sites, things
from t4vcodec.media.rendered.actions import Motion, draw_motion
from t4vcodec.media.rendered.camera import Shot, shoot
from t4vcodec.media.rendered.figure import Body, draw_body, dress
from t4vcodec.media.rendered.keyframes import alive
from t4vcodec.media.rendered.names import generator
from t4vcodec.media.rendered.places import Place
from t4vcodec.media.rendered.pools import POOLS, Pool
from t4vcodec.media.rendered.skeleton import INDEX, Posture, solve
from t4vcodec.media.rendered.solids import Packed, Solids
from t4vcodec.media.rendered.textures import Noise

PASSES = 5
"""Instants per frame at which figures are drawn; row PASSES of each frame is the middle of the exposure."""

_FACING = {
    "walk": (0.5 * np.pi, 0.7),
    "run": (0.5 * np.pi, 0.4),
    "fall": (0.5 * np.pi, 0.9),
    "kick": (0.5 * np.pi, 0.9),
}
"""Middle and spread of headings (and mirrored to the other side); the rest faces the camera more or less."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A staged clip: all that rendering needs."""

    figure: Packed
    """The acting figure and what it uses."""
    other: Packed | None
    other_z: float
    posture: Posture
    place: Place
    times: np.ndarray
    """(T,) seconds."""
    shot: Shot
    body: Body
    noise_level: float
    """Deviation of the sensor's noise in luma steps."""


def instants(frames: int, fps: float, shutter: float) -> np.ndarray:
    """Times (frames * (PASSES + 1),) in seconds: per frame the passes over the exposure, then its middle."""
    inside = np.append((np.arange(PASSES) + 0.5) / PASSES - 0.5, 0.0) * shutter
    return ((np.arange(frames)[:, None] + inside[None, :]) / fps).ravel()


def stage(action: str, seed: int, split: str, size: tuple[int, int], fps: float, frames: int) -> Scene:
    """Draw a clip; `size` is (width, height)."""
    pool = POOLS[split]

    def draw(purpose: str) -> np.random.Generator:
        return generator(split, action, seed, purpose)

    rng = draw("motion")
    motion = draw_motion(action, rng, rng.uniform(*pool.tempo))
    heading = _heading(action, pool, draw("direction"))
    body = draw_body(pool, draw("body"))
    shutter = draw("shutter").uniform(0.25, 0.6)
    t = instants(frames, fps, shutter)
    timed = t - _beginning(motion, frames / fps, draw("timing"))

    # One more instant at the end: the grasp, where a load is taken over by the hands.
    grasp = motion.thing.grasp if motion.thing is not None else 0.0
    asked = np.append(timed, motion.duration - grasp if motion.backwards else grasp)
    sway = draw("sway")
    channels = alive(motion.channels(asked), asked, sway)
    posture = solve(channels, body.height, heading, (0.0, 0.0), motion.goals_in_chest)
    pelvis = posture.joints[:-1, INDEX["pelvis"]]
    origin = (
        -0.5 * float(pelvis[:, 0].min() + pelvis[:, 0].max()),
        -0.5 * float(pelvis[:, 2].min() + pelvis[:, 2].max()),
    )
    posture = solve(channels, body.height, heading, origin, motion.goals_in_chest)
    wrists = posture.joints[-1, [INDEX["left_wrist"], INDEX["right_wrist"]]]
    posture = _shortened(posture)

    noise = Noise(draw("noise"))
    solids = Solids()
    clothes = draw("clothes")
    dress(solids, body, posture, pool, noise, clothes, 1)
    thing = motion.thing
    if thing is not None:
        stand = (body.height, heading, origin)
        if thing.kind == "seat":
            things.add_seat(solids, thing, *stand, len(t), noise, clothes)
        else:
            held = motion.own_time(timed) >= thing.grasp
            things.add_load(solids, thing, posture, held, wrists.mean(axis=0), *stand, noise, clothes)

    z = posture.joints[:, :, 2]
    clear = (float(z.min()) - 0.35, float(z.max()) + 0.35)
    rng = draw("others")
    kind = str(rng.choice(["none", "none", "none", "figure", "figure", "ball", "car"]))
    place_name = pool.places[int(draw("place name").integers(len(pool.places)))]
    room = {"none": 0.0, "figure": 1.2, "ball": 0.6, "car": 2.0}[kind]
    aside = float(np.abs(posture.joints[:, :, 0]).max())
    scale = max(1.0, max(size) / 352)
    place = sites.build(place_name, draw("place"), scale, (clear[0], clear[1] + room), aside, kind == "car")
    other_z = clear[1] + 0.5 * room
    other = _other(kind, t, other_z, pool, noise, rng)

    path = posture.joints[:, INDEX["pelvis"]][:, [0, 2]]
    shot = shoot(t, path, body.height, size, draw("camera"))
    return Scene(
        solids.packed(),
        None if other is None else other.packed(),
        other_z,
        posture,
        place,
        t,
        shot,
        body,
        float(draw("sensor").uniform(0.7, 2.0)),
    )


def _heading(action: str, pool: Pool, rng: np.random.Generator) -> float:
    centre, spread = _FACING.get(action, (np.pi, 1.1))
    if action in _FACING and rng.random() < 0.5:
        centre = -centre
    return pool.heading(rng, centre, spread)


def _beginning(motion: Motion, length: float, rng: np.random.Generator) -> float:
    """When in the clip the action begins, in seconds: single actions are about in the middle of the clip."""
    if motion.periodic:
        return -float(rng.uniform(0, motion.duration))
    slack = 0.5 * max(0.0, length - motion.duration) + 0.1
    return 0.5 * (length - motion.duration) + float(rng.uniform(-0.8, 0.8)) * slack


def _shortened(posture: Posture) -> Posture:
    """All but the last instant."""

    def cut(axes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        return tuple(axis[:-1] for axis in axes)

    return Posture(
        posture.joints[:-1],
        cut(posture.pelvis),
        cut(posture.chest),
        cut(posture.head),
        (cut(posture.feet[0]), cut(posture.feet[1])),
    )


def _other(
    kind: str, t: np.ndarray, z: float, pool: Pool, noise: Noise, rng: np.random.Generator
) -> Solids | None:
    """A second mover made of solids in the background, or None."""
    if kind in ("none", "car"):
        return None
    if kind == "ball":
        return things.rolling_ball(t, z, noise, rng)
    motion = draw_motion("walk", rng, rng.uniform(*pool.tempo))
    body = draw_body(pool, rng)
    heading = pool.heading(rng, float(rng.choice([-0.5, 0.5])) * np.pi, 0.1)
    channels = alive(motion.channels(t), t, rng)
    middle = float(channels["z"].mean()) * body.height
    x = rng.uniform(-1.2, 1.2) - middle * np.sin(heading)
    posture = solve(channels, body.height, heading, (x, z - middle * np.cos(heading)), False)
    solids = Solids()
    dress(solids, body, posture, pool, noise, rng, 3)
    return solids
