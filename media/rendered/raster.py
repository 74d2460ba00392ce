"""Ray casting of solids: what a pixel sees of the figures.

One *pass* casts one ray per pixel, displaced inside the pixel, at one instant of the exposure. The mean of
several passes is a picture with soft edges and motion blur. Colours are linear light.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from t4vcodec.media.rendered.solids import (
    AXES,
    BOUND_A,
    BOUND_B,
    BOX,
    END,
    LENGTH,
    ORIGIN,
    RADIUS_A,
    RADIUS_B,
    TEXTURE_SIDE,
)

FAR = np.float32(1e9)
"""Depth of a pixel that sees no solid."""

_CASTS = 0.05
"""Metres of radius from which on a solid's shadow on other solids is worth its time."""

# A camera is one row: position (3), axes right, up, forward (9), focal length in pixels, principal point x,
# y. A light is one row: direction to the sun (3), its colour (3), colour of the sky (3), of light from the
# floor (3).


@njit(cache=True, nogil=True, error_model="numpy")
def _hit(row, kind, ox, oy, oz, dx, dy, dz):
    """Distance along the ray (in units of its direction's length) to the solid, or a negative number."""
    lx = row[AXES] * dx + row[AXES + 1] * dy + row[AXES + 2] * dz
    ly = row[AXES + 3] * dx + row[AXES + 4] * dy + row[AXES + 5] * dz
    lz = row[AXES + 6] * dx + row[AXES + 7] * dy + row[AXES + 8] * dz
    if kind == BOX:
        # Slabs; a direction of zero gives infinities that compare rightly.
        ax, ay, az = -ox / lx, -oy / ly, -oz / lz
        bx, by, bz = abs(1.0 / lx), abs(1.0 / ly), abs(1.0 / lz)
        near = max(max(ax - bx, ay - by), az - bz)
        far = min(min(ax + bx, ay + by), az + bz)
        return near if near <= far else -1.0
    size = math.sqrt(lx * lx + ly * ly + lz * lz)
    lx, ly, lz = lx / size, ly / size, lz / size
    length, ra, rb = row[LENGTH], row[RADIUS_A], row[RADIUS_B]
    along = lx * ox + ly * oy + lz * oz
    square = ox * ox + oy * oy + oz * oz
    best = -1.0
    if length > 0.0:
        # Rounded cone after Quilez, "Rounded cone - intersection" (iquilezles.org/articles/intersectors).
        slope = ra - rb
        m1, m2 = length * oy, length * ly
        d2 = length * length - slope * slope
        k2 = d2 - m2 * m2
        k1 = d2 * along - m1 * m2 + m2 * slope * ra
        k0 = d2 * square - m1 * m1 + m1 * slope * ra * 2.0 - length * length * ra * ra
        under = k1 * k1 - k0 * k2
        if under < 0.0:
            return -1.0
        t = (-math.sqrt(under) - k1) / k2
        y = m1 - ra * slope + t * m2
        if 0.0 < y < d2:
            return t / size
        far_y = oy - length
        along_b = along - length * ly
        under = along_b * along_b - (ox * ox + far_y * far_y + oz * oz) + rb * rb
        if under > 0.0:
            best = -along_b - math.sqrt(under)
    under = along * along - square + ra * ra
    if under > 0.0:
        t = -along - math.sqrt(under)
        if best < 0.0 or t < best:
            best = t
    return best / size


@njit(cache=True, nogil=True, error_model="numpy")
def cast(rows, kinds, camera, shift_x, shift_y, depth, ids):
    """Cast one ray per pixel of `depth` and `ids` (H, W) at solids (n, COLUMNS); return the touched x0, y0,
    x1, y1.

    `depth` holds distances along the camera's axis (FAR where nothing is hit) and must come in as all FAR.
    """
    height, width = depth.shape
    focal, cx, cy = camera[12], camera[13], camera[14]
    left, top, right, bottom = width, height, 0, 0
    for n in range(rows.shape[0]):
        row = rows[n]
        x0, y0, x1, y1 = 1e9, 1e9, -1e9, -1e9
        behind = False
        for end in range(2):
            at = ORIGIN if end == 0 else END
            radius = row[BOUND_A] if end == 0 else row[BOUND_B]
            px, py, pz = row[at] - camera[0], row[at + 1] - camera[1], row[at + 2] - camera[2]
            vx = camera[3] * px + camera[4] * py + camera[5] * pz
            vy = camera[6] * px + camera[7] * py + camera[8] * pz
            vz = camera[9] * px + camera[10] * py + camera[11] * pz
            if vz < radius + 0.1:
                behind = True
                break
            sx, sy = cx + focal * vx / vz, cy - focal * vy / vz
            reach = focal * radius / (vz - radius) * (1.0 + abs(vx) / vz) + 1.5
            x0, x1 = min(x0, sx - reach), max(x1, sx + reach)
            y0, y1 = min(y0, sy - reach), max(y1, sy + reach)
        if behind:
            continue
        ix0, ix1 = max(0, int(x0)), min(width, int(x1) + 1)
        iy0, iy1 = max(0, int(y0)), min(height, int(y1) + 1)
        if ix0 >= ix1 or iy0 >= iy1:
            continue
        left, top, right, bottom = min(left, ix0), min(top, iy0), max(right, ix1), max(bottom, iy1)
        px, py, pz = camera[0] - row[ORIGIN], camera[1] - row[ORIGIN + 1], camera[2] - row[ORIGIN + 2]
        ox = row[AXES] * px + row[AXES + 1] * py + row[AXES + 2] * pz
        oy = row[AXES + 3] * px + row[AXES + 4] * py + row[AXES + 5] * pz
        oz = row[AXES + 6] * px + row[AXES + 7] * py + row[AXES + 8] * pz
        kind = kinds[n]
        rx, ry, rz = camera[3] / focal, camera[4] / focal, camera[5] / focal
        for y in range(iy0, iy1):
            b, a = (cy - (y + shift_y)) / focal, (shift_x - cx) / focal
            bx = camera[9] + b * camera[6] + a * camera[3]
            by = camera[10] + b * camera[7] + a * camera[4]
            bz = camera[11] + b * camera[8] + a * camera[5]
            for x in range(ix0, ix1):
                dx, dy, dz = bx + x * rx, by + x * ry, bz + x * rz
                t = _hit(row, kind, ox, oy, oz, dx, dy, dz)
                if 0.0 < t < depth[y, x]:
                    depth[y, x] = t
                    ids[y, x] = n
    return left, top, right, bottom


@njit(cache=True, nogil=True, error_model="numpy")
def _shadowed(rows, kinds, skip, px, py, pz, light):
    """True if a solid other than `skip` stands between a point and the sun."""
    for n in range(rows.shape[0]):
        if n == skip:
            continue
        row = rows[n]
        if row[BOUND_A] < _CASTS:
            continue
        # The ball about the whole solid first: most are missed.
        mx, my, mz = row[ORIGIN] - px, row[ORIGIN + 1] - py, row[ORIGIN + 2] - pz
        ex, ey, ez = row[END] - px, row[END + 1] - py, row[END + 2] - pz
        hx, hy, hz = 0.5 * (mx + ex), 0.5 * (my + ey), 0.5 * (mz + ez)
        ahead = hx * light[0] + hy * light[1] + hz * light[2]
        reach = 0.5 * row[LENGTH] + max(row[BOUND_A], row[BOUND_B])
        if ahead < -reach or hx * hx + hy * hy + hz * hz - ahead * ahead > reach * reach:
            continue
        ox = -(row[AXES] * mx + row[AXES + 1] * my + row[AXES + 2] * mz)
        oy = -(row[AXES + 3] * mx + row[AXES + 4] * my + row[AXES + 5] * mz)
        oz = -(row[AXES + 6] * mx + row[AXES + 7] * my + row[AXES + 8] * mz)
        if _hit(row, kinds[n], ox, oy, oz, light[0], light[1], light[2]) > 0.03:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def shade(
    rows, kinds, surfaces, materials, textures, camera, light, shift_x, shift_y, depth, ids, box, total
):
    """Add the colours of what `cast` found, and 1 of coverage, to `total` (H, W, 4); reset `depth` to FAR."""
    focal, cx, cy = camera[12], camera[13], camera[14]
    left, top, right, bottom = box
    for y in range(top, bottom):
        b = (cy - (y + shift_y)) / focal
        for x in range(left, right):
            t = depth[y, x]
            if t >= FAR:
                continue
            depth[y, x] = FAR
            a = ((x + shift_x) - cx) / focal
            dx = camera[9] + a * camera[3] + b * camera[6]
            dy = camera[10] + a * camera[4] + b * camera[7]
            dz = camera[11] + a * camera[5] + b * camera[8]
            px, py, pz = camera[0] + t * dx, camera[1] + t * dy, camera[2] + t * dz
            n = ids[y, x]
            row = rows[n]
            qx, qy, qz = px - row[ORIGIN], py - row[ORIGIN + 1], pz - row[ORIGIN + 2]
            lx = row[AXES] * qx + row[AXES + 1] * qy + row[AXES + 2] * qz
            ly = row[AXES + 3] * qx + row[AXES + 4] * qy + row[AXES + 5] * qz
            lz = row[AXES + 6] * qx + row[AXES + 7] * qy + row[AXES + 8] * qz
            if kinds[n] == BOX:
                ax, ay, az = abs(lx), abs(ly), abs(lz)
                nx, ny, nz = 0.0, 0.0, 0.0
                if ax >= ay and ax >= az:
                    nx, u, v = math.copysign(1.0, lx), lz, ly
                elif ay >= az:
                    ny, u, v = math.copysign(1.0, ly), lx, lz
                else:
                    nz, u, v = math.copysign(1.0, lz), lx, ly
                u, v = 0.5 + 0.5 * u, 0.5 - 0.5 * v
            else:
                # The surface's normal points away from the axis's point that the slope of the cone gives.
                length = row[LENGTH]
                foot = 0.0
                if length > 0.0:
                    sine = (row[RADIUS_A] - row[RADIUS_B]) / length
                    foot = ly - math.sqrt(lx * lx + lz * lz) * sine / math.sqrt(1.0 - sine * sine)
                    foot = min(max(foot, 0.0), length)
                nx, ny, nz = lx, ly - foot, lz
                u, v = 0.5 + math.atan2(lx, lz) / (2.0 * math.pi), ly
            # Normals go to the world by the transposed world-to-local matrix.
            wx = row[AXES] * nx + row[AXES + 3] * ny + row[AXES + 6] * nz
            wy = row[AXES + 1] * nx + row[AXES + 4] * ny + row[AXES + 7] * nz
            wz = row[AXES + 2] * nx + row[AXES + 5] * ny + row[AXES + 8] * nz
            size = math.sqrt(wx * wx + wy * wy + wz * wz) + 1e-12
            wx, wy, wz = wx / size, wy / size, wz / size

            material = materials[surfaces[n]]
            picture = textures[int(material[0])]
            fu = (u * material[1]) * TEXTURE_SIDE
            fv = (v * material[2] + material[3]) * TEXTURE_SIDE
            iu, iv = math.floor(fu), math.floor(fv)
            au, av = fu - iu, fv - iv
            u0, v0 = int(iu) & (TEXTURE_SIDE - 1), int(iv) & (TEXTURE_SIDE - 1)
            u1, v1 = (u0 + 1) & (TEXTURE_SIDE - 1), (v0 + 1) & (TEXTURE_SIDE - 1)

            facing = wx * light[0] + wy * light[1] + wz * light[2]
            # Wrapped a little: cloth and skin scatter light around the terminator.
            sun = max(0.0, (facing + 0.12) / 1.12)
            if sun > 0.0 and _shadowed(rows, kinds, n, px + 0.01 * wx, py + 0.01 * wy, pz + 0.01 * wz, light):
                sun *= 0.12
            up = 0.5 + 0.5 * wy
            grounded = 0.65 + 0.35 * min(1.0, max(py, 0.0) / 0.5)
            slant = (wx * dx + wy * dy + wz * dz) / math.sqrt(dx * dx + dy * dy + dz * dz)
            edge = 1.0 - 0.22 * (1.0 - slant * slant)
            shine = 0.0
            if material[7] > 0.0:
                # Mirror direction against the sun, and the sky at grazing angles.
                rx, ry, rz = dx - 2 * slant * wx, dy - 2 * slant * wy, dz - 2 * slant * wz
                rr = math.sqrt(rx * rx + ry * ry + rz * rz)
                mirror = max(0.0, (rx * light[0] + ry * light[1] + rz * light[2]) / rr)
                shine = material[7] * (mirror**24 * (1.0 if sun > 0.2 else 0.1) + 0.25 * (1.0 + slant) ** 3)
            for c in range(3):
                texel = (1.0 - av) * ((1.0 - au) * picture[v0, u0, c] + au * picture[v0, u1, c])
                texel += av * ((1.0 - au) * picture[v1, u0, c] + au * picture[v1, u1, c])
                ambient = (light[6 + c] * up + light[9 + c] * (1.0 - up)) * grounded * edge
                value = texel * material[4 + c] * (light[3 + c] * sun + ambient)
                total[y, x, c] += value + shine * (light[3 + c] + light[6 + c])
            total[y, x, 3] += 1.0
