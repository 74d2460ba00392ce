"""The places by name, each drawn differently for every clip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from t4vcodec.media.rendered import props, surfaces
from t4vcodec.media.rendered.places import Place, Stage
from t4vcodec.media.rendered.textures import Noise, hsv, paint_hue


def build(
    name: str, rng: np.random.Generator, scale: float, clear: tuple[float, float], aside: float, traffic: bool
) -> Place:
    """Draw the place `name` (see pools.py) around an action that needs the depths `clear` (z range, metres).

    The action keeps within |x| < `aside`; `traffic`: a car drives past, where cars may.
    """
    stage = Stage(rng, Noise(rng), scale, max(clear[1] + 1.5, rng.uniform(2.6, 4.2)), clear, aside)
    if traffic and name in _DRIVABLE:
        speed = rng.choice([-1.0, 1.0]) * rng.uniform(2.0, 5.0)
        stage.prop(props.car, clear[1] + 1.0, rng.uniform(-1.5, 1.5) - 1.2 * speed, speed=speed)
    return _SITES[name](stage)


def _nature(stage: Stage, far: bool) -> None:
    """Sky, hills and tree lines."""
    rng, noise = stage.rng, stage.noise
    stage.sky(rng.uniform(-0.1, 0.6))
    m = stage.texels(6)
    picture, cover = props.hills(round(14 * m), 1024, noise, rng)
    stage.wall(picture, m, cover, 90.0, -1.0)
    for z, height, haze in ((45.0, 9.0, 0.38), (16.0 if far else 11.0, 4.5, 0.1)):
        m = stage.texels(12 if z > 20 else 36)
        picture, cover = props.tree_line(round(height * m), 1024 if z > 20 else 1536, m, noise, rng, haze)
        stage.wall(picture, m, cover, z + rng.uniform(-2, 2), -0.3)


def _street_front(stage: Stage, brick: bool, shops: bool) -> None:
    """A row of houses along the back."""
    rng, noise = stage.rng, stage.noise
    m = stage.texels(56)
    high, wide = round(6.4 * m), 1024 if stage.scale < 1.5 else 2048
    if brick:
        picture = surfaces.brick_wall(high, wide, m, noise, rng)
    else:
        picture = surfaces.plaster(
            high, wide, m, noise, rng, hsv(rng.uniform(0.05, 0.16), 0.2, rng.uniform(0.6, 0.85)), False
        )
    bays = max(3, round(wide / m / 3.2))
    for i in range(bays):
        x = int((i + 0.2) * wide / bays)
        w, h = round(rng.uniform(1.0, 1.5) * m), round(1.5 * m)
        surfaces.paint_window(
            picture, round(0.8 * m), x, h, w, m, noise, rng, "sky" if rng.random() < 0.5 else "in"
        )
        if i % 3 == 2:
            surfaces.paint_door(picture, x, m, noise, rng)
        elif shops:
            surfaces.paint_window(
                picture,
                high - round(2.3 * m),
                x - round(0.3 * m),
                round(1.7 * m),
                round(2.0 * m),
                m,
                noise,
                rng,
                "in",
            )
            surfaces.paint_sign(
                picture,
                high - round(2.95 * m),
                x - round(0.2 * m),
                round(0.42 * m),
                m,
                rng,
                int(rng.integers(4, 8)),
            )
        else:
            surfaces.paint_window(picture, high - round(2.4 * m), x, h, w, m, noise, rng, "in")
    stage.wall(picture, m)
    stage.darken(-9, 9, stage.back - 0.5, stage.back + 0.5, 0.45, 0.25)


def _room(stage: Stage, colour: np.ndarray, pattern: bool, fittings: tuple[str, ...]) -> None:
    """Back wall with fittings and one side wall."""
    rng, noise = stage.rng, stage.noise
    m = stage.texels(64)
    high, wide = round(2.9 * m), 640 if stage.scale < 1.5 else 1280
    picture = surfaces.plaster(high, wide, m, noise, rng, colour, pattern)
    slots = len(fittings)
    for i, kind in enumerate(rng.permutation(np.array(fittings))):
        x = int((i + 0.18) * wide / slots)
        if kind == "window":
            surfaces.paint_window(
                picture, round(0.6 * m), x, round(1.3 * m), round(1.5 * m), m, noise, rng, "out"
            )
        elif kind == "door":
            surfaces.paint_door(picture, x, m, noise, rng)
        elif kind == "pictures":
            for j in range(int(rng.integers(1, 4))):
                h, w = (round(v * m) for v in rng.uniform(0.35, 0.75, 2))
                surfaces.paint_picture(
                    picture, round(rng.uniform(0.55, 0.9) * m), x + j * round(0.85 * m), h, w, noise, rng
                )
        elif kind == "books":
            surfaces.rectangle(
                picture,
                round(0.5 * m),
                x,
                round(2.2 * m),
                x + round(1.5 * m),
                surfaces.books(round(1.7 * m), round(1.5 * m), m, noise, rng),
            )
        elif kind == "board":
            h, w = round(1.1 * m), round(2.2 * m)
            board = (
                hsv(0.4, 0.45, 0.3)
                * np.ones((h, w, 3), np.float32)
                * (1 + 0.12 * noise.field((h, w), 1.5))[..., None]
            )
            surfaces.rectangle(
                picture, round(0.65 * m) - 3, x - 3, round(0.65 * m) + h + 3, x + w + 3, hsv(0.08, 0.4, 0.6)
            )
            for row in range(3):
                text = surfaces.glyphs(max(5, round(0.14 * m)), int(rng.integers(5, 9)), rng)
                surfaces.ink(
                    board,
                    round((0.15 + 0.3 * row) * m),
                    round(0.15 * m),
                    0.75 * text,
                    np.array([0.9, 0.9, 0.85]),
                )
            surfaces.rectangle(picture, round(0.65 * m), x, round(0.65 * m) + h, x + w, board)
        elif kind == "sign":
            surfaces.paint_sign(picture, round(0.5 * m), x, round(0.35 * m), m, rng, int(rng.integers(4, 7)))
    stage.wall(picture, m)
    # A ceiling or the upper wall in shade closes the room where the camera looks above the wall.
    stage.wall(
        surfaces.plain((round(2.0 * m), 64), np.array([0.80, 0.79, 0.77]) * rng.uniform(0.8, 1.0)),
        m,
        None,
        stage.back - 0.01,
        2.9,
    )
    side = surfaces.plaster(high, round(7.0 * m), m, noise, rng, colour * 0.88, pattern)
    surfaces.paint_window(
        side, round(0.7 * m), round(3.2 * m), round(1.2 * m), round(1.6 * m), m, noise, rng, "out"
    )
    x = rng.choice([-1.0, 1.0]) * max(rng.uniform(2.6, 3.6), stage.aside + 0.6)
    stage.side_wall(side, m, x)
    stage.darken(-9, 9, stage.back - 0.35, stage.back + 0.5, 0.4, 0.2)
    stage.darken(x - 0.4, x + 0.4, -4, stage.back, 0.4, 0.2)
    lean = rng.uniform(-1.5, 1.5)
    stage.darken(lean - 0.9, lean + 0.9, 0.2, 1.5, -0.25, 0.25)


def _park(stage: Stage) -> Place:
    _nature(stage, True)
    stage.floor(surfaces.grass, dry=stage.rng.uniform(0.1, 0.4))
    stage.scatter(props.tree, 4, (3.0, 8.0), 8.0)
    stage.scatter(props.bush, 3, (4.0, 8.0))
    stage.foreground(props.bush)
    clear = stage.rng.random() < 0.6
    if clear:
        for _ in range(14):
            x, z = stage.rng.uniform(-4, 4), stage.rng.uniform(-2, 5)
            stage.darken(x, x + stage.rng.uniform(0.2, 0.9), z, z + stage.rng.uniform(0.15, 0.5), 0.35, 0.12)
    return stage.finished(stage.sunlight(clear), 0.12, 0.62 if clear else 0.25)


def _street(stage: Stage) -> Place:
    _street_front(stage, True, True)
    stage.floor(surfaces.tiles, size=0.5, contrast=0.08)
    stage.scatter(props.post, 2, (stage.back - 0.5, stage.back - 0.2))
    if stage.back > stage.clear[1] + 1.8:
        stage.scatter(props.car, 1, (stage.back - 0.8, stage.back - 0.6), 4.0)
    stage.foreground(props.post, 0.3)
    clear = stage.rng.random() < 0.5
    return stage.finished(stage.sunlight(clear), 0.12, 0.6 if clear else 0.22)


def _living_room(stage: Stage) -> Place:
    rng = stage.rng
    _room(
        stage,
        hsv(rng.uniform(0.06, 0.16), rng.uniform(0.1, 0.3), rng.uniform(0.68, 0.85)),
        rng.random() < 0.6,
        ("window", "pictures", "books", "pictures"),
    )
    stage.floor(surfaces.planks, value=rng.uniform(0.45, 0.7))
    near = stage.back - 0.45
    stage.prop(props.sofa, near, rng.uniform(-2, 2))
    stage.prop(props.plant, near + 0.1, rng.choice([-1, 1]) * rng.uniform(1.5, 2.5))
    stage.foreground(props.plant, 0.35)
    return stage.finished(stage.lamps(), 0.9, 0.32)


def _gym(stage: Stage) -> Place:
    rng = stage.rng
    _room(
        stage,
        hsv(rng.uniform(0.5, 0.65), rng.uniform(0.1, 0.3), rng.uniform(0.6, 0.8)),
        False,
        ("sign", "door", "window"),
    )
    stage.floor(surfaces.planks, lines=True, value=0.72)
    stage.prop(props.lockers, stage.back - 0.3, rng.uniform(-2.5, 2.5))
    return stage.finished(stage.lamps(), 0.7, 0.35)


def _office(stage: Stage) -> Place:
    rng = stage.rng
    _room(
        stage,
        hsv(paint_hue(rng), 0.06, rng.uniform(0.7, 0.85)),
        False,
        ("window", "window", "door", "pictures"),
    )
    stage.floor(surfaces.carpet)
    near = stage.back - 0.5
    for x in (-2.2, 0.6, 2.6):
        stage.prop(
            props.table if rng.random() < 0.6 else props.shelf,
            near + rng.uniform(-0.1, 0.2),
            x + rng.uniform(-0.5, 0.5),
        )
    stage.foreground(props.plant, 0.35)
    return stage.finished(stage.lamps(), 0.9, 0.3)


def _car_park(stage: Stage) -> Place:
    _nature(stage, False)
    stage.floor(surfaces.asphalt, lines=True, value=stage.rng.uniform(0.36, 0.48))
    stage.scatter(props.car, 3, (stage.back + 0.5, stage.back + 1.5), 6.5)
    stage.scatter(props.post, 1, (stage.back + 2, stage.back + 3))
    clear = stage.rng.random() < 0.6
    return stage.finished(stage.sunlight(clear), 0.1, 0.65 if clear else 0.25)


def _meadow(stage: Stage) -> Place:
    _nature(stage, True)
    m = stage.texels(48)
    picture, cover = props.fence(m, stage.noise, stage.rng, 1024)
    stage.wall(picture, m, cover, stage.back + 1.0)
    stage.floor(surfaces.grass, dry=0.75)
    stage.scatter(props.bush, 4, (stage.back + 1.5, 8.0))
    return stage.finished(stage.sunlight(True, 0.06), 0.12, 0.6)


def _corridor(stage: Stage) -> Place:
    rng = stage.rng
    _room(stage, hsv(rng.uniform(0.3, 0.45), 0.14, rng.uniform(0.66, 0.8)), False, ("door", "door", "sign"))
    stage.floor(surfaces.tiles, size=0.3, contrast=0.05)
    stage.prop(props.lockers, stage.back - 0.3, rng.uniform(-2, 2))
    stage.prop(props.plant, stage.back - 0.4, rng.choice([-1, 1]) * 2.4)
    return stage.finished(stage.lamps(), 0.8, 0.33)


def _square(stage: Stage) -> Place:
    _street_front(stage, False, True)
    stage.floor(surfaces.paving)
    stage.scatter(props.tree, 2, (stage.back - 0.9, stage.back - 0.5), 4.0)
    stage.scatter(props.plant, 2, (stage.back - 0.4, stage.back - 0.2), 3.0)
    stage.foreground(props.plant, 0.35)
    return stage.finished(stage.sunlight(stage.rng.random() < 0.5), 0.2, 0.45)


def _beach(stage: Stage) -> Place:
    rng, noise = stage.rng, stage.noise
    stage.sky(rng.uniform(-0.2, 0.4))
    m = stage.texels(20)
    high, wide = round(1.9 * m), 1024
    waves = noise.field((high, wide), 0.8, 8.0) * np.linspace(0.04, 0.12, high)[:, None]
    depth = np.clip(np.linspace(0, 1, high)[:, None] + waves, 0, 1)
    sea = surfaces.tinted(depth, [hsv(0.57, 0.4, 0.62), hsv(0.53, 0.5, 0.5), hsv(0.5, 0.35, 0.62)])
    foam = (
        np.clip((noise.field((high, wide), 1.0, 10.0) - 1.2) * 2, 0, 1) * np.linspace(0.2, 1, high)[:, None]
    )
    stage.wall(sea + foam[..., None] * (0.93 - sea), m, None, 14.0, -0.45)
    stage.floor(surfaces.sand)
    stage.scatter(props.bush, 3, (stage.back + 1, 9.0))
    m = stage.texels(48)
    picture, cover = props.fence(m, noise, rng, 1024)
    if rng.random() < 0.5:
        stage.wall(picture, m, cover, stage.back + 2.5)
    return stage.finished(stage.sunlight(True), 0.1, 0.5)


def _classroom(stage: Stage) -> Place:
    rng = stage.rng
    _room(
        stage, hsv(rng.uniform(0.1, 0.2), 0.22, rng.uniform(0.7, 0.85)), False, ("board", "pictures", "door")
    )
    stage.floor(surfaces.tiles, size=0.6, contrast=0.04)
    stage.prop(props.shelf, stage.back - 0.3, rng.choice([-1, 1]) * rng.uniform(1.2, 2.4))
    stage.prop(props.table, stage.back - 0.6, rng.uniform(-1, 1))
    stage.foreground(props.table, 0.3)
    return stage.finished(stage.lamps(), 0.8, 0.33)


def _courtyard(stage: Stage) -> Place:
    rng = stage.rng
    _street_front(stage, rng.random() < 0.5, False)
    stage.floor(surfaces.asphalt, value=0.5)

    def hedge(m: float, noise: Noise, own: np.random.Generator) -> props.Picture:
        return props.bush(m, noise, own, 3.0, 0.9)

    stage.scatter(hedge, 2, (stage.back - 0.4, stage.back - 0.3), 4.0)
    stage.scatter(props.tree, 1, (stage.back - 0.8, stage.back - 0.6), 3.0)
    stage.foreground(props.bush, 0.35)
    return stage.finished(stage.sunlight(rng.random() < 0.5), 0.15, 0.5)


_DRIVABLE = ("street", "car_park", "square", "courtyard")

_SITES: dict[str, Callable[[Stage], Place]] = {
    "park": _park,
    "street": _street,
    "living_room": _living_room,
    "gym": _gym,
    "office": _office,
    "car_park": _car_park,
    "meadow": _meadow,
    "corridor": _corridor,
    "square": _square,
    "beach": _beach,
    "classroom": _classroom,
    "courtyard": _courtyard,
}
