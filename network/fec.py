"""Forward error correction for packets that somebody else made: what to add, and what a receiver makes of it.

==============  ================================================================================================
kind            meaning
==============  ================================================================================================
``none``        packets as they are
``rs``          Reed-Solomon over blocks of `block` frames (`reed_solomon`): parity follows the last of them
``streaming``   parity with every frame, over the last `block` frames (`streaming_code`)
==============  ================================================================================================

`protect` makes the packets. `Protected.recovered` decodes, byte by byte, what a receiver gets back;
`recovered_count` only says which frames are whole, cheaply, for many loss patterns at once. Where not even
packets are wanted, `plan` knows from sizes alone what would be sent, and answers the same question.

A frame is shown as soon as it is whole and those before it are shown, and at the latest when its protection
has no more to give: with the last frame of its block, or `block` - 1 frames later in the streaming code. That
wait is its delay, counted frame by frame; `block` 1 has none. Media packets leave with their frame.

>>> media = [[b"key frame, part 1", b"key frame, part 2"], [b"small"], [b"frame"], [b"packets"]]
>>> sent = protect(media, [True, False, False, False], fps=25, protection=Protection("rs", 0.4, block=4))
>>> len(sent.packets), sent.media_bytes, sent.protection_bytes
(7, 51, 48)
>>> lost = [False, True, False, False, False, False, True]
>>> payloads, delays = sent.recovered(lost)
>>> payloads[0], delays
((b'key frame, part 1', b'key frame, part 2'), (3, 2, 1, 0))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np
from t4vcodec.network import reed_solomon, streaming_code
from t4vcodec.network.shards import MAX_BLOCK, PREFIX_BYTES, Arrival, FecError, Parity, make_shard
from t4vcodec.network.stream import HEADER_BYTES, MAX_PAYLOAD, SentPacket

__all__ = ["RESERVE", "FecError", "Plan", "Protected", "Protection", "overhead_bytes", "plan", "protect"]

_CODES = {"rs": reed_solomon, "streaming": streaming_code}

RESERVE = PREFIX_BYTES + max(code.HEADER.size for code in _CODES.values())
"""Bytes that protected media payloads must stay below `MAX_PAYLOAD`, so that parity fits into a packet."""

MAX_REDUNDANCY = 20.0
"""Parity packets for each media packet at most, key frames included."""


@dataclass(frozen=True)
class Protection:
    """What is added to media packets."""

    kind: str
    """``none``, ``rs`` or ``streaming``."""
    redundancy: float = 0.0
    """Parity packets for each media packet, (n - k) / k."""
    block: int = 1
    """Frames in a block, or in the window of the streaming code."""
    key_factor: float = 1.0
    """How many times the redundancy key frames get; in ``rs``, the blocks that hold one."""

    def __post_init__(self) -> None:
        if self.kind == "none":
            if (self.redundancy, self.block, self.key_factor) != (0, 1, 1):
                raise FecError("protection 'none' takes no redundancy, block or factor for key frames")
            return
        if self.kind not in _CODES:
            raise FecError(f"unknown protection '{self.kind}': take none, {' or '.join(_CODES)}")
        if not 1 <= self.block <= MAX_BLOCK:
            raise FecError(f"protection covers 1 to {MAX_BLOCK} frames, not {self.block}")
        if not self.redundancy > 0 or not 1 <= self.key_factor < math.inf:
            raise FecError("protection needs a redundancy above 0 and a factor for key frames of at least 1")
        if self.redundancy * self.key_factor > MAX_REDUNDANCY:
            raise FecError(
                f"protection adds at most {MAX_REDUNDANCY:g} times the packets, key frames included"
            )

    @property
    def delay_frames(self) -> int:
        """Frames that a frame waits at most before it is shown."""
        return self.block - 1

    @property
    def name(self) -> str:
        """Canonical spelling: ``rs:0.5:4``, ``streaming:0.5:4:key2``, ``none``."""
        if self.kind == "none":
            return self.kind
        factor = f":key{self.key_factor:g}" if self.key_factor != 1 else ""
        return f"{self.kind}:{self.redundancy:g}:{self.block}{factor}"


@dataclass(frozen=True, eq=False)
class Plan:
    """What is sent, in which order, of which size: everything but the bytes."""

    protection: Protection
    frames: int
    media_frames: np.ndarray
    """(M,) int: frame of each media packet."""
    parity: tuple[Parity, ...]
    packet_frames: np.ndarray
    """(N,) int: frame with which each packet leaves, media and parity in sending order."""
    packet_sizes: np.ndarray
    """(N,) int: payload bytes."""
    media_at: np.ndarray
    """(M,) int: where media packets stand in sending order."""
    parity_at: np.ndarray
    """(P,) int: where parity packets stand in sending order."""

    @property
    def media_bytes(self) -> int:
        """Payload bytes of media packets."""
        return int(self.packet_sizes[self.media_at].sum())

    @property
    def protection_bytes(self) -> int:
        """Payload bytes of parity packets, their own headers included."""
        return int(self.packet_sizes[self.parity_at].sum())

    @property
    def overhead_bytes(self) -> int:
        """All that protection adds to the bytes sent: parity and 40 bytes of headers for each of its packets."""
        return self.protection_bytes + HEADER_BYTES * len(self.parity)

    def recovered_count(self, lost: Sequence[bool] | np.ndarray) -> np.ndarray:
        """Which frames are whole when they are shown, (frames,) bool, without decoding a byte.

        lost: fate of each packet in sending order (True = lost), or (S, N) for S patterns at once; then
        (S, frames) comes back.
        """
        lost = self._fates(lost)
        return (self._whole_times(self._times(np.atleast_2d(lost))) >= 0).reshape(*lost.shape[:-1], -1)

    def delays(self, lost: Sequence[bool] | np.ndarray) -> np.ndarray:
        """Frames that each frame waits before it is shown; shapes as in `recovered_count`."""
        lost = self._fates(lost)
        return self._waits(self._times(np.atleast_2d(lost))).reshape(*lost.shape[:-1], -1)

    def _fates(self, lost: Sequence[bool] | np.ndarray) -> np.ndarray:
        fates = np.asarray(lost, bool)
        if fates.ndim not in (1, 2) or fates.shape[-1] != len(self.packet_frames):
            raise ValueError(f"expected {len(self.packet_frames)} fates, got an array of {fates.shape}")
        return fates

    def _times(self, lost: np.ndarray) -> np.ndarray:
        """When each media packet is in hand, (S, M) int; -1 for never."""
        rescue = self._counting.times(lost) if self.parity else -1
        return np.where(lost[:, self.media_at], rescue, self.media_frames)

    @cached_property
    def _counting(self) -> reed_solomon.Counting | streaming_code.Counting:
        code = _CODES[self.protection.kind].Counting
        return code.of(self.media_at, self.parity_at, self.parity)

    def _whole_times(self, times: np.ndarray) -> np.ndarray:
        """When each frame is whole, (S, frames) int; -1 for never. times: (S, M) as of `_times`."""
        whole = np.tile(np.arange(self.frames), (len(times), 1))
        if times.shape[1]:
            sent, starts = np.unique(self.media_frames, return_index=True)
            never = np.minimum.reduceat(times, starts, axis=1) < 0
            whole[:, sent] = np.where(never, -1, np.maximum.reduceat(times, starts, axis=1))
        return whole

    @cached_property
    def _deadlines(self) -> np.ndarray:
        """(frames,) int: frame with whose packets the last help for each frame comes."""
        if self.protection.kind == "rs":
            blocks = reed_solomon.blocks(self.frames, self.protection.block)
            return np.array([members[-1] for members in blocks for _ in members], int)
        return np.arange(self.frames) + self.protection.delay_frames

    def _waits(self, times: np.ndarray) -> np.ndarray:
        whole = self._whole_times(times)
        shown = np.maximum.accumulate(np.where(whole < 0, self._deadlines, whole), axis=1)
        return shown - np.arange(self.frames)


@dataclass(frozen=True, eq=False)
class Protected:
    """Packets of a clip with their protection."""

    plan: Plan
    packets: tuple[SentPacket, ...]
    """Media and parity in sending order; 40 bytes of headers come to each."""

    @property
    def protection(self) -> Protection:
        return self.plan.protection

    @property
    def media_bytes(self) -> int:
        """Payload bytes of media packets."""
        return self.plan.media_bytes

    @property
    def protection_bytes(self) -> int:
        """Payload bytes of parity packets, their own headers included."""
        return self.plan.protection_bytes

    def recovered_count(self, lost: Sequence[bool] | np.ndarray) -> np.ndarray:
        """Which frames are whole when they are shown: `Plan.recovered_count`."""
        return self.plan.recovered_count(lost)

    def recovered(self, lost: Sequence[bool]) -> tuple[tuple[tuple[bytes, ...], ...], tuple[int, ...]]:
        """What a receiver holds of each frame when it is shown, and how many frames it waited for that.

        lost: fate of each packet in sending order. Payloads come in order, from packets that arrived and from
        decoding those bytes and no others.
        """
        fates = self.plan._fates(lost)
        numbers: list[int | None] = [None] * len(self.packets)
        for number, at in enumerate(self.plan.media_at):
            numbers[at] = number
        arrivals = [
            Arrival(packet.frame, number, packet.data)
            for packet, number, gone in zip(self.packets, numbers, fates)
            if not gone
        ]
        held = {a.number: (a.frame, a.data) for a in arrivals if a.number is not None}
        times = np.where(fates[self.plan.media_at], -1, self.plan.media_frames)
        if self.plan.parity:
            for number, rescued in _CODES[self.protection.kind].decode(arrivals).items():
                held[number] = (rescued.frame, rescued.payload)
                times[number] = rescued.time
        payloads: list[list[bytes]] = [[] for _ in range(self.plan.frames)]
        for _, (frame, payload) in sorted(held.items()):
            payloads[frame].append(payload)
        waits = self.plan._waits(times[None])[0]
        return tuple(map(tuple, payloads)), tuple(waits.tolist())


def plan(payload_sizes: Sequence[Sequence[int]], keys: Sequence[bool], protection: Protection) -> Plan:
    """What protecting payloads of these sizes (bytes, frame by frame) would send.

    keys: which frames are key frames. Raises `FecError` where a payload leaves no room for parity's headers.
    """
    if len(keys) != len(payload_sizes):
        raise ValueError(f"{len(payload_sizes)} frames, but {len(keys)} say whether they are key frames")
    counts = tuple(map(len, payload_sizes))
    media = [size for sizes in payload_sizes for size in sizes]
    asked: tuple[float, ...] = ()
    if protection.kind != "none":
        if max(media, default=0) > MAX_PAYLOAD - RESERVE:
            raise FecError(
                f"a payload of {max(media)} bytes leaves protection no room: cut media packets to at most"
                f" {MAX_PAYLOAD - RESERVE} bytes"
            )
        asked = tuple(protection.redundancy * (protection.key_factor if key else 1) for key in keys)
    layout = _layout(protection.kind, counts, asked, protection.block)
    longest = [max(media[span]) for span in layout.spans]
    own = _CODES[protection.kind].HEADER.size + PREFIX_BYTES if layout.parity else 0
    sizes = np.array(media + [own + longest[span] for span in layout.span_of], int)
    return Plan(
        protection,
        len(counts),
        layout.media_frames,
        layout.parity,
        layout.packet_frames,
        sizes[layout.order],
        layout.media_at,
        layout.parity_at,
    )


@dataclass(frozen=True, eq=False)
class _Layout:
    """What of a plan the numbers of packets decide, whatever their sizes."""

    media_frames: np.ndarray
    parity: tuple[Parity, ...]
    spans: tuple[slice, ...]
    """Media packets of each code."""
    span_of: tuple[int, ...]
    """For each parity packet, which of `spans` it covers."""
    order: np.ndarray
    packet_frames: np.ndarray
    media_at: np.ndarray
    parity_at: np.ndarray


@lru_cache(maxsize=256)
def _layout(kind: str, counts: tuple[int, ...], asked: tuple[float, ...], block: int) -> _Layout:
    """A search plans many sizes of packets with the same numbers of them."""
    parity = tuple(_CODES[kind].plan_parity(counts, asked, block)) if asked else ()
    spans: dict[tuple[int, int, int], int] = {}
    span_of = tuple(spans.setdefault((p.base, p.covered[-1] + 1, p.stride), len(spans)) for p in parity)
    media_frames = np.repeat(np.arange(len(counts)), counts)
    frames = np.concatenate([media_frames, np.array([p.frame for p in parity], int)])
    # A stable sort by frame puts parity behind the media packets that it leaves with.
    order = np.argsort(frames, kind="stable")
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    arrays = media_frames, order, frames[order], place[: len(media_frames)], place[len(media_frames) :]
    for array in arrays:
        array.setflags(write=False)  # plans share them
    media_frames, order, packet_frames, media_at, parity_at = arrays
    return _Layout(
        media_frames,
        parity,
        tuple(slice(*span) for span in spans),
        span_of,
        order,
        packet_frames,
        media_at,
        parity_at,
    )


def protect(
    frames: Sequence[Sequence[bytes]], keys: Sequence[bool], fps: Fraction | float, protection: Protection
) -> Protected:
    """All packets of a clip, given its media payloads frame by frame.

    Raises `FecError` on payloads above `MAX_PAYLOAD` - `RESERVE` bytes where anything is to be added.
    """
    planned = plan([[len(payload) for payload in payloads] for payloads in frames], keys, protection)
    bodies = [payload for payloads in frames for payload in payloads]
    if planned.parity:
        shards = [make_shard(*pair) for pair in zip(bodies, planned.media_frames.tolist())]
        bodies += _CODES[protection.kind].encode(shards, planned.parity)
    ordered: list[bytes] = [b""] * len(bodies)
    for at, body in zip(np.concatenate([planned.media_at, planned.parity_at]), bodies):
        ordered[at] = body
    packets = tuple(
        SentPacket(body, frame, float(frame / fps))
        for body, frame in zip(ordered, planned.packet_frames.tolist())
    )
    return Protected(planned, packets)


def overhead_bytes(
    payload_sizes: Sequence[Sequence[int]], keys: Sequence[bool], protection: Protection
) -> int:
    """Bytes that protection adds, headers included, from sizes alone: `Plan.overhead_bytes`."""
    return plan(payload_sizes, keys, protection).overhead_bytes
