"""Rendered clips: frames by number, each a pure function of the clip's name, size and length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from t4vcodec.media.frames import Colour, Frame, chroma_shape
from t4vcodec.media.rendered.camera import project
from t4vcodec.media.rendered.direction import PASSES, Scene, stage
from t4vcodec.media.rendered.names import RenderedError, check_action, check_split, generator, parse_name
from t4vcodec.media.rendered.planes import blank_depth, cast_shadow, develop, draw, lay_over, reach
from t4vcodec.media.rendered.raster import FAR, cast, shade
from t4vcodec.media.rendered.skeleton import JOINTS
from t4vcodec.media.rendered.solids import AXES, ORIGIN, Packed
from t4vcodec.media.source import VideoInfo

DEFAULT_SIZE, DEFAULT_FPS, DEFAULT_FRAMES = (352, 288), Fraction(25), 60
_SMALLEST, _LARGEST = 32, 2048
_GROUND_PASSES, _GROUND_BLUR = 3, 3.0
"""Passes for what stands still, and pixels of camera motion in an exposure beyond which one more
is drawn."""
_COLOUR = Colour()
_VIVID = 0.78
"""Scale of chroma: paints of the real world are duller than the palettes here."""


@dataclass(frozen=True, eq=False)
class FrameTruth:
    """What is known of one frame because it was made."""

    action: str
    joints: np.ndarray
    """(len(JOINTS), 2) float32: x, y in pixels (may lie outside of the picture); centres are at + 0.5."""
    visible: np.ndarray
    """(len(JOINTS),) bool: inside the picture and not hidden."""
    box: tuple[int, int, int, int]
    """x0, y0, x1, y1 about the mask, upper ends excluded; all 0 where nothing is seen."""
    mask: np.ndarray
    """(H, W) bool: pixels whose centre shows the acting figure in the middle of the exposure."""


class _Truths:
    """`clip.truth[i]`: the truth of frame i, worked out when asked for."""

    def __init__(self, clip: RenderedClip) -> None:
        self._clip = clip

    def __len__(self) -> int:
        return self._clip.frames

    def __getitem__(self, index: int) -> FrameTruth:
        return self._clip._truth(self._clip._checked(index))


class RenderedClip:
    """A clip: iterate for Frames (again and again), or take `frame(i)`, `truth[i]`, `flow(i)` in any order.

    Nothing is shared between clips, and frames of one clip may be asked for from one thread at a time.

    Raises:
        RenderedError: unknown split or action, a size outside of 32..2048, or less than one frame.
    """

    def __init__(
        self, action: str, seed: int, split: str, width: int, height: int, fps: Fraction, frames: int
    ) -> None:
        check_action(action)
        check_split(split)
        if not (_SMALLEST <= width <= _LARGEST and _SMALLEST <= height <= _LARGEST):
            raise RenderedError(
                f"rendered clip of {width}x{height}: each side must be {_SMALLEST} to {_LARGEST}"
            )
        if frames < 1 or fps <= 0 or seed < 0:
            raise RenderedError(
                f"rendered clip with seed {seed}, {frames} frames at {fps} fps: "
                "give a seed of 0 or more, one frame or more, a rate above 0"
            )
        self.action, self.seed, self.split = action, int(seed), split
        self.width, self.height, self.fps, self.frames = int(width), int(height), Fraction(fps), int(frames)
        self.truth = _Truths(self)

    @property
    def name(self) -> str:
        """builtin:<split>/<action>-<seed>."""
        return f"builtin:{self.split}/{self.action}-{self.seed:02d}"

    def __repr__(self) -> str:
        return f"RenderedClip({self.name}, {self.width}x{self.height}, {self.frames} frames, {self.fps} fps)"

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.frames):
            yield self.frame(index)

    @cached_property
    def scene(self) -> Scene:
        """Body, place, camera and motion of this clip."""
        return stage(
            self.action, self.seed, self.split, (self.width, self.height), float(self.fps), self.frames
        )

    def frame(self, index: int) -> Frame:
        """Render frame `index` (0 <= index < frames)."""
        index = self._checked(index)
        scene = self.scene
        base = index * (PASSES + 1)
        figure = self._group(scene.figure, base)
        other = None if scene.other is None else self._group(scene.other, base)
        floor_light = self._floor_light(base + PASSES)

        total = np.zeros((self.height, self.width, 3), np.float32)
        picture = np.empty_like(total)
        moments = self._ground_passes(base)
        shifts = 0.5 + _JITTER[moments] - _JITTER[moments].mean(axis=0)
        for turn, (moment, shift) in enumerate(zip(moments, shifts)):
            camera = scene.shot.rows[base + moment]
            picture[:] = 0.3
            waiting = [(0.0, figure)] if other is None else [(0.0, figure), (scene.other_z, other)]
            time = float(scene.times[base + moment])
            for layer in scene.place.layers:
                while waiting and layer.z < waiting[-1][0]:
                    lay_over(waiting.pop()[1], PASSES, picture)
                draw(layer.at(time), layer.texels, layer.levels, camera, *shift, (turn + 0.5) / len(moments),
                     floor_light, scene.place.floor_at, picture)  # fmt: skip
            while waiting:
                lay_over(waiting.pop()[1], PASSES, picture)
            total += picture
        return self._develop(total, index, float(scene.shot.gain[base + PASSES]) / len(moments))

    def flow(self, index: int) -> np.ndarray:
        """Where the surface seen at each pixel was one frame before, minus where it is: (H, W, 2) float32, x
        and y.

        Frame 0 has no flow: zeros. Shadows, noise and what is hidden in the frame before are not told.
        """
        index = self._checked(index)
        flow = np.zeros((self.height, self.width, 2), np.float32)
        if index == 0:
            return flow
        here, before = (i * (PASSES + 1) + PASSES for i in (index, index - 1))
        depth, owner, ids = self._seen(here)
        rows = self.scene.shot.rows
        y, x = np.indices(depth.shape, dtype=np.float64) + 0.5
        camera = rows[here]
        ray = (
            camera[9:12]
            + ((x - camera[13]) / camera[12])[..., None] * camera[3:6]
            + ((camera[14] - y) / camera[12])[..., None] * camera[6:9]
        )
        points = camera[0:3] + depth[..., None].astype(np.float64) * ray
        for number, group in ((1, self.scene.figure), (2, self.scene.other)):
            if group is None:
                continue
            on = owner == number
            now, then = group.rows[here][ids[on]], group.rows[before][ids[on]]
            axes = now[:, AXES : AXES + 9].reshape(-1, 3, 3)
            local = np.einsum("nij,nj->ni", axes, points[on] - now[:, ORIGIN : ORIGIN + 3])
            axes = then[:, AXES : AXES + 9].reshape(-1, 3, 3)
            lengths = np.maximum(np.sum(axes**2, axis=2), 1e-12)
            points[on] = then[:, ORIGIN : ORIGIN + 3] + np.einsum("nij,ni->nj", axes, local / lengths)
        for order, layer in enumerate(self.scene.place.layers):
            if layer.speed != 0:
                points[owner == -1 - order, 0] -= layer.speed / float(self.fps)
        was, _ = project(points.reshape(-1, 3), rows[before])
        return (was.reshape(flow.shape) - np.stack([x, y], axis=-1)).astype(np.float32)

    def info(self) -> VideoInfo:
        """Name and size as media.video reports them; `sha256` is that of the recipe, which fixes every
        byte."""
        recipe = f"t4vcodec rendered 1/{self.name}/{self.width}x{self.height}/{self.fps}/{self.frames}"
        digest = hashlib.sha256(recipe.encode()).hexdigest()
        return VideoInfo(self.name, self.width, self.height, self.fps, self.frames, digest)

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.frames:
            # IndexError, not RenderedError: it ends `for truth in clip.truth`.
            raise IndexError(f"frame {index} of a clip of {self.frames}")
        return index

    def _group(self, group: Packed, base: int) -> np.ndarray:
        """Sums over the passes of colour and coverage, (H, W, 4)."""
        total = np.zeros((self.height, self.width, 4), np.float32)
        depth, ids = blank_depth(self.height, self.width)
        for moment in range(PASSES):
            rows, camera = group.rows[base + moment], self.scene.shot.rows[base + moment]
            box = cast(rows, group.kinds, camera, *_JITTER[moment], depth, ids)
            shade(rows, group.kinds, group.surfaces, group.materials, group.textures, camera,
            self.scene.place.light,
                  *_JITTER[moment], depth, ids, box, total)  # fmt: skip
        return total

    def _ground_passes(self, base: int) -> list[int]:
        """Which of the frame's passes draw the planes: few where the camera is calm."""
        first, last = self.scene.shot.rows[base], self.scene.shot.rows[base + PASSES - 1]
        seen, _ = project(self.scene.posture.joints[base + PASSES, :1], first)
        seen_later, _ = project(self.scene.posture.joints[base + PASSES, :1], last)
        count = _GROUND_PASSES + int(np.abs(seen - seen_later).max() > _GROUND_BLUR)
        return [(2 * turn + 1) * PASSES // (2 * count) for turn in range(count)]

    def _floor_light(self, row: int) -> np.ndarray:
        place = self.scene.place
        shadow = np.ones_like(place.floor_light)
        for group in (self.scene.figure, self.scene.other):
            if group is not None:
                cast_shadow(group.rows[row], place.light, *place.shadow, place.floor_at, shadow)
        for layer in place.layers:
            if layer.speed != 0:
                cast_shadow(
                    layer.hull(float(self.scene.times[row])),
                    place.light,
                    *place.shadow,
                    place.floor_at,
                    shadow,
                )
        return shadow * place.floor_light

    def _develop(self, light: np.ndarray, index: int, gain: float) -> Frame:
        rng = generator(self.split, self.action, self.seed, "grain", index)
        small = chroma_shape(self.height, self.width)
        noise = rng.standard_normal((self.height, self.width), dtype=np.float32)
        blue_noise = rng.standard_normal((2, *small), dtype=np.float32)
        luma = np.empty((self.height, self.width), np.uint8)
        blue, red = np.empty(small, np.uint8), np.empty(small, np.uint8)
        develop(light, gain, _TONE, _VIVID, noise, self.scene.noise_level, blue_noise, luma, blue, red)
        return Frame(luma, blue, red, float(index / self.fps), _COLOUR)

    def _seen(self, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Depth, owner (1 figure's group, 2 other, 0 still ground, -1 - n moving layer n) and solid of each
        pixel centre."""
        scene, camera = self.scene, self.scene.shot.rows[row]
        depth, ids = blank_depth(self.height, self.width)
        owner = np.zeros_like(ids)

        def put(group: Packed, number: int) -> None:
            near, which = blank_depth(self.height, self.width)
            cast(group.rows[row], group.kinds, camera, 0.5, 0.5, near, which)
            on = near < FAR
            depth[on], ids[on], owner[on] = near[on], which[on], number

        waiting = [(0.0, scene.figure, 1)]
        if scene.other is not None:
            waiting.append((scene.other_z, scene.other, 2))
        time = float(scene.times[row])
        for order, layer in enumerate(scene.place.layers):
            while waiting and layer.z < waiting[-1][0]:
                put(*waiting.pop()[1:])
            # Layers that move are noted by their own negative number.
            number = 0 if layer.speed == 0 else -1 - order
            reach(layer.at(time), layer.texels, layer.levels, camera, depth, owner, number)
        while waiting:
            put(*waiting.pop()[1:])
        return depth, owner, ids

    def _truth(self, index: int) -> FrameTruth:
        row = index * (PASSES + 1) + PASSES
        depth, owner, ids = self._seen(row)
        mask = owner == 1
        mask[mask] = self.scene.figure.owners[ids[mask]] == 1
        joints, distance = project(self.scene.posture.joints[row], self.scene.shot.rows[row])
        x, y = np.floor(joints[:, 0]).astype(int), np.floor(joints[:, 1]).astype(int)
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height) & (distance > 0)
        visible = np.zeros(len(JOINTS), bool)
        # A joint lies inside its limb: hidden means something nearer than the limb's own skin can be.
        skin = 0.065 * self.scene.body.height
        visible[inside] = depth[y[inside], x[inside]] > distance[inside] - skin
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (0, 0, 0, 0)
        if len(rows):
            box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        return FrameTruth(self.action, joints.astype(np.float32), visible, box, mask)


def render_clip(
    action: str,
    seed: int,
    split: str = "train",
    width: int = DEFAULT_SIZE[0],
    height: int = DEFAULT_SIZE[1],
    fps: Fraction | int = DEFAULT_FPS,
    frames: int = DEFAULT_FRAMES,
) -> RenderedClip:
    """Return clip number `seed` (any integer from 0) of an action and split, in any size and length.

    Raises:
        RenderedError: see RenderedClip.
    """
    return RenderedClip(action, seed, split, width, height, Fraction(fps), frames)


def render(name: str, frames: int = DEFAULT_FRAMES) -> RenderedClip:
    """Return the clip `builtin:<split>/<action>-<number>` at 352x288 and 25 fps.

    Raises:
        RenderedError: the name is not of that form, or names no split or action.
    """
    split, action, number = parse_name(name)
    return render_clip(action, number, split, frames=frames)


def _jitter() -> np.ndarray:
    """Places inside the pixel for each pass, (PASSES, 2): a lattice under a tent a little wider than a pixel.

    The tent stands for the softness of lens and sensor. The places are the same in all frames: edges of what
    stands still must not flicker. Lattice: Roberts, "The unreasonable effectiveness of quasirandom sequences"
    (2018).
    """
    u = (0.5 + np.arange(PASSES)[:, None] * np.array([0.7548777, 0.5698403])) % 1
    tent = np.where(u < 0.5, np.sqrt(2 * u) - 1, 1 - np.sqrt(2 * (1 - u)))
    return 0.5 + 0.85 * (tent - tent.mean(axis=0))


def _tone_curve() -> np.ndarray:
    """R'G'B' (0..1) for the root of linear light in 0..2: sRGB's curve (IEC 61966-2-1) after a soft
    shoulder."""
    light = np.linspace(0, 2, 4096) ** 2
    light = np.where(light < 0.55, light, 0.55 + 0.45 * (1 - np.exp(-(light - 0.55) / 0.45)))
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


_TONE = _tone_curve()
_JITTER = _jitter()
