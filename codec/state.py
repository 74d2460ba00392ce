"""The decoder's state: an immutable value, and the step that closes one frame.

    step(state, packets of one frame) -> (state, picture)

A step depends on the set of packets only, not on their order. The state's 32-bit hash chains the number of
each frame with index and check sum of every packet applied; two sides with the same hash hold the same state.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from t4vcodec.codec.concealment import conceal_motion, fill_smoothly, motion_to_last
from t4vcodec.codec.damage import damage_after
from t4vcodec.codec.erasure import Received, assemble
from t4vcodec.codec.models import Model
from t4vcodec.codec.packets import FrameHeader, PacketSymbols
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.prediction import Prediction
from t4vcodec.codec.reconstruct import (
    Planes,
    base_steps,
    blocks_of,
    plane_of,
    predict_frame,
    reconstruct,
)
from t4vcodec.codec.setup import Setup
from t4vcodec.codec.symbols import INTRA, FrameSymbols
from t4vcodec.codec.synthesising import Synthesising

MAX_BLIND = 6  # frames in a row without any packet that go on by the motion before; then the picture stands
KEPT = 16  # pictures that may still be named as the long-term reference


@dataclass(frozen=True, eq=False)
class DecoderState:
    """What a decoder holds between frames.

    number: unwrapped number of the frame closed last, -1 before the first. last: its picture. long: the
    long-term reference and long_number its frame. recent: (number, picture) of the latest frames, any of which
    a packet may name as the long-term reference (the frame that was to be one may be lost whole). motion:
    (P, 4, 2) motion of the last frame, for concealment. blind: frames since the last that had a packet.
    half: whether pictures are of half size. sighted: the picture before the `blind` frames, None if blind is 0.
    """

    hash: int = 0
    number: int = -1
    last: Picture | None = None
    long: Picture | None = None
    long_number: int = -1
    recent: tuple[tuple[int, Picture], ...] = ()
    motion: np.ndarray | None = None
    blind: int = 0
    half: bool = False
    sighted: Picture | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DecoderState) and (self.hash, self.number) == (other.hash, other.number)

    def __hash__(self) -> int:
        return self.hash

    def __repr__(self) -> str:
        return f"DecoderState(frame {self.number}, hash {self.hash:08x}, {self.last})"


def chained(state_hash: int, number: int, packets: Iterable[tuple[int, int]]) -> int:
    """The hash after frame `number` was closed with `packets`: (index, check sum) of each that arrived."""
    record = b"".join(bytes((i,)) + c.to_bytes(2, "big") for i, c in sorted(packets))
    return zlib.crc32(number.to_bytes(8, "big") + record, state_hash)


def render(
    received: Received,
    header: FrameHeader,
    last: Picture | None,
    long: Picture | None,
    motion: np.ndarray | None,
    model: Model,
    added: Planes | None = None,
) -> tuple[Picture, FrameSymbols]:
    """Picture of a frame of which `received` is there, and its symbols with the holes concealed.

    added: see `reconstruct`.
    """
    symbols = received.symbols
    lost = ~symbols.received
    copies = None if header.key else received.copies
    whole = conceal_motion(symbols, header.distance, motion, copies) if lost.any() else symbols
    base = base_steps(symbols, header.quality, received.coarse)
    synthesising = None
    if model.synthesis is not None:
        before = (None, None) if header.key else (last.damage, long.damage)
        damage = damage_after(whole, lost, received.coarse, *before)
        synthesising = Synthesising(model.synthesis, header.strength, lost, received.coarse, damage)
    if header.key:
        # Nothing before a key frame is of use: holes are filled from around.
        prediction = predict_frame(whole, None, None, base)
        if lost.any():
            prediction = _around(whole, prediction, lost, model)
    else:
        prediction = predict_frame(whole, last, long, base)
    return reconstruct(whole, prediction, model.tables, synthesising, added), whole


def _around(symbols: FrameSymbols, prediction: Prediction, lost: np.ndarray, model: Model) -> Prediction:
    """The prediction of a key frame with its holes filled smoothly from the pictures of what arrived."""
    decoded = reconstruct(symbols, prediction, model.tables)
    filled = (
        fill_smoothly(p, lost, symbols.columns, symbols.rows) for p in (decoded.y, decoded.u, decoded.v)
    )
    where = torch.from_numpy(lost.reshape(symbols.rows, symbols.columns))[:, :, None, None]
    planes = (
        plane_of(torch.where(where, blocks_of(f.round(), size), blocks_of(p, size)))
        for f, p, size in zip(filled, prediction.planes, (16, 8, 8))
    )
    y, u, v = planes
    return replace(prediction, y=y, u=u, v=v)


def step(
    state: DecoderState,
    packets: Sequence[PacketSymbols],
    setup: Setup,
    model: Model,
    dtype: torch.dtype = torch.float32,
    added: Planes | None = None,
) -> tuple[DecoderState, Picture]:
    """Close the next frame with the packets of it that arrived (none, some or all; one header for all).

    added: planes that the residual is changed by, for gradients with respect to it; without effect if no packet
    arrived.
    """
    arrived = [(p.packet.index, p.packet.checksum) for p in packets]
    if not packets:
        return close_frame(state, None, None, arrived, setup, model, dtype)
    header = packets[0].packet.header
    grid = setup.grid(header.half)
    received = assemble(grid.columns, grid.rows, packets)
    return close_frame(state, received, header, arrived, setup, model, dtype, added)


def close_frame(
    state: DecoderState,
    received: Received | None,
    header: FrameHeader | None,
    arrived: Iterable[tuple[int, int]],
    setup: Setup,
    model: Model,
    dtype: torch.dtype = torch.float32,
    added: Planes | None = None,
) -> tuple[DecoderState, Picture]:
    """`step` for a frame put together already; `received` is None where nothing of it arrived.

    arrived: index and check sum of each packet that did.
    """
    number = state.number + 1
    new_hash = chained(state.hash, number, arrived)
    if received is None:
        return _blind_step(state, number, new_hash, setup, model, dtype)
    if 0 < state.blind <= MAX_BLIND and not header.key and state.half == header.half:
        state = _look_back(state, received, header, model, dtype)
    size = setup.grid(header.half).size
    last, long, long_number = references(state, header, size, dtype)
    motion = state.motion if state.half == header.half else None
    picture, symbols = render(received, header, last, long, motion, model, added)
    picture = picture.to(dtype)
    for _, kept in state.recent:
        if kept is not long and kept is not picture:
            kept.forget_phases()
    return settled(state, header, picture, symbols, (long, long_number), new_hash), picture


def references(
    state: DecoderState, header: FrameHeader, size: tuple[int, int], dtype: torch.dtype = torch.float32
) -> tuple[Picture, Picture, int]:
    """The last picture and the long-term reference, with its number, that the next frame is decoded by.

    size: height and width of the coded picture; where the state has none of this size they are grey.
    """
    number = state.number + 1
    fits = state.last is not None and state.half == header.half
    last = state.last if fits else Picture.grey(*size, dtype=dtype)
    long, long_number = state.long, state.long_number
    if not header.key and long_number != number - header.distance:
        for kept, picture in state.recent:
            if kept == number - header.distance:
                long, long_number = picture, kept
    if long is None or not fits:
        long, long_number = last, number - max(header.distance, 1)
    return last, long, long_number


def settled(
    state: DecoderState,
    header: FrameHeader,
    picture: Picture,
    symbols: FrameSymbols,
    long: tuple[Picture, int],
    new_hash: int,
) -> DecoderState:
    """The state after a frame was decoded to `picture`. symbols: nothing LOST. long: the reference it used."""
    number = state.number + 1
    if header.long:
        long = (picture, number)
    motion = np.zeros_like(symbols.vectors) if header.key else motion_to_last(symbols, header.distance)
    recent = (*(state.recent if state.half == header.half else ()), (number, picture))[-KEPT:]
    return DecoderState(new_hash, number, picture, *long, recent, motion, 0, header.half)


def _look_back(
    state: DecoderState, received: Received, header: FrameHeader, model: Model, dtype: torch.dtype
) -> DecoderState:
    """Frames that were lost whole, made again by the motion between what was seen before and after them."""
    symbols = received.copies if header.long and received.copies is not None else received.symbols
    before = np.zeros_like(symbols.vectors) if state.motion is None else state.motion
    still_unknown = (symbols.kind == INTRA)[:, None, None]
    after = motion_to_last(conceal_motion(symbols, header.distance, before), header.distance)
    after = np.where(still_unknown, before, after)
    if state.sighted is None or not (before.any() or after.any()):
        return state
    picture = state.sighted
    pictures = {}
    for i in range(1, state.blind + 1):
        share = i / (state.blind + 1)
        motion = np.round(before * (1 - share) + after * share).astype(np.int16)
        picture = _moved(picture, motion, model, dtype)
        pictures[state.number - state.blind + i] = picture
    recent = tuple((number, pictures.get(number, kept)) for number, kept in state.recent)
    return replace(state, last=picture, motion=motion, recent=recent)


def _moved(picture: Picture, motion: np.ndarray, model: Model, dtype: torch.dtype) -> Picture:
    """The picture one frame on by motion (P, 4, 2) alone."""
    rows, columns = picture.y.shape[0] // 16, picture.y.shape[1] // 16
    symbols = conceal_motion(FrameSymbols.lost(columns, rows), 1, motion)
    prediction = predict_frame(symbols, picture, picture, base_steps(symbols, 0))
    moved = reconstruct(symbols, prediction, model.tables).to(dtype)
    if model.synthesis is None:
        return moved
    gone, nothing = np.ones(symbols.kind.size, bool), np.zeros(symbols.kind.size, bool)
    return replace(moved, damage=damage_after(symbols, gone, nothing, picture.damage, None))


def _blind_step(
    state: DecoderState, number: int, new_hash: int, setup: Setup, model: Model, dtype: torch.dtype
) -> tuple[DecoderState, Picture]:
    """A frame of which nothing came: the picture moves on by its last motion for a while, then stands."""
    grid = setup.grid(state.half)
    picture = state.last
    motion = state.motion
    if picture is None:
        picture = Picture.grey(*grid.size, dtype=dtype)
    elif motion is not None and state.blind < MAX_BLIND and motion.any():
        picture = _moved(picture, motion, model, dtype)
    return (
        replace(
            state,
            hash=new_hash,
            number=number,
            last=picture,
            blind=state.blind + 1,
            sighted=state.last if state.blind == 0 else state.sighted,
            recent=(*state.recent, (number, picture))[-KEPT:],
        ),
        picture,
    )
