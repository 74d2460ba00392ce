"""H.264 in packets: Annex B to RTP payloads (RFC 6184) and back, and one repair for a decoder's sake.

Payloads are those of RFC 6184 in its non-interleaved mode: a NAL unit alone; several small ones of one frame
together (STAP-A); one that is too large for a packet in parts (FU-A). `packetise` cuts slices that just miss
the limit into two halves and no more, so that payloads alone tell that both came; `FORMAT` is for frames of one
slice, cut into equal parts.

The repair: `frame_num` counts reference pictures in as few as 4 bits. When whole frames are lost, a decoder
fills the gap it sees, and libavcodec shows nothing more once the count has wrapped, so that H.264 would look
far weaker than it is. `continue_frame_num` numbers what arrived without gaps: the decoder then predicts from
the last picture that it has, which is what a receiver that repeats pictures means by concealment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from t4vcodec.baselines.fragments import Format, Part, PayloadError, equal_parts
from t4vcodec.baselines.nal_units import Bits, escape, unescape
from t4vcodec.network.stream import MAX_PAYLOAD

SLICE, IDR, SEI, SPS, PPS, STAP_A, FU_A = 1, 5, 6, 7, 8, 24, 28
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128})
_SLICE_HEADER = 24
"""Bytes at a slice's head that surely hold its frame_num: three Exp-Golomb codes of at most 37 bits."""


def nal_type(nal: bytes) -> int:
    """Type of a NAL unit, 0 to 31."""
    return nal[0] & 31


def packetise(nals: Sequence[bytes], limit: int = MAX_PAYLOAD) -> list[bytes]:
    """Payloads of at most `limit` bytes for the NAL units of one frame, in order.

    Neighbours share a packet where they fit. Raises `PayloadError` on a NAL unit of more than two packets.
    """
    payloads: list[bytes] = []
    group: list[bytes] = []
    for nal in nals:
        if group and 1 + sum(2 + len(n) for n in (*group, nal)) > limit:
            payloads.append(_aggregate(group))
            group = []
        if len(nal) > limit:
            payloads += [*([_aggregate(group)] if group else []), *_halves(nal, limit)]
            group = []
        else:
            group.append(nal)
    return [*payloads, _aggregate(group)] if group else payloads


def _aggregate(nals: Sequence[bytes]) -> bytes:
    if len(nals) == 1:
        return nals[0]
    importance = max(nal[0] & 0x60 for nal in nals)
    return bytes([importance | STAP_A]) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)


def _halves(nal: bytes, limit: int) -> tuple[bytes, bytes]:
    body, room = nal[1:], limit - 2
    if len(body) > 2 * room:
        raise PayloadError(
            f"a NAL unit of {len(nal)} bytes does not fit into two packets: cut smaller slices"
        )
    indicator, kind, half = nal[0] & 0xE0 | FU_A, nal[0] & 31, (len(body) + 1) // 2
    return bytes([indicator, 0x80 | kind]) + body[:half], bytes([indicator, 0x40 | kind]) + body[half:]


def _cut(nal: bytes, limit: int, key: bool) -> list[bytes]:
    if len(nal) <= limit:
        return [nal]
    indicator, kind = nal[0] & 0xE0 | FU_A, nal[0] & 31
    parts = equal_parts(nal[1:], limit - 2)
    ends = [0x80, *[0] * (len(parts) - 2), 0x40]
    return [bytes([indicator, end | kind]) + part for end, part in zip(ends, parts)]


def _parse(payload: bytes) -> Part:
    if len(payload) < 2:
        raise PayloadError("a payload has at least 2 bytes")
    kind = payload[0] & 31
    if kind == FU_A:
        first, last = bool(payload[1] & 0x80), bool(payload[1] & 0x40)
        head = bytes([payload[0] & 0xE0 | payload[1] & 31]) if first else b""
        return Part(first, last, head + payload[2:])
    if 1 <= kind < STAP_A:
        return Part(True, True, payload)
    raise PayloadError(f"unknown payload type {kind}")


FORMAT = Format(_cut, _parse)
"""One NAL unit a frame: alone, or in equal parts (FU-A)."""


def depacketise(payloads: Sequence[bytes]) -> Iterator[bytes]:
    """NAL units of the payloads of one frame that arrived; of a halved one both halves or nothing.

    Raises `PayloadError` on bytes that are no payload.
    """
    first_half: bytes | None = None
    for payload in payloads:
        if len(payload) < 2:
            raise PayloadError("a payload has at least 2 bytes")
        waiting, first_half = first_half, None
        kind = payload[0] & 31
        if kind == STAP_A:
            yield from _parts(payload)
        elif kind == FU_A:
            head = bytes([payload[0] & 0xE0 | payload[1] & 31])
            if payload[1] & 0x80:
                first_half = head + payload[2:]
            elif waiting is not None and waiting[:1] == head:
                yield waiting + payload[2:]
        elif 1 <= kind < STAP_A:
            yield payload
        else:
            raise PayloadError(f"unknown payload type {kind}")


def _parts(payload: bytes) -> Iterator[bytes]:
    at = 1
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        nal = payload[at + 2 : at + 2 + size]
        if not nal or len(nal) < size:
            raise PayloadError("an aggregate ends within a NAL unit")
        yield nal
        at += 2 + size


def frame_num_bits(sps: bytes) -> int:
    """Width of `frame_num` in bits that a sequence parameter set states (H.264, 7.3.2.1.1)."""
    bits = Bits(unescape(sps[1:]))
    profile = bits.fixed(8)
    bits.fixed(16)
    bits.golomb()
    if profile in _HIGH_PROFILES:
        if bits.golomb() == 3:
            bits.fixed(1)
        bits.golomb()
        bits.golomb()
        bits.fixed(1)
        if bits.fixed(1):
            raise PayloadError("parameter sets with scaling matrices are not read")
    return 4 + bits.golomb()


def continue_frame_num(nal: bytes, width: int, number: int) -> bytes:
    """The slice `nal` with its `frame_num` of `width` bits replaced by `number` modulo 2^width."""
    raw = unescape(nal[1:])
    head = raw[:_SLICE_HEADER]
    bits = Bits(head)
    for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
        bits.golomb()
    bits.fixed(width)
    return nal[:1] + escape(bits.replaced(width, number) + raw[len(head) :])
