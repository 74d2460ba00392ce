"""Bodies: from a posture to solids with skin, hair and clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from t4vcodec.media.rendered import fabrics
from t4vcodec.media.rendered.pools import Pool
from t4vcodec.media.rendered.skeleton import INDEX, Posture
from t4vcodec.media.rendered.solids import Solids
from t4vcodec.media.rendered.textures import Noise, hsv

_SKINS = ((0.93, 0.78, 0.68), (0.87, 0.70, 0.58), (0.78, 0.60, 0.47), (0.62, 0.45, 0.35), (0.45, 0.32, 0.25))
_HAIRS = ((0.10, 0.08, 0.07), (0.22, 0.15, 0.10), (0.38, 0.26, 0.16), (0.68, 0.55, 0.36), (0.55, 0.54, 0.52))


@dataclass(frozen=True)
class Body:
    """What does not change while a figure moves."""

    height: float
    """Metres."""
    build: float
    shoulders: float
    """1 = average; wide shoulders go with narrow hips."""
    hair: str
    """"short", "long", "bun", "cap" or "bald"."""
    sleeves: str
    """"short" or "long"."""
    legs: str
    """"shorts" or "trousers"."""


def draw_body(pool: Pool, rng: np.random.Generator) -> Body:
    """Draw a body and the cut of its clothes."""
    return Body(
        height=rng.uniform(*pool.height),
        build=rng.uniform(*pool.build),
        shoulders=rng.uniform(0.92, 1.08),
        hair=str(rng.choice(["short", "short", "long", "bun", "cap", "bald"])),
        sleeves=str(rng.choice(["short", "long"])),
        legs=str(rng.choice(["trousers", "trousers", "shorts"])),
    )


def dress(
    solids: Solids,
    body: Body,
    posture: Posture,
    pool: Pool,
    noise: Noise,
    rng: np.random.Generator,
    owner: int,
) -> None:
    """Add the solids of a body in `posture` to `solids`."""
    s = solids
    h, b = body.height, body.height * body.build

    def at(name: str) -> np.ndarray:
        return posture.joints[:, INDEX[name]]

    def colour(bright: tuple[float, float], rich: tuple[float, float] = (0.1, 0.7)) -> np.ndarray:
        low, high = pool.hues[rng.integers(len(pool.hues))]
        # Violet and pink cloth is seldom as deep as blue or red.
        depth = 0.55 if low > 0.65 else 1.0
        return hsv(rng.uniform(low, high), depth * rng.uniform(*rich), rng.uniform(*bright))

    tone = np.array(_SKINS[rng.integers(len(_SKINS))], np.float32) * rng.uniform(0.94, 1.04)
    hair_tone = np.array(_HAIRS[rng.integers(len(_HAIRS))], np.float32)
    top, second = colour((0.35, 0.9)), colour((0.15, 0.95))
    if np.abs(top - second).max() < 0.3:
        second = np.clip(1.05 - top, 0.05, 0.95)
    bottom = colour((0.16, 0.5), (0.05, 0.4))
    patterns = pool.fabrics
    upper_pattern = patterns[rng.integers(len(patterns))]
    emblem = upper_pattern in ("print", "badge", "number")
    shirt_picture = s.texture(fabrics.cloth(upper_pattern, top, second, noise, rng))
    plain_top = s.texture(fabrics.cloth("plain", top, second, noise, rng)) if emblem else shirt_picture
    lower = "denim" if "denim" in patterns and rng.random() < 0.5 else "plain"
    legs_picture = s.texture(fabrics.cloth(lower, bottom, np.clip(bottom * 1.35 + 0.04, 0, 1), noise, rng))
    skin_picture = s.texture(fabrics.skin(tone, noise))
    face_picture = s.texture(fabrics.face(tone, hair_tone, noise, rng))
    hair_picture = s.texture(fabrics.hair(hair_tone, noise))

    # Cloth repeats around a trunk of about a metre and along it at the same scale.
    shirt = s.material(shirt_picture, 1.0, 1.6 / h * 1.2, 0.1)
    shirt_low = s.material(plain_top, 1.0, 1.6 / h * 1.2, 0.35)
    sleeve = s.material(plain_top, 1.0, 2.2 / h, 0.0)
    legs = s.material(legs_picture, 1.0, 1.6 / h, 0.0)
    skin = s.material(skin_picture, 1.0, 1.0, 0.0, gloss=0.03)
    face = s.material(face_picture, 1.0, -0.5, 0.5, gloss=0.03)
    hair = s.material(hair_picture, 2.0, 0.5, 0.0, gloss=0.06)
    shoe_tone = tuple(float(v) ** 2 for v in colour((0.08, 0.85), (0.0, 0.3)))
    shoe = s.material(
        skin_picture, 1.0, 1.0, 0.0, tint=tuple(v / max(float(t) ** 2, 0.05) for v, t in zip(shoe_tone, tone))
    )

    pelvis, chest = posture.pelvis, posture.chest
    root, middle, neck = at("pelvis"), at("chest"), at("neck")
    wide = body.shoulders
    # Trunk, from the seat up. The chest is drawn from its top down so that prints stand upright.
    s.cone(
        root + 0.025 * h * pelvis[1],
        root - 0.022 * h * pelvis[1],
        (0.056 * b, 0.056 * b),
        pelvis[2],
        legs,
        owner,
        (1.36 / wide, 1.04),
    )
    s.cone(
        middle + 0.02 * h * chest[1],
        root + 0.004 * h * pelvis[1],
        (0.057 * b, 0.060 * b),
        pelvis[2],
        shirt_low,
        owner,
        (1.40, 1.03),
    )
    s.cone(
        neck - 0.052 * h * chest[1] - 0.006 * h * chest[2],
        middle,
        (0.060 * b, 0.057 * b),
        chest[2],
        shirt,
        owner,
        (1.48 * wide, 1.0),
    )
    for side in ("left", "right"):
        # Shoulder yoke: from beside the neck to the shoulder.
        start = (
            neck
            + 0.012 * h * chest[1]
            + (0.02 * h if side == "right" else -0.02 * h) * chest[0]
            - 0.012 * h * chest[1]
        )
        s.cone(start, at(f"{side}_shoulder"), (0.031 * b, 0.034 * b), chest[2], sleeve, owner, (1.0, 1.15))
    s.cone(
        neck - 0.01 * h * chest[1],
        at("head") - 0.035 * h * posture.head[1],
        (0.035 * b, 0.031 * b),
        chest[2],
        skin,
        owner,
    )
    _head(s, body, posture, owner, face, skin, hair, shirt_low)

    for i, side in enumerate(("left", "right")):
        _arm(s, body, posture, side, owner, sleeve, skin)
        hip, knee, ankle, toe = (at(f"{side}_{name}") for name in ("hip", "knee", "ankle", "toe"))
        ahead = pelvis[2] + 0.3 * posture.feet[i][2]
        loose = 1.0 if body.legs == "trousers" else 1.08
        s.cone(hip, knee, (0.051 * b * loose, 0.036 * b * loose), ahead, legs, owner, (1.0, 1.05))
        calf = knee + 0.3 * (ankle - knee) - 0.012 * h * _backwards(knee, ankle, posture.feet[i][2])
        long = body.legs == "trousers"
        surface = legs if long else skin
        s.cone(knee, ankle, (0.034 * b, 0.029 * b if long else 0.019 * b), ahead, surface, owner)
        s.cone(calf, calf + 0.4 * (ankle - knee), (0.031 * b, 0.022 * b), ahead, surface, owner)
        foot = posture.feet[i]
        heel = ankle - 0.024 * h * foot[2] - 0.016 * h * foot[1]
        s.cone(heel, toe - 0.01 * h * foot[2], (0.024 * b, 0.021 * b), foot[1], shoe, owner, (1.05, 0.95))
        s.cone(
            toe - 0.012 * h * foot[2],
            toe + 0.025 * h * foot[2] - 0.002 * h * foot[1],
            (0.023 * b, 0.017 * b),
            foot[1],
            shoe,
            owner,
            (1.1, 0.85),
        )
        s.cone(
            ankle + 0.02 * h * foot[1],
            ankle - 0.015 * h * foot[1],
            (0.024 * b, 0.027 * b),
            foot[2],
            shoe,
            owner,
        )


def _backwards(knee: np.ndarray, ankle: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Unit vectors (T, 3) square to the shin, towards its front."""
    shin = (ankle - knee) / np.maximum(np.linalg.norm(ankle - knee, axis=1, keepdims=True), 1e-6)
    square = ahead - np.sum(ahead * shin, axis=1, keepdims=True) * shin
    return square / np.maximum(np.linalg.norm(square, axis=1, keepdims=True), 1e-6)


def _head(
    s: Solids, body: Body, posture: Posture, owner: int, face: int, skin: int, hair: int, cap: int
) -> None:
    right, up, ahead = posture.head
    head, h = posture.joints[:, INDEX["head"]], body.height
    s.ellipsoid(head, (right, up, ahead), (0.046 * h, 0.068 * h, 0.056 * h), face, owner)
    nose = head + 0.051 * h * ahead - 0.004 * h * up
    s.cone(nose, nose - 0.014 * h * up + 0.007 * h * ahead, (0.004 * h, 0.0075 * h), ahead, skin, owner)
    for sign in (-1, 1):
        s.ellipsoid(
            head + sign * 0.043 * h * right - 0.004 * h * up,
            (right, up, ahead),
            (0.006 * h, 0.016 * h, 0.010 * h),
            skin,
            owner,
        )
    if body.hair == "bald":
        return
    if body.hair == "cap":
        s.ellipsoid(
            head + 0.018 * h * up - 0.004 * h * ahead,
            (right, up, ahead),
            (0.049 * h, 0.056 * h, 0.058 * h),
            cap,
            owner,
        )
        s.ellipsoid(
            head + 0.032 * h * up + 0.055 * h * ahead,
            (right, up, ahead),
            (0.036 * h, 0.005 * h, 0.036 * h),
            cap,
            owner,
        )
        return
    s.ellipsoid(
        head + 0.013 * h * up - 0.010 * h * ahead,
        (right, up, ahead),
        (0.051 * h, 0.064 * h, 0.057 * h),
        hair,
        owner,
    )
    if body.hair == "long":
        back = head - 0.028 * h * ahead + 0.01 * h * up
        down = 0.12 * h * (0.7 * up + 0.3 * posture.chest[1])
        s.cone(back, back - down - 0.008 * h * ahead, (0.045 * h, 0.032 * h), ahead, hair, owner, (1.05, 0.7))
    elif body.hair == "bun":
        s.ellipsoid(
            head + 0.035 * h * up - 0.058 * h * ahead,
            (right, up, ahead),
            (0.024 * h, 0.022 * h, 0.022 * h),
            hair,
            owner,
        )


def _arm(s: Solids, body: Body, posture: Posture, side: str, owner: int, sleeve: int, skin: int) -> None:
    h, b = body.height, body.height * body.build
    shoulder, elbow, wrist = (
        posture.joints[:, INDEX[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist")
    )
    ahead = posture.chest[2]
    short = body.sleeves == "short"
    if short:
        s.cone(shoulder, shoulder + 0.58 * (elbow - shoulder), (0.035 * b, 0.033 * b), ahead, sleeve, owner)
        s.cone(shoulder, elbow, (0.028 * b, 0.022 * b), ahead, skin, owner)
        s.cone(elbow, wrist, (0.0225 * b, 0.015 * b), ahead, skin, owner)
    else:
        s.cone(shoulder, elbow, (0.034 * b, 0.027 * b), ahead, sleeve, owner)
        s.cone(elbow, wrist, (0.027 * b, 0.021 * b), ahead, sleeve, owner)
    along = (wrist - elbow) / np.maximum(np.linalg.norm(wrist - elbow, axis=1, keepdims=True), 1e-6)
    inward = posture.chest[0] * (-1 if side == "right" else 1)
    palm = wrist + 0.034 * h * along
    s.cone(wrist, palm, (0.0145 * b, 0.0185 * b), inward, skin, owner, (1.0, 0.7))
    curl = palm + 0.034 * h * along + 0.010 * h * inward
    s.cone(palm, curl, (0.017 * b, 0.010 * b), inward, skin, owner, (1.15, 0.75))
    thumb = wrist + 0.020 * h * along + 0.012 * h * ahead
    s.cone(
        thumb,
        thumb + 0.026 * h * along + 0.012 * h * ahead + 0.006 * h * inward,
        (0.008 * b, 0.006 * b),
        inward,
        skin,
        owner,
    )
