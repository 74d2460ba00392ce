"""What a sender knows of a frame's packets when it sends them: maps by position, numbers by packet.

    history = History()
    features, history = look(history, header, symbols, picture, sizes)     # of the frame just encoded
    for features in features_of(video): ...                                # the same of a stream that is there

Everything comes from the frame's own symbols, its decoded picture and the frames before; nothing from later frames,
from what arrived, or from a recognizer. Quantities of open range are given as logarithms, log2(1 + x).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from t4vcodec.codec.erasure import assemble
from t4vcodec.codec.packets import FrameHeader
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.symbols import INTRA, LONG, FrameSymbols
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.sent_video import SentVideo

MAPS = (
    "change",  # mean absolute difference of luma from the picture before
    "most change",  # the largest of the same over the four 8x8 blocks
    "motion",  # length of the mean vector, quarter samples a frame
    "odd motion",  # distance of it from the mean of the neighbours', which travel in other packets
    "misplaced",  # the same times the mean gradient of luma: what a wrong vector spoils
    "concealed",  # mean absolute difference of luma from the picture before, moved by that mean: if it is lost
    "residual",  # sum of absolute levels
    "levels",  # how many are not 0
    "intra",
    "long",  # predicted from the long-term reference
    "contrast",  # mean absolute gradient of luma
    "light",  # mean of luma, -1 to 1
    "across",  # place in the picture, -1 to 1
    "down",
    "recent change",  # decayed mean of "change" over the frames before
    "lasting change",  # the same over more frames
    "recent concealed",  # of "concealed"
    "recent residual",  # of "residual"
)
"""Names of the maps, in order; those without a range or unit above are logarithms."""
SCALARS = (
    "bytes",
    "share of the frame's bytes",
    "positions",
    "key",
    "long-term",
    "half size",
    "packets",
    "quality",
    "frames since the long-term reference",
    "frames since the key frame",
    "frame's bytes against those before",
)
"""Names of a packet's numbers, in order."""
_REMEMBERED = [MAPS.index(name) for name in ("change", "change", "concealed", "residual")]
_DECAY = np.array([0.6, 0.93, 0.6, 0.6], np.float32)[:, None]
_OWN = len(MAPS) - len(_REMEMBERED)
_BEFORE = 0.8


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """Of one frame of R x C positions and n packets."""

    maps: np.ndarray
    """(len(MAPS), R, C) float32."""
    scalars: np.ndarray
    """(n, len(SCALARS)) float32."""
    packet: np.ndarray
    """(R * C,) uint8, the packet of each position."""


@dataclass(frozen=True, eq=False)
class History:
    """What is kept of the frames before; a value, made anew by each frame.

    luma: (H, W) uint8 of the last picture. memory: (4, P) decayed means. frames_since_key: frames. bytes: decayed
    mean of log2 of a frame's bytes.
    """

    luma: np.ndarray | None = None
    memory: np.ndarray | None = None
    frames_since_key: int = 0
    bytes: float | None = None


def look(
    history: History,
    header: FrameHeader,
    symbols: FrameSymbols,
    picture: Picture,
    packet: np.ndarray,
    sizes: Sequence[int],
) -> tuple[FrameFeatures, History]:
    """Features of a frame and the history for the next.

    symbols: of the whole frame. picture: as the encoder reconstructed it. packet: (P,), the packet of each position
    (`PacketMap.packet`). sizes: bytes of each packet. Raises ImportanceError where they are not of one frame.
    """
    luma = picture.luma8
    positions = symbols.columns * symbols.rows
    if luma.shape != (16 * symbols.rows, 16 * symbols.columns) or packet.shape != (positions,):
        raise ImportanceError(f"a picture of {luma.shape} and symbols of {symbols} are not of one frame")
    if len(sizes) != header.count:
        raise ImportanceError(f"{len(sizes)} packets of a frame of {header.count}: the sender has them all")
    before, memory = history.luma, history.memory
    if before is None or before.shape != luma.shape:
        # Nothing to compare with: a first picture changes nothing.
        before, memory = luma, np.zeros((len(_REMEMBERED), positions), np.float32)
    maps = np.empty((len(MAPS), positions), np.float32)
    _look(
        luma,
        before,
        symbols.columns,
        symbols.rows,
        symbols.kind,
        symbols.reference,
        symbols.vectors,
        max(header.distance, 1),
        symbols.levels,
        maps,
    )
    maps[_OWN:] = memory
    memory = _DECAY * memory + (1 - _DECAY) * maps[_REMEMBERED]
    since = 0 if header.key else history.frames_since_key + 1
    scalars, level = _scalars(header, packet, sizes, since, history.bytes)
    shaped = maps.reshape(len(MAPS), symbols.rows, symbols.columns)
    return FrameFeatures(shaped, scalars, packet), History(luma, memory, since, level)


def features_of(video: SentVideo) -> Iterator[FrameFeatures]:
    """Features of each frame of a video, as its sender had them.

    Raises ImportanceError where packets are absent.
    """
    pictures = video.play(video.everything).pictures
    history = History()
    for packets, picture in zip(video.packets, pictures):
        if not packets or len(packets) != packets[0].packet.header.count:
            raise ImportanceError(
                "a frame lacks packets: importance is predicted where all are, at the sender"
            )
        header = packets[0].packet.header
        grid = video.setup.grid(header.half)
        symbols = assemble(grid.columns, grid.rows, packets).symbols
        sizes = [len(p.packet) for p in packets]
        features, history = look(history, header, symbols, picture, header.map(video.setup).packet, sizes)
        yield features


def _scalars(
    header: FrameHeader, packet: np.ndarray, sizes: Sequence[int], since: int, before: float | None
) -> tuple[np.ndarray, float]:
    size = np.asarray(sizes, np.float32)
    total = float(np.log2(size.sum()))
    out = np.empty((header.count, len(SCALARS)), np.float32)
    out[:, 0] = np.log2(size)
    out[:, 1] = size / size.sum()
    out[:, 2] = np.log2(np.bincount(packet, minlength=header.count))
    out[:, 3] = header.key
    out[:, 4] = header.long
    out[:, 5] = header.half
    out[:, 6] = np.log2(header.count)
    out[:, 7] = header.quality / 64
    out[:, 8] = header.distance / 16
    out[:, 9] = np.log2(1 + since)
    out[:, 10] = 0 if before is None else total - before
    return out, total if before is None else _BEFORE * before + (1 - _BEFORE) * total


@njit(cache=True, nogil=True)
def _look(luma, before, columns, rows, kind, reference, vectors, distance, levels, out):
    """The maps of the frame itself into the first rows of out (maps, P)."""
    height, width = luma.shape
    motion = np.zeros((columns * rows, 2), np.float32)
    for p in range(columns * rows):
        if kind[p] < INTRA:
            scale = 0.25 / distance if reference[p] == LONG else 0.25
            for b in range(4):
                motion[p, 0] += scale * vectors[p, b, 0]
                motion[p, 1] += scale * vectors[p, b, 1]
    for p in range(columns * rows):
        px, py = p % columns, p // columns
        change, most, light, gradient = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
        for b in range(4):
            y0, x0 = 16 * py + 8 * (b >> 1), 16 * px + 8 * (b & 1)
            here = np.int32(0)
            for y in range(y0, y0 + 8):
                for x in range(x0, x0 + 8):
                    here += abs(np.int32(luma[y, x]) - np.int32(before[y, x]))
                    light += np.int32(luma[y, x])
                for x in range(x0 + 1, x0 + 8):
                    gradient += abs(np.int32(luma[y, x]) - np.int32(luma[y, x - 1]))
            for y in range(y0 + 1, y0 + 8):
                for x in range(x0, x0 + 8):
                    gradient += abs(np.int32(luma[y, x]) - np.int32(luma[y - 1, x]))
            change += here
            most = max(most, here)
        around_x, around_y, n = 0.0, 0.0, 0
        for side in range(4):
            qx = px + (-1, 1, 0, 0)[side]
            qy = py + (0, 0, -1, 1)[side]
            if qx >= 0 and qy >= 0 and qx < columns and qy < rows and kind[qy * columns + qx] < INTRA:
                around_x += motion[qy * columns + qx, 0]
                around_y += motion[qy * columns + qx, 1]
                n += 1
        if n > 0:
            around_x /= n
            around_y /= n
        # Whole samples; what lies outside is the border's.
        move_x, move_y = int(np.round(0.25 * around_x)), int(np.round(0.25 * around_y))
        wrong = np.int32(0)
        left = 16 * px + move_x
        inside = left >= 0 and left + 16 <= width
        for y in range(16 * py, 16 * py + 16):
            v = min(max(y + move_y, 0), height - 1)
            if inside:
                for x in range(16):
                    wrong += abs(np.int32(luma[y, 16 * px + x]) - np.int32(before[v, left + x]))
            else:
                for x in range(16):
                    u = min(max(left + x, 0), width - 1)
                    wrong += abs(np.int32(luma[y, 16 * px + x]) - np.int32(before[v, u]))
        odd = abs(motion[p, 0] - around_x) + abs(motion[p, 1] - around_y)
        contrast = gradient / 448.0  # 4 blocks of 2 * 56 differences
        total, nonzero = np.int32(0), np.int32(0)
        for i in range(levels.shape[1]):
            level = np.int32(abs(np.int32(levels[p, i])))
            total += level
            nonzero += np.int32(level > 0)
        out[0, p] = np.log2(1 + change / 256)
        out[1, p] = np.log2(1 + most / 64)
        out[2, p] = np.log2(1 + np.sqrt(motion[p, 0] ** 2 + motion[p, 1] ** 2))
        out[3, p] = np.log2(1 + odd)
        # Quarter samples to samples.
        out[4, p] = np.log2(1 + 0.25 * odd * contrast)
        out[5, p] = np.log2(1 + wrong / 256)
        out[6, p] = np.log2(1.0 + total)
        out[7, p] = np.log2(1.0 + nonzero)
        out[8, p] = kind[p] == INTRA
        out[9, p] = kind[p] < INTRA and reference[p] == LONG
        out[10, p] = np.log2(1 + contrast)
        out[11, p] = light / (256 * 128.0) - 1
        out[12, p] = (2 * px + 1) / columns - 1
        out[13, p] = (2 * py + 1) / rows - 1
