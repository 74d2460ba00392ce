"""Cutting a coded frame into payloads and putting it together again, whatever the codec.

A frame is cut into as few payloads as the limit allows, of nearly equal size: erasure codes fill all of a
block's packets up to its longest. A format (RFC 6184, RFC 7798, AV1, RFC 9628) says what stands in front of each
part, and reads it back as a `Part`.

Which payload of a frame is missing, a receiver learns from RTP's sequence numbers. They are part of the 40 bytes
that are counted for each packet and not built, so `in_places` finds an arrived payload's place among those
sent; nothing else of what was sent is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


class PayloadError(ValueError):
    """Bytes that are no payload of the format, or hold no header where one must be."""


@dataclass(frozen=True)
class Part:
    """What one payload holds of a frame."""

    first: bool
    """The frame begins here."""
    last: bool
    """The frame ends here."""
    data: bytes


@dataclass(frozen=True)
class Joined:
    """What is at hand of a frame."""

    data: bytes
    """Everything up to the first gap."""
    whole: bool


@dataclass(frozen=True)
class Format:
    """How a codec's frames travel."""

    cut: Callable[[bytes, int, bool], list[bytes]]
    """(one frame's coded data, largest payload in bytes, is a key frame) -> payloads in order."""
    parse: Callable[[bytes], Part]
    """One payload; raises `PayloadError` and nothing else on any bytes."""


def equal_parts(data: bytes, limit: int) -> list[bytes]:
    """`data` in as few parts of at most `limit` bytes as possible; sizes differ by at most one byte."""
    if limit < 1:
        raise PayloadError("payloads are too small for their own headers")
    count = max(1, -(-len(data) // limit))
    ends = [len(data) * i // count for i in range(count + 1)]
    return [data[a:b] for a, b in pairwise(ends)]


def in_places(sent: Sequence[bytes], arrived: Sequence[bytes]) -> list[bytes | None]:
    """The payloads of a frame in sending order, None where one is missing.

    What isn't among those sent is damaged: it would not pass UDP's check sum, and is left out.
    """
    waiting = list(arrived)
    placed: list[bytes | None] = []
    for payload in sent:
        if payload in waiting:
            waiting.remove(payload)
            placed.append(payload)
        else:
            placed.append(None)
    return placed


def join(form: Format, payloads: Sequence[bytes | None]) -> Joined:
    """What the payloads of one frame, in sending order, hold of it. Raises `PayloadError`."""
    data: list[bytes] = []
    for at, payload in enumerate(payloads):
        if payload is None:
            break
        part = form.parse(payload)
        if part.first != (at == 0):
            break
        data.append(part.data)
        if part.last:
            return Joined(b"".join(data), at + 1 == len(payloads))
    return Joined(b"".join(data), False)
