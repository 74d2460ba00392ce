"""A byte-wise range coder in integers: the last step to the wire and the first from it.

How it works. The coder keeps an interval [low, low + range) of 64-bit numbers. A symbol whose table row gives
it the cumulated frequencies [a, b) of 65,536 shrinks the interval to that share of itself; the frequent
symbol shrinks it little and so costs few bits. Whenever the range falls below 2^56 the top byte of `low` is
written and the interval is shifted up. A later symbol may still push `low` over the top: then the carry runs
back into the bytes that were written (they lie in memory). So no interval is ever cut, and the loss against
-log2 of the probabilities is below 2^-20 a symbol.

The decoder keeps how far the payload lies above `low`. An interval of 2^56 or more holds a number whose last
seven bytes are zero, so one byte of tail says all; the decoder knows which one the encoder must have written,
and a payload of another length or tail is refused: `finish_decoder`.

All state is integer, so the same symbols come out on every machine. Reading beyond the end yields zero bytes;
nothing here can read or write out of bounds.

One function, `code`, serves as encoder, decoder and counter, told by `op`: what is written with it is written
once, and the three can not drift apart.

>>> import numpy as np
>>> from t4vcodec.codec import entropy as e
>>> cum = np.array([[0, 40000, 60000, 65536]], dtype=np.uint32)
>>> enc = e.Coder.encoder(capacity=16)
>>> for s in [0, 2, 0, 1]:
...     _ = e.code(*enc.arrays, cum, 0, s)
>>> data = enc.finish(); len(data)
1
>>> dec = e.Coder.decoder(data)
>>> [int(e.code(*dec.arrays, cum, 0, 0)) for _ in range(4)], dec.ended_exactly()
([0, 2, 0, 1], True)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

ENCODE, DECODE, COUNT = 0, 1, 2

# Positions in the register array and in the input/output array.
LOW, RANGE, CODE = 0, 1, 2
OP, POS, LIMIT, FULL = 0, 1, 2, 3  # FULL: the buffer overflowed, or the input is none of an encoder's

_TOP = np.uint64(1 << 56)
_TOP_MASK = np.uint64((1 << 56) - 1)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_8 = np.uint64(8)
_16 = np.uint64(16)
_48 = np.uint64(48)
_56 = np.uint64(56)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(cache=True, nogil=True, inline="always")
def _next_byte(io, buf):
    pos = io[POS]
    io[POS] = pos + 1
    if pos < io[LIMIT]:
        return np.uint64(buf[pos])
    return _ZERO


@njit(cache=True, nogil=True)
def _narrow(reg, io, buf, above, rng):
    """Go on to the interval of size `rng` that starts `above` the present one's start."""
    low = reg[LOW] + above
    if io[OP] == ENCODE:
        if low < above:
            # The carry: it can not run beyond the first byte, for the interval began below 2^64.
            i = io[POS] - 1
            while i >= 0 and buf[i] == 255:
                buf[i] = 0
                i -= 1
            if i >= 0:
                buf[i] += 1
    else:
        reg[CODE] -= above
    while rng < _TOP:
        if io[OP] == ENCODE:
            if io[POS] < io[LIMIT]:
                buf[io[POS]] = np.uint8(low >> _56)
                io[POS] += 1
            else:
                io[FULL] = 1
        else:
            reg[CODE] = (reg[CODE] << _8) | _next_byte(io, buf)
        low = low << _8
        rng = rng << _8
    reg[LOW] = low
    reg[RANGE] = rng


@njit(cache=True, nogil=True)
def code(reg, io, buf, cum, row, symbol):
    """Code one symbol by row `row` of the cumulated frequencies `cum` (rows, alphabet + 1), uint32 to 65,536.

    Encoding takes `symbol` and gives it back; decoding ignores it and returns the one read.
    """
    r = reg[RANGE] >> _16
    if io[OP] == DECODE:
        target = reg[CODE] // r
        if target > np.uint64(65535):
            io[FULL] = 1  # no encoder writes this
            target = np.uint64(65535)
        t = np.uint32(target)
        symbol = 0
        while cum[row, symbol + 1] <= t:
            symbol += 1
    a = np.uint64(cum[row, symbol])
    b = np.uint64(cum[row, symbol + 1])
    _narrow(reg, io, buf, r * a, r * (b - a))
    return symbol


@njit(cache=True, nogil=True)
def code_raw(reg, io, buf, bits, value):
    """Code `bits` (0 to 16) equally likely bits, most significant first."""
    if bits == 0:
        return 0
    n = np.uint64(bits)
    r = reg[RANGE] >> n
    if io[OP] == DECODE:
        target = reg[CODE] // r
        top = (_ONE << n) - _ONE
        if target > top:
            io[FULL] = 1
            target = top
        value = np.int64(target)
    _narrow(reg, io, buf, r * np.uint64(value), r)
    return value


@njit(cache=True, nogil=True)
def finish_encoder(reg, io, buf):
    """Write the tail; returns the payload's length, or -1 if the buffer was too small."""
    if io[FULL] == 0 and io[POS] == io[LIMIT]:
        io[FULL] = 1
    if io[FULL] != 0:
        return -1
    # Up to the next multiple of 2^56, which lies in the interval.
    _narrow(reg, io, buf, (_ZERO - reg[LOW]) & _TOP_MASK, _ONE << _48)
    return io[POS]


@njit(cache=True, nogil=True)
def finish_decoder(reg, io, buf):
    """Whether the payload ends exactly where and as the encoder would have ended it."""
    rest = (_ZERO - reg[LOW]) & _TOP_MASK
    return io[FULL] == 0 and io[POS] - 7 == io[LIMIT] and reg[CODE] == rest


@njit(cache=True, nogil=True)
def start_decoder(reg, io, buf):
    reg[LOW] = _ZERO
    reg[RANGE] = _ALL
    c = _ZERO
    for _ in range(8):
        c = (c << _8) | _next_byte(io, buf)
    reg[CODE] = c


@dataclass(frozen=True, eq=False)
class Coder:
    """The registers, counters and buffer that the kernels of this module work on."""

    reg: np.ndarray
    io: np.ndarray
    buf: np.ndarray

    @classmethod
    def encoder(cls, capacity: int) -> Coder:
        """Writes at most `capacity` bytes."""
        reg = np.array([0, 0xFFFFFFFFFFFFFFFF, 0], dtype=np.uint64)
        io = np.array([ENCODE, 0, capacity, 0], dtype=np.int64)
        return cls(reg, io, np.zeros(capacity, np.uint8))

    @classmethod
    def decoder(cls, data: bytes) -> Coder:
        """Reads `data`, and zeros beyond its end."""
        reg = np.zeros(3, dtype=np.uint64)
        io = np.array([DECODE, 0, len(data), 0], dtype=np.int64)
        coder = cls(reg, io, np.frombuffer(data, np.uint8).copy() if data else np.zeros(1, np.uint8))
        start_decoder(*coder.arrays)
        return coder

    @classmethod
    def counter(cls) -> Coder:
        """Codes nothing: for walks that count symbols or bits."""
        return cls(np.zeros(3, np.uint64), np.array([COUNT, 0, 0, 0], dtype=np.int64), np.zeros(1, np.uint8))

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.reg, self.io, self.buf

    def finish(self) -> bytes | None:
        """The payload, or None if it did not fit the capacity."""
        n = finish_encoder(*self.arrays)
        return None if n < 0 else self.buf[:n].tobytes()

    def ended_exactly(self) -> bool:
        return bool(finish_decoder(*self.arrays))
