"""Drawing of textured planes: floor, walls, sky, and flat pictures of trees, cars or furniture.

A plane is sampled through a pyramid of halved textures (Williams 1983) with a level per run of eight pixels.
Texels are bytes whose square is linear light, so that dark tones keep their steps. Colours of pictures are
linear light.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from t4vcodec.media.rendered.raster import FAR

# A plane is one row of float64: corner (3), unit axes s and t (6), texels a metre, level bias, flags wrap_s,
# wrap_t, opaque, lit (by the light map; such a plane's s and t are the world's x and z).
PLANE_COLUMNS = 15
# A light map is an array (rows, columns) over the floor with its own row: x and z of its corner, cells a
# metre.

_RUN = 8
_LANE, _HALF = np.uint64(0xFFFF), np.uint64(127)
_ONE, _TWO, _THREE = np.uint64(16), np.uint64(32), np.uint64(48)


@njit(cache=True, nogil=True, error_model="numpy")
def _forms(plane, camera):
    """Coefficients of s, t and 1 / depth as linear forms of (a, b, 1), where (a, b) is the ray's slope."""
    nx = plane[4] * plane[8] - plane[5] * plane[7]
    ny = plane[5] * plane[6] - plane[3] * plane[8]
    nz = plane[3] * plane[7] - plane[4] * plane[6]
    ex, ey, ez = camera[0] - plane[0], camera[1] - plane[1], camera[2] - plane[2]
    k = -(nx * ex + ny * ey + nz * ez)
    s0 = plane[3] * ex + plane[4] * ey + plane[5] * ez
    t0 = plane[6] * ex + plane[7] * ey + plane[8] * ez
    forms = np.empty((3, 3))
    for i in range(3):
        at = 9 if i == 2 else 3 + 3 * i
        cx, cy, cz = camera[at], camera[at + 1], camera[at + 2]
        w = nx * cx + ny * cy + nz * cz
        forms[0, i] = s0 * w + k * (plane[3] * cx + plane[4] * cy + plane[5] * cz)
        forms[1, i] = t0 * w + k * (plane[6] * cx + plane[7] * cy + plane[8] * cz)
        forms[2, i] = w
    return forms, k


@njit(cache=True, nogil=True, error_model="numpy")
def draw(plane, texels, levels, camera, shift_x, shift_y, dither, shadow, shadow_at, picture):
    """Draw a plane over `picture` (H, W, 3).

    `texels` (n,) uint64 (four lanes of 16 bits: R, G, B, coverage, each 0..255) holds the levels of `levels`
    (count, 3: start, width, height) one after the other. Between two levels `dither` (0..1) decides: the mean
    over passes with evenly spread dithers blends them.
    """
    height, width = picture.shape[:2]
    forms, k = _forms(plane, camera)
    focal, cx, cy = camera[12], camera[13], camera[14]
    density, bias = plane[9], plane[10]
    wrap_s, wrap_t, opaque, lit = plane[11] > 0, plane[12] > 0, plane[13] > 0, plane[14] > 0
    full_s, full_t = levels[0, 1] / density, levels[0, 2] / density
    per_s, per_t = 1.0 / full_s, 1.0 / full_t
    one, scale = np.float32(1.0), np.float32(1.0 / (255.0 * 256.0))
    step = 1.0 / focal
    a0 = (shift_x - cx) * step
    for y in range(height):
        b = (cy - (y + shift_y)) * step
        s_row = forms[0, 1] * b + forms[0, 2]
        t_row = forms[1, 1] * b + forms[1, 2]
        w_row = forms[2, 1] * b + forms[2, 2]
        # Along a row s and t run one way: a row that is outside at both ends on the same side is outside
        # throughout.
        a1 = a0 + (width - 1) * step
        w0, w1 = k / (w_row + forms[2, 0] * a0), k / (w_row + forms[2, 0] * a1)
        if w0 <= 0.0 and w1 <= 0.0:
            continue
        first, last = 0, width
        if w0 > 0.0 and w1 > 0.0:
            t0, t1 = (t_row + forms[1, 0] * a0) * w0 / k, (t_row + forms[1, 0] * a1) * w1 / k
            if not wrap_t and (max(t0, t1) < 0.0 or min(t0, t1) >= full_t):
                continue
            if not wrap_s:
                s0, s1 = (s_row + forms[0, 0] * a0) * w0 / k, (s_row + forms[0, 0] * a1) * w1 / k
                if max(s0, s1) < 0.0 or min(s0, s1) >= full_s:
                    continue
                # s(a) = c inverted for both borders.
                for border in (0.0, full_s):
                    below = forms[0, 0] - border * forms[2, 0]
                    x = int(((border * w_row - s_row) / below - a0) * focal)
                    if (border == 0.0) == (s1 > s0):
                        first = max(first, min(x, width))
                    else:
                        last = min(last, max(x + 2, 0))
        left, start, wide, high, factor = 0, 0, 1, 1, 1.0
        s, t, s_step, t_step, gx, gz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for x in range(first, last):
            if left == 0:
                # Perspective is exact every eight pixels and straight between them.
                left = _RUN
                a = a0 + x * step
                w, w_end = forms[2, 0] * a + w_row, forms[2, 0] * (a + _RUN * step) + w_row
                over, over_end = 1.0 / w, 1.0 / w_end
                depth = k * over
                if not (0.05 < depth < 1e5 and 0.05 < k * over_end < 1e5):
                    left = 0
                    continue
                s, t = (forms[0, 0] * a + s_row) * over, (forms[1, 0] * a + t_row) * over
                a += _RUN * step
                s_step = ((forms[0, 0] * a + s_row) * over_end - s) / _RUN
                t_step = ((forms[1, 0] * a + t_row) * over_end - t) / _RUN
                gx = (s + plane[0] - shadow_at[0]) * shadow_at[2]
                gz = (t + plane[2] - shadow_at[1]) * shadow_at[2]
                if wrap_s:
                    s -= full_s * math.floor(s * per_s)
                if wrap_t:
                    t -= full_t * math.floor(t * per_t)
                # Texels a pixel: across by distance, and the geometric mean with the foreshortened direction.
                tilt = abs(w) / math.sqrt(1.0 + a * a + b * b)
                ratio = depth * density / focal
                wanted = 0.5 * math.log2(ratio * ratio / max(tilt, 1e-3)) + bias
                level = min(int(max(0.0, wanted) + dither), len(levels) - 1)
                start, wide, high = levels[level, 0], levels[level, 1], levels[level, 2]
                factor = density / (1 << level)
            else:
                s += s_step
                t += t_step
                gx += s_step * shadow_at[2]
                gz += t_step * shadow_at[2]
                if wrap_s:
                    s += full_s if s < 0.0 else (-full_s if s >= full_s else 0.0)
                if wrap_t:
                    t += full_t if t < 0.0 else (-full_t if t >= full_t else 0.0)
            left -= 1
            if not (wrap_t or 0.0 <= t < full_t) or not (wrap_s or 0.0 <= s < full_s):
                continue
            gain = one
            if lit:
                hx = min(max(gx, 0.0), shadow.shape[1] - 1.001)
                hz = min(max(gz, 0.0), shadow.shape[0] - 1.001)
                jx, jz = int(hx), int(hz)
                ax, az = np.float32(hx - jx), np.float32(hz - jz)
                near = shadow[jz, jx] + ax * (shadow[jz, jx + 1] - shadow[jz, jx])
                away = shadow[jz + 1, jx] + ax * (shadow[jz + 1, jx + 1] - shadow[jz + 1, jx])
                gain = near + az * (away - near)
            # The sample lies between four texels; half a texel is added so that truncation is a floor.
            # Weights are sixteenths, so four lanes of 16 bits are summed at once without a carry.
            u, v = s * factor + 0.5, t * factor + 0.5
            u1, v1 = int(u), int(v)
            au, av = int((u - u1) * 16.0), int((v - v1) * 16.0)
            u0, v0 = u1 - 1, v1 - 1
            if u0 < 0:
                u0 = wide - 1 if wrap_s else 0
            if v0 < 0:
                v0 = high - 1 if wrap_t else 0
            if u1 >= wide:
                u0 = min(u0, wide - 1)
                u1 = 0 if wrap_s else wide - 1
            if v1 >= high:
                v0 = min(v0, high - 1)
                v1 = 0 if wrap_t else high - 1
            upper, lower = start + v0 * wide, start + v1 * wide
            lanes = texels[upper + u0] * np.uint64((16 - au) * (16 - av))
            lanes += texels[upper + u1] * np.uint64(au * (16 - av))
            lanes += texels[lower + u0] * np.uint64((16 - au) * av)
            lanes += texels[lower + u1] * np.uint64(au * av)
            red = np.float32(np.int64(lanes & _LANE)) * scale
            green = np.float32(np.int64((lanes >> _ONE) & _LANE)) * scale
            blue = np.float32(np.int64((lanes >> _TWO) & _LANE)) * scale
            if opaque:
                picture[y, x, 0] = red * red * gain
                picture[y, x, 1] = green * green * gain
                picture[y, x, 2] = blue * blue * gain
            else:
                alpha = np.float32(np.int64(lanes >> _THREE)) * scale
                if alpha > 0.004:
                    # Texels are multiplied by their coverage before squaring: c^2 / alpha^2 * alpha.
                    rest, over_alpha = one - alpha, one / alpha
                    picture[y, x, 0] = picture[y, x, 0] * rest + red * red * over_alpha
                    picture[y, x, 1] = picture[y, x, 1] * rest + green * green * over_alpha
                    picture[y, x, 2] = picture[y, x, 2] * rest + blue * blue * over_alpha


@njit(cache=True, nogil=True, error_model="numpy")
def reach(plane, texels, levels, camera, depth, ids, number):
    """Note where a plane is the nearest thing drawn so far: its depth and `number` for each pixel centre."""
    height, width = depth.shape
    forms, k = _forms(plane, camera)
    focal, cx, cy = camera[12], camera[13], camera[14]
    density = plane[9]
    for y in range(height):
        b = (cy - (y + 0.5)) / focal
        for x in range(width):
            a = ((x + 0.5) - cx) / focal
            w = forms[2, 0] * a + forms[2, 1] * b + forms[2, 2]
            far = k / w
            if not 0.05 < far < 1e5:
                continue
            u = int((forms[0, 0] * a + forms[0, 1] * b + forms[0, 2]) / w * density)
            v = int((forms[1, 0] * a + forms[1, 1] * b + forms[1, 2]) / w * density)
            if plane[11] > 0:
                u %= levels[0, 1]
            if plane[12] > 0:
                v %= levels[0, 2]
            if (
                0 <= u < levels[0, 1]
                and 0 <= v < levels[0, 2]
                and (texels[v * levels[0, 1] + u] >> _THREE) > _HALF
            ):
                depth[y, x] = far
                ids[y, x] = number


@njit(cache=True, nogil=True, error_model="numpy")
def lay_over(group, passes, picture):
    """Lay the mean of `passes` passes of solids (H, W, 4, sums) over `picture` (H, W, 3)."""
    share = np.float32(1.0 / passes)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            alpha = group[y, x, 3] * share
            if alpha > 0:
                for c in range(3):
                    picture[y, x, c] = picture[y, x, c] * (np.float32(1.0) - alpha) + group[y, x, c] * share


@njit(cache=True, nogil=True, error_model="numpy")
def cast_shadow(rows, light, sharpness, strength, at, shadow):
    """Darken the light map `shadow` under solids (n, COLUMNS): where they take the sun, and where they stand
    close.

    Each solid throws the capsule between the balls at its ends. Its edge softens with the height above the
    floor, as a sun or lamp of some size makes it.
    """
    for n in range(rows.shape[0]):
        row = rows[n]
        for contact in range(2):
            lean_x = -light[0] / light[1] if contact == 0 else 0.0
            lean_z = -light[2] / light[1] if contact == 0 else 0.0
            ya, yb = max(row[1], 0.0), max(row[16], 0.0)
            ra, rb = row[18], row[19]
            ax, az = row[0] + lean_x * ya, row[2] + lean_z * ya
            bx, bz = row[15] + lean_x * yb, row[17] + lean_z * yb
            low = max(0.0, min(ya - ra, yb - rb))
            if contact == 1:
                soft = 0.10 + 0.9 * low
                depth = 0.8 * max(0.0, 1.0 - low / 0.35) ** 2
                ra, rb = 0.9 * ra, 0.9 * rb
            else:
                soft = (0.02 + 0.5 * (ya + yb)) * sharpness + 0.03
                depth = strength
            if depth <= 0.01:
                continue
            wide = max(ra, rb) + soft
            x0 = int((min(ax, bx) - wide - at[0]) * at[2])
            x1 = int((max(ax, bx) + wide - at[0]) * at[2]) + 1
            z0 = int((min(az, bz) - wide - at[1]) * at[2])
            z1 = int((max(az, bz) + wide - at[1]) * at[2]) + 1
            dx, dz = bx - ax, bz - az
            square = dx * dx + dz * dz + 1e-9
            for z in range(max(z0, 0), min(z1, shadow.shape[0])):
                for x in range(max(x0, 0), min(x1, shadow.shape[1])):
                    px, pz = x / at[2] + at[0] - ax, z / at[2] + at[1] - az
                    h = min(1.0, max(0.0, (px * dx + pz * dz) / square))
                    gap = math.sqrt((px - h * dx) ** 2 + (pz - h * dz) ** 2) - (ra + h * (rb - ra))
                    share = 0.5 - gap / (2.0 * soft)
                    if share > 0.0:
                        share = min(share, 1.0)
                        share = share * share * (3.0 - 2.0 * share)
                        if contact == 0:
                            shadow[z, x] = min(shadow[z, x], 1.0 - depth * share)
                        else:
                            shadow[z, x] *= 1.0 - 0.5 * depth * share


@njit(cache=True, nogil=True, error_model="numpy")
def develop(picture, gain, tone, vivid, noise, noise_level, blue_noise, luma, blue, red):
    """Turn linear light (H, W, 3) into the planes of BT.601 limited range, with the noise of a sensor.

    `tone` maps sqrt(light * gain) in 0..2 to R'G'B' 0..1; `vivid` scales chroma; `noise` (H, W) and
    `blue_noise` (2, ch, cw) are normal draws.
    """
    height, width = picture.shape[:2]
    top = len(tone) - 1
    for cy in range(blue.shape[0]):
        for cx in range(blue.shape[1]):
            sb, sr, count = 0.0, 0.0, 0
            for y in range(2 * cy, min(2 * cy + 2, height)):
                ny = (y - 0.5 * height) / (0.5 * height)
                for x in range(2 * cx, min(2 * cx + 2, width)):
                    nx = (x - 0.5 * width) / (0.5 * height)
                    fall = gain * (1.0 - 0.09 * (nx * nx + ny * ny))
                    r = tone[min(top, int(math.sqrt(max(0.0, picture[y, x, 0] * fall)) * 0.5 * top))]
                    g = tone[min(top, int(math.sqrt(max(0.0, picture[y, x, 1] * fall)) * 0.5 * top))]
                    b = tone[min(top, int(math.sqrt(max(0.0, picture[y, x, 2] * fall)) * 0.5 * top))]
                    value = 0.299 * r + 0.587 * g + 0.114 * b
                    # Shot noise grows with the root of the light; the tone curve flattens it again in the
                    # lights.
                    grain = noise_level * (0.7 + 0.6 * math.sqrt(max(value, 0.0)) * (1.2 - value))
                    luma[y, x] = min(235, max(16, int(16.5 + 219.0 * value + grain * noise[y, x])))
                    sb += b - value
                    sr += r - value
                    count += 1
            level = 0.45 * noise_level
            blue[cy, cx] = min(
                240, max(16, int(128.5 + 224.0 / 1.772 * vivid * sb / count + level * blue_noise[0, cy, cx]))
            )
            red[cy, cx] = min(
                240, max(16, int(128.5 + 224.0 / 1.402 * vivid * sr / count + level * blue_noise[1, cy, cx]))
            )


def blank_depth(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A depth buffer that sees nothing, and its numbers."""
    return np.full((height, width), FAR, dtype=np.float32), np.full((height, width), -1, dtype=np.int32)
