"""What training learns from: small pieces of clips, encoded by the codec as it stands, packets parsed.

A sample is encoded anew when the networks have changed, so that residuals fit the pictures they are
added to: a stream made with an old network teaches the new one to undo itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from t4vcodec.codec import Encoder, Setup
from t4vcodec.codec.models import load_tables
from t4vcodec.codec.packets import PacketSymbols, PayloadParser
from t4vcodec.codec.synthesising import FULL
from t4vcodec.errors import T4VError
from t4vcodec.media import Frame, open_video

WIDTH, HEIGHT = 192, 160
FRAMES = 20
LEAST_FRAMES = 6
QUALITIES = (8, 42)  # range that sample qualities are drawn from


class SampleError(T4VError):
    """A clip that can not be trained on."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A window of a clip: frames of WIDTH x HEIGHT (less where the clip is smaller)."""

    fps: Fraction
    frames: tuple[Frame, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """An encoded piece.

    packets: parsed, by frame. source: y (T, H, W), u and v (T, H/2, W/2), uint8.
    """

    setup: Setup
    packets: tuple[tuple[PacketSymbols, ...], ...]
    source: tuple[torch.Tensor, torch.Tensor, torch.Tensor]

    @property
    def frames(self) -> int:
        return len(self.packets)


def cut_piece(source: str, random: np.random.Generator) -> Piece:
    """A random window of a clip's first frames. Raises SampleError, T4VError."""
    with open_video(source, FRAMES) as video:
        info = video.info
        width, height = min(WIDTH, info.width // 2 * 2), min(HEIGHT, info.height // 2 * 2)
        left = int(random.integers(0, (info.width - width) // 2 + 1)) * 2
        top = int(random.integers(0, (info.height - height) // 2 + 1)) * 2
        frames = []
        for frame in video:
            luma = frame.y[top : top + height, left : left + width]
            u, v = (
                p[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2] for p in (frame.u, frame.v)
            )
            frames.append(replace(frame, y=luma.copy(), u=u.copy(), v=v.copy()))
        if len(frames) < LEAST_FRAMES:
            raise SampleError(f"{source}: {len(frames)} frames are too few, training needs {LEAST_FRAMES}")
        return Piece(info.fps, tuple(frames))


def encode_piece(piece: Piece, model: Path | str, quality: int, resilience: float) -> Sample:
    """Encode a piece with a model (name or file) and parse its packets, the synthesis in full strength."""
    first = piece.frames[0]
    setup = Setup(first.width, first.height, piece.fps, str(model))
    encoder = Encoder(setup, quality=quality, resilience=resilience, threads=1)
    parser = PayloadParser(setup, load_tables(setup.model))
    packets = []
    for frame in piece.frames:
        parsed = (parser.parse(p) for p in encoder.push(frame))
        packets.append(tuple(in_full(p) for p in parsed))
    planes = tuple(
        torch.from_numpy(np.stack([getattr(f, name) for f in piece.frames])) for name in ("y", "u", "v")
    )
    return Sample(setup, tuple(packets), planes)


def in_full(parsed: PacketSymbols) -> PacketSymbols:
    """The same with the synthesis in full strength."""
    header = replace(parsed.packet.header, strength=FULL)
    return replace(parsed, packet=replace(parsed.packet, header=header))


def draw_pieces(
    sources: Sequence[str], count: int, random: np.random.Generator
) -> tuple[list[Piece], list[str]]:
    """`count` pieces of clips drawn at random, and what was wrong with clips that had to be left out.

    Raises SampleError where no clip is of use.
    """
    pieces: list[Piece] = []
    problems: dict[str, str] = {}
    while len(pieces) < count:
        usable = [s for s in sources if s not in problems]
        if not usable:
            raise SampleError(f"no clip to train on: {next(iter(problems.values()), 'the folder is empty')}")
        source = usable[int(random.integers(len(usable)))]
        try:
            pieces.append(cut_piece(source, random))
        except T4VError as error:
            problems[source] = str(error)
    return pieces, list(problems.values())


def draw_quality(random: np.random.Generator) -> int:
    return int(random.integers(QUALITIES[0], QUALITIES[1] + 1))
