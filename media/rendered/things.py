"""Things made of solids: seats, loads, and what moves through the background."""

from __future__ import annotations

import numpy as np
from t4vcodec.media.rendered import fabrics
from t4vcodec.media.rendered.actions import Thing
from t4vcodec.media.rendered.skeleton import INDEX, Posture
from t4vcodec.media.rendered.solids import Solids
from t4vcodec.media.rendered.textures import Noise, hsv

Rng = np.random.Generator


def _axes(heading: float, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = (
        [np.cos(heading), 0.0, -np.sin(heading)],
        [0.0, 1.0, 0.0],
        [np.sin(heading), 0.0, np.cos(heading)],
    )
    return tuple(np.tile(row, (count, 1)) for row in rows)  # type: ignore[return-value]


def add_seat(
    solids: Solids,
    thing: Thing,
    height: float,
    heading: float,
    origin: tuple[float, float],
    count: int,
    noise: Noise,
    rng: Rng,
) -> None:
    """Stand the chair, stool or bench of a sitting action behind the figure."""
    right, up, ahead = _axes(heading, count)
    wood = solids.material(solids.texture(fabrics.wood(noise, rng)), 1.0, 1.0, gloss=0.05)
    cover = solids.texture(
        fabrics.cloth(
            "plain", hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.8)), np.ones(3), noise, rng
        )
    )
    cushion = solids.material(cover, 1.0, 1.0)
    top, half = thing.top * height, 0.5 * thing.width * height
    middle = np.array([origin[0], 0.0, origin[1]]) + thing.z * height * ahead
    kind = str(rng.choice(["chair", "chair", "stool", "bench", "block"]))
    wide = half * (2.4 if kind == "bench" else 1.0)
    if kind == "block":
        solids.box(middle + 0.5 * top * up, (right, up, ahead), (half * 1.1, 0.5 * top, half), cushion, 2)
        return
    solids.box(
        middle + (top - 0.025) * up,
        (right, up, ahead),
        (wide, 0.025, half),
        cushion if kind == "chair" else wood,
        2,
    )
    for sx in (-1, 1):
        for sz in (-1, 1):
            foot = middle + sx * (wide - 0.03) * right + sz * (half - 0.03) * ahead
            solids.cone(foot + 0.01 * up, foot + (top - 0.04) * up, (0.014, 0.02), ahead, wood, 2)
    if kind == "chair":
        for sx in (-1, 1):
            post = middle + sx * (half - 0.03) * right - (half - 0.02) * ahead
            solids.cone(
                post + (top - 0.03) * up,
                post + (top + 0.44) * up - 0.04 * ahead,
                (0.018, 0.015),
                ahead,
                wood,
                2,
            )
        back = middle - (half + 0.01) * ahead + (top + 0.32) * up
        solids.box(back, (right, up, ahead), (half - 0.02, 0.11, 0.012), cushion, 2)


def add_load(
    solids: Solids,
    thing: Thing,
    posture: Posture,
    held: np.ndarray,
    grip: np.ndarray,
    height: float,
    heading: float,
    origin: tuple[float, float],
    noise: Noise,
    rng: Rng,
) -> None:
    """Put the box or ball of a lifting action on the floor; from the grasp on it goes with the hands.

    `held` (T,) says when, `grip` (3,) is the middle between the wrists at the grasp.
    """
    right, up, ahead = _axes(heading, len(held))
    size = 0.5 * thing.width * height
    rest = np.array([origin[0], 0.0, origin[1]]) + thing.z * height * ahead + size * up
    hands = 0.5 * (posture.joints[:, INDEX["left_wrist"]] + posture.joints[:, INDEX["right_wrist"]])
    at = np.where(held[:, None], rest + hands - grip, rest)
    if rng.random() < 0.7:
        surface = solids.material(solids.texture(fabrics.carton(noise, rng)), 1.0, 1.0)
        solids.box(at, (right, up, ahead), (size, size, size * rng.uniform(0.7, 1.0)), surface, 2)
    else:
        surface = solids.material(solids.texture(fabrics.ball(noise, rng)), 1.0, 0.5, gloss=0.15)
        solids.ellipsoid(at, (right, up, ahead), (size, size, size), surface, 2)


def rolling_ball(t: np.ndarray, z: float, noise: Noise, rng: Rng) -> Solids:
    """A ball that rolls through the background at depth `z`."""
    solids = Solids()
    size, speed = rng.uniform(0.11, 0.16), rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.8)
    x = rng.uniform(-1.0, 1.0) + speed * (t - t.mean())
    zeros = np.zeros(len(t))
    turn = x / size
    axes = (
        np.stack([np.cos(turn), -np.sin(turn), zeros], axis=1),
        np.stack([np.sin(turn), np.cos(turn), zeros], axis=1),
        np.tile([0.0, 0.0, 1.0], (len(t), 1)),
    )
    surface = solids.material(solids.texture(fabrics.ball(noise, rng)), 1.0, 0.5, gloss=0.2)
    solids.ellipsoid(np.stack([x, zeros + size, zeros + z], axis=1), axes, (size, size, size), surface, 3)
    return solids
