"""Small moving clips, coded once and shared by the tests of the codec."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from t4vcodec.codec import Encoder, Packet, Setup
from t4vcodec.codec.coded_frame import CodedFrame
from t4vcodec.codec.contexts import ALPHABET, CONTEXTS, LEVEL_CLASSES, SECTIONS
from t4vcodec.codec.entropy import Coder
from t4vcodec.codec.packets import FrameHeader
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.state import DecoderState
from t4vcodec.codec.symbols import FrameSymbols
from t4vcodec.codec.syntax import PARTS, walk
from t4vcodec.codec.tables import Tables
from t4vcodec.media import Colour, Frame

torch.set_num_threads(1)


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """(height, width) uint8, smooth at several sizes."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width))
    for size, amplitude in ((32, 60), (8, 30), (2, 12)):
        grid = rng.normal(size=(height // size + 2, width // size + 2)) * amplitude
        y, x = np.arange(height) / size, np.arange(width) / size
        iy, ix = y.astype(int), x.astype(int)
        fy, fx = (y - iy)[:, None], (x - ix)[None, :]
        rows = grid[iy] * (1 - fy) + grid[iy + 1] * fy
        total += rows[:, ix] * (1 - fx) + rows[:, ix + 1] * fx
    return np.clip(total + 128, 16, 235).astype(np.uint8)


def moving(width: int, height: int, frames: int, seed: int = 0, fps: int = 25) -> list[Frame]:
    """A textured square that crosses a panning textured background, with a little noise."""
    rng = np.random.default_rng(seed)
    ground = texture(height + frames + 8, width + 2 * frames + 8, seed)
    thing = texture(height // 2 + 2, width // 2 + 2, seed + 1000)
    out = []
    for i in range(frames):
        y = ground[i // 2 : i // 2 + height, i : i + width].astype(np.int64)
        h, w = max(height // 3, 1), max(width // 3, 1)
        top, left = height // 4, int((width - w) * (0.5 + 0.5 * np.sin(i / 9)))
        y[top : top + h, left : left + w] = thing[:h, :w]
        y = np.clip(y + rng.normal(size=y.shape), 0, 255).astype(np.uint8)
        small = np.pad(y, ((0, height % 2), (0, width % 2)), mode="edge")[::2, ::2]
        out.append(Frame(y, small // 2 + 60, 190 - small // 2, i / fps, Colour()))
    return out


def random_symbols(header: FrameHeader, setup: Setup, tables: Tables, seed: int) -> tuple[FrameSymbols, ...]:
    """A frame of valid symbols and its copies: what random bits decode to. Any symbol can come out."""
    packets = header.map(setup)
    out = tuple(FrameSymbols.lost(packets.columns, packets.rows) for _ in range(2))
    t = (tables.cumulated, tables.row, tables.cost, np.zeros((1, 1), np.int64), np.zeros(len(PARTS)))
    for copy, symbols in enumerate(out):
        for index, order in enumerate(packets.order):
            bits = hashlib.shake_128(f"{seed} {copy} {index}".encode()).digest(1500 * order.size)
            coder = Coder.decoder(bits)
            walk(
                *(coder.arrays, t, order, packets.near, bool(copy), header.frame_class, header.quality),
                *(max(header.distance, 1), symbols.arrays),
            )
    return out


def same_pictures(a: Picture | None, b: Picture | None) -> bool:
    if a is None or b is None:
        return a is b
    return all(torch.equal(p, q) for p, q in ((a.y, b.y), (a.u, b.u), (a.v, b.v)))


def same_states(a: DecoderState, b: DecoderState) -> bool:
    """Whether everything is the same, samples included (`==` of states compares hashes)."""
    return (
        a == b
        and (a.long_number, a.blind, a.half) == (b.long_number, b.blind, b.half)
        and same_pictures(a.last, b.last)
        and same_pictures(a.long, b.long)
        and [n for n, _ in a.recent] == [n for n, _ in b.recent]
        and all(same_pictures(p, q) for (_, p), (_, q) in zip(a.recent, b.recent))
        and (a.motion is b.motion or np.array_equal(a.motion, b.motion))
    )


@dataclass(frozen=True)
class Coded:
    """A clip through the encoder. packets, symbols and reconstructions by frame."""

    setup: Setup
    frames: list[Frame]
    packets: list[list[Packet]]
    symbols: list[CodedFrame]
    reconstructions: list[Picture]


def code_clip(frames: list[Frame], fps: Fraction = Fraction(25), **options: float) -> Coded:
    setup = Setup(frames[0].width, frames[0].height, fps)
    encoder = Encoder(setup, **options)
    packets, symbols, reconstructions = [], [], []
    for frame in frames:
        packets.append(encoder.push(frame))
        symbols.append(encoder.coded)
        reconstructions.append(encoder.reconstruction)
    return Coded(setup, frames, packets, symbols, reconstructions)


@pytest.fixture(scope="session")
def tables() -> Tables:
    """Tables that no training changes, made by integer arithmetic alone: eleven for each section."""
    row = np.zeros(CONTEXTS, np.uint16)
    frequencies = []
    for first, end, size in SECTIONS:
        row[first:end] = len(frequencies) + np.arange(end - first) % 11
        for i in range(11):
            weights = [(4096 >> (k * (i + 1) // 4)) + 1 + (37 * k + 11 * i) % 50 for k in range(size)]
            frequency = [w * (65536 - size) // sum(weights) + 1 for w in weights] + [0] * (ALPHABET - size)
            frequency[0] += 65536 - sum(frequency)
            frequencies.append(frequency)
    return Tables(row, np.array(frequencies), np.tile(np.array([20, -10], np.int8), (LEVEL_CLASSES, 1)))


@pytest.fixture(scope="session")
def clip() -> Coded:
    """24 frames of 64x48: a key frame, a long-term frame with copies, plain frames with two references."""
    return code_clip(moving(64, 48, 24), quality=20)


@pytest.fixture(scope="session")
def starved() -> Coded:
    """20 frames of 112x80 coded at half size."""
    return code_clip(moving(112, 80, 20), kbps=4.0)


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., list[Frame]]:
    return moving


@pytest.fixture(scope="session")
def encode() -> Callable[..., Coded]:
    return code_clip


@pytest.fixture(scope="session")
def valid_symbols() -> Callable[..., tuple[FrameSymbols, ...]]:
    return random_symbols


@pytest.fixture(scope="session")
def pictures_equal() -> Callable[..., bool]:
    return same_pictures


@pytest.fixture(scope="session")
def states_equal() -> Callable[..., bool]:
    return same_states
