"""The `.t4v` file: a session's set-up and the packets of each frame, as they would be sent.

    with ContainerWriter("clip.t4v", setup, colour) as writer:
        for frame in video:
            writer.write(frame.time, encoder.push(frame))
    for frame in Playback(ContainerReader("clip.t4v")):  # see `playback`
        ...

Numbers are big-endian.

    head     magic (8), version (1), length of the body (2), body, CRC-32 of all before (4)
    body     width (2), height (2), frame rate: numerator (4), denominator (4); colour matrix (1),
             full range (1), CRC-32 of the model's file (4), the model's name in UTF-8 (1 to 255 bytes)
    frame    "\\xf4FRM", frame number (4), time in microseconds (8), packets (1), length of each (2 each),
             CRC-32 of the record so far (4), then the packets' bytes
    end      "\\xf4END", number of frames (4), CRC-32 of the record (4)

A file that was cut has no end mark: what is whole before the cut is read, and `Damage.truncated` says so.
Where a record's head is damaged the reader looks for the next whole one; frame numbers tell how many frames
went. Damage inside a packet is left to the packet's own check sum. No number in the file makes the reader
allocate: a record has at most 128 packets of at most 1,200 bytes, and a jump in the frame numbers is only
believed as far as the bytes skipped could have held frames.
"""

from __future__ import annotations

import math
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from t4vcodec.codec.models import model_path
from t4vcodec.codec.packet_map import MAX_PACKETS
from t4vcodec.codec.packets import MAX_PAYLOAD, Packet
from t4vcodec.codec.setup import Setup
from t4vcodec.errors import T4VError
from t4vcodec.media.frames import Colour

MAGIC = b"\x89T4V\r\n\x1a\n"
VERSION = 1
MATRICES = ("bt601", "bt709", "bt2020")
FRAME_MARK = b"\xf4FRM"
END_MARK = b"\xf4END"
MAX_MODEL_NAME = 255  # bytes
MAX_MODEL_BYTES = 1 << 28

_HEAD = struct.Struct(">8sBH")
_BODY = struct.Struct(">HHIIBBI")
_FRAME = struct.Struct(">4sIQB")
_END = struct.Struct(">4sI")
_CRC = struct.Struct(">I")
_MICRO = 1_000_000
_MAX_TIME = 1 << 53  # microseconds: 285 years, and exact as a float
_SCAN = 1 << 16


class ContainerError(T4VError):
    """A `.t4v` file that can not be read or written."""


@dataclass(frozen=True)
class StoredFrame:
    """A frame record. number: 0 and up. time: seconds. packets: wire bytes, unchecked, in sending order."""

    number: int
    time: float
    packets: tuple[bytes, ...]


@dataclass(frozen=True)
class Damage:
    """What was wrong with a file, known once it was read to its end.

    truncated: it has no end mark. skipped: bytes that belong to no whole record.
    """

    truncated: bool = False
    skipped: int = 0


def model_crc(name: str) -> int:
    """CRC-32 of a model's file: tells apart files of one name. Raises ModelError, ContainerError."""
    path = model_path(name)
    try:
        # The name may come from a file of unknown origin: read no more than a model can have.
        size = path.stat().st_size
        if size > MAX_MODEL_BYTES:
            raise ContainerError(f"{path}: is too large for a model: {size} bytes")
        with path.open("rb") as file:
            return zlib.crc32(file.read(size))
    except OSError as error:
        raise ContainerError(f"{path}: cannot be read: {error.strerror or error}") from None


class ContainerWriter:
    """Writes one file under a temporary name beside it; `close` gives it its name.

    Left by an exception it leaves nothing. Raises ContainerError.
    """

    def __init__(self, path: str | Path, setup: Setup, colour: Colour | None = None) -> None:
        self._path = Path(path)
        if self._path.is_dir():
            raise ContainerError(f"{path}: is a folder: give the name of a file")
        head = _head(setup, colour or Colour())
        self._part = self._path.parent / f".{self._path.name}.{secrets.token_hex(4)}.part"
        self._frames = 0
        self._file: BinaryIO | None = None
        try:
            self._file = open(self._part, "xb")  # noqa: SIM115 (kept until close)
        except OSError as error:
            raise self._unwritable(error) from None
        self._put(head)

    def write(self, time: float, packets: Sequence[Packet | bytes]) -> None:
        """Add the next frame, shown `time` seconds after the first."""
        blobs = [bytes(p) for p in packets]
        if len(blobs) > MAX_PACKETS or any(len(b) > MAX_PAYLOAD for b in blobs):
            raise ContainerError(f"a frame has at most {MAX_PACKETS} packets of at most {MAX_PAYLOAD} bytes")
        if not math.isfinite(time) or not 0 <= time * _MICRO < _MAX_TIME:
            raise ContainerError(f"frame {self._frames}: a time of {time} seconds is out of range")
        head = _FRAME.pack(FRAME_MARK, self._frames, round(time * _MICRO), len(blobs))
        head += struct.pack(f">{len(blobs)}H", *map(len, blobs))
        self._put(_sealed(head) + b"".join(blobs))
        self._frames += 1

    def close(self) -> None:
        """Finish the file and give it its name. A file without frames is refused."""
        if self._file is None:
            return
        if self._frames == 0:
            self.discard()
            raise ContainerError(f"{self._path}: no frames were written: there is nothing to keep")
        self._put(_sealed(_END.pack(END_MARK, self._frames)))
        try:
            self._file.close()
            os.replace(self._part, self._path)
        except OSError as error:
            self.discard()
            raise self._unwritable(error) from None
        self._file = None

    def discard(self) -> None:
        """Throw away what was written; what the name held before stays."""
        if self._file is not None:
            with suppress(OSError):  # closing flushes, and the disk may be full
                self._file.close()
            self._file = None
            with suppress(OSError):
                os.unlink(self._part)

    def _put(self, data: bytes) -> None:
        if self._file is None:
            raise ContainerError(f"{self._path}: is closed: open a new writer")
        try:
            self._file.write(data)
        except OSError as error:
            self.discard()
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> ContainerError:
        reason = error.strerror or error
        return ContainerError(f"{self._path}: cannot be written: {reason}: choose another place or make room")

    def __enter__(self) -> ContainerWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.discard()


def _sealed(data: bytes) -> bytes:
    return data + _CRC.pack(zlib.crc32(data))


def _head(setup: Setup, colour: Colour) -> bytes:
    name = setup.model.encode()
    if not 1 <= len(name) <= MAX_MODEL_NAME:
        raise ContainerError(f"a model's name has 1 to {MAX_MODEL_NAME} bytes: rename or move {setup.model}")
    body = _BODY.pack(
        setup.width,
        setup.height,
        setup.fps.numerator,
        setup.fps.denominator,
        MATRICES.index(colour.matrix),
        colour.full_range,
        model_crc(setup.model),
    )
    body += name
    return _sealed(_HEAD.pack(MAGIC, VERSION, len(body)) + body)


class ContainerReader:
    """Reads one file: its set-up at once, its frames when iterated, as often as wanted.

    Raises ContainerError for a file that is none or has a damaged head, and for a model that is not the one
    it was made with; ModelError, SetupError (T4VError all) for a model that is not there or a size out of
    range.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_file():
            raise ContainerError(f"{path}: is no file: give a .t4v file")
        with self._open() as file:
            data = file.read(_HEAD.size + _BODY.size + MAX_MODEL_NAME + _CRC.size)
        self.setup, self.colour, crc, self._start = _parse_head(str(path), data)
        if model_crc(self.setup.model) != crc:
            raise ContainerError(
                f"{path}: was made with another model of the name {self.setup.model}: encode it again, "
                "or put that version of the model in place"
            )
        self._damage: Damage | None = None

    @property
    def damage(self) -> Damage:
        """What was found wrong. Raises ContainerError before the file was read to its end."""
        if self._damage is None:
            raise ContainerError(f"{self.path}: not read to its end yet")
        return self._damage

    def __iter__(self) -> Iterator[StoredFrame]:
        """The whole frames, numbers rising; numbers that are missing were lost to damage.

        A last frame of which only the end mark knows comes without packets.
        """
        self._damage = None
        awaited, last_time, skipped, gap = 0, 0.0, 0, 0
        with self._open() as file:
            at = self._start
            while True:
                end = _read_end(file, at)
                frame = None
                if end is None:
                    frame = _read_frame(file, at)
                    number = frame[0].number if frame else None
                else:
                    number = end
                # Each frame that is missing must have left its bytes.
                if number is not None and not 0 <= number - awaited <= gap // (_FRAME.size + _CRC.size):
                    number = end = frame = None
                if number is None:
                    following = _next_mark(file, at + 1)
                    skipped += following - at
                    gap += following - at
                    if following == _size(file):
                        self._damage = Damage(truncated=True, skipped=skipped)
                        return
                    at = following
                    continue
                if frame is None:
                    if end > awaited:
                        yield StoredFrame(end - 1, last_time + (end - awaited) / float(self.setup.fps), ())
                    self._damage = Damage(skipped=skipped)
                    return
                stored, size = frame
                last_time = max(last_time, stored.time)
                yield replace(stored, time=last_time)
                awaited, gap = stored.number + 1, 0
                at += size

    def _open(self) -> BinaryIO:
        try:
            return open(self.path, "rb")
        except FileNotFoundError:
            raise ContainerError(f"{self.path}: there is no such file: check the path") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ContainerError(f"{str(self.path)!r}: cannot be read: {reason}") from None


def _parse_head(name: str, data: bytes) -> tuple[Setup, Colour, int, int]:
    """Set-up, colour, CRC of the model's file, and where the frames begin."""
    if not data:
        raise ContainerError(f"{name}: is an empty file: give a .t4v file")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise ContainerError(f"{name}: is no .t4v file: make one with t4vcodec encode")
    cut = ContainerError(f"{name}: ends within its head: the file is cut, get it again")
    if len(data) < _HEAD.size:
        raise cut
    _, version, length = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ContainerError(
            f"{name}: is of version {version}, this program reads version {VERSION}: update t4vcodec"
        )
    damaged = ContainerError(f"{name}: its head is damaged: get the file again")
    if not _BODY.size < length <= _BODY.size + MAX_MODEL_NAME:
        raise damaged
    end = _HEAD.size + length
    if len(data) < end + _CRC.size:
        raise cut
    if _CRC.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        raise damaged
    width, height, numerator, denominator, matrix, full_range, crc = _BODY.unpack_from(data, _HEAD.size)
    try:
        model = data[_HEAD.size + _BODY.size : end].decode()
        colour = Colour(MATRICES[matrix], bool(full_range))
        fps = Fraction(numerator, denominator)
    except (UnicodeDecodeError, IndexError, ZeroDivisionError):
        raise damaged from None
    return Setup(width, height, fps, model), colour, crc, end + _CRC.size


def _at(file: BinaryIO, at: int, size: int) -> bytes:
    try:
        file.seek(at)
        return file.read(size)
    except OSError as error:
        raise ContainerError(f"{file.name}: cannot be read: {error.strerror or error}") from None


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _is_sealed(data: bytes, size: int) -> bool:
    """Whether the first `size` bytes are there and followed by their check sum."""
    return len(data) >= size + _CRC.size and _CRC.unpack_from(data, size)[0] == zlib.crc32(data[:size])


def _read_end(file: BinaryIO, at: int) -> int | None:
    """Number of frames, if a whole end mark is at `at`."""
    data = _at(file, at, _END.size + _CRC.size)
    if not data.startswith(END_MARK) or not _is_sealed(data, _END.size):
        return None
    return _END.unpack_from(data)[1]


def _read_frame(file: BinaryIO, at: int) -> tuple[StoredFrame, int] | None:
    """The frame at `at` and the size of its record, or None if there is no whole one."""
    head = _at(file, at, _FRAME.size + 2 * MAX_PACKETS + _CRC.size)
    if not head.startswith(FRAME_MARK) or len(head) < _FRAME.size:
        return None
    _, number, time, count = _FRAME.unpack_from(head)
    size = _FRAME.size + 2 * count
    if count > MAX_PACKETS or time >= _MAX_TIME or not _is_sealed(head, size):
        return None
    lengths = struct.unpack_from(f">{count}H", head, _FRAME.size)
    if any(length > MAX_PAYLOAD for length in lengths):
        return None
    size += _CRC.size
    data = _at(file, at + size, sum(lengths))
    if len(data) != sum(lengths):
        return None
    packets, begin = [], 0
    for length in lengths:
        packets.append(data[begin : begin + length])
        begin += length
    return StoredFrame(number, time / _MICRO, tuple(packets)), size + len(data)


def _next_mark(file: BinaryIO, at: int) -> int:
    """Where the next record may begin, or the file's size."""
    size = _size(file)
    while at < size:
        block = _at(file, at, _SCAN)
        found = [i for i in (block.find(FRAME_MARK), block.find(END_MARK)) if i >= 0]
        if found:
            return at + min(found)
        at += max(len(block) - len(FRAME_MARK) + 1, 1)
    return size
