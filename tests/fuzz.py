"""Throws damaged and hostile input at the decoder and the container reader.

    python tests/fuzz.py --packets 100000 --raw 1000000 --wild 2000 --containers 20000 --sequences 500

packets     mutated packets, the check sum put right again: parsed, header and payload
raw         mutated packets as they are, pushed into a decoder
wild        packets that parse, but whose symbols are the decoder's reading of random bytes: made pictures
containers  mutated .t4v files, half of them with check sums put right again: read, some of them decoded
sequences   pushes out of order, doubled, cut, of another session, late, far ahead, with closings between

Nothing but the documented errors may come out, each call must end within CALL_SECONDS, and the process may
not grow by more than GROWTH_MEGABYTES. Ends with a traceback where something else happens; a seed repeats it.
"""

from __future__ import annotations

import argparse
import binascii
import resource
import struct
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from t4vcodec.codec import Decoder, Encoder, Packet, PacketError, Setup
from t4vcodec.codec import container as box
from t4vcodec.codec.entropy import Coder
from t4vcodec.codec.models import load_tables
from t4vcodec.codec.packets import (
    HEADER,
    MAX_PAYLOAD,
    FrameHeader,
    PayloadParser,
    payload_capacity,
    walk_part,
)
from t4vcodec.codec.playback import Playback
from t4vcodec.codec.symbols import LOST, ZERO, FrameSymbols
from t4vcodec.codec.syntax import PARTS
from t4vcodec.errors import T4VError
from t4vcodec.media.frames import Frame

CALL_SECONDS = 5.0  # a packet that lies 512 frames ahead makes as many pictures
GROWTH_MEGABYTES = 256
SETUP = Setup(96, 64, Fraction(25))
FOREIGN = Setup(80, 64, Fraction(25))


def moving_frames(width: int, height: int, count: int, seed: int = 0) -> list[Frame]:
    """Smooth noise that moves by a sample or two a frame."""
    random = np.random.Generator(np.random.PCG64(seed))
    coarse = random.integers(30, 220, (height // 8 + 8, width // 8 + 8)).astype(np.uint8)
    canvas = coarse.repeat(8, 0).repeat(8, 1)
    frames = []
    for i in range(count):
        y = np.ascontiguousarray(canvas[i : i + height, 2 * i : 2 * i + width])
        chroma = np.ascontiguousarray(y[::2, ::2]) // 2 + 64
        frames.append(Frame(y, chroma, 255 - chroma, i / 25))
    return frames


@cache
def streams() -> tuple[tuple[bytes, ...], ...]:
    """Packets of each frame of a short session: made for loss at first, then at a starved rate."""
    frames = moving_frames(SETUP.width, SETUP.height, 20)
    protected = Encoder(SETUP, quality=24, resilience=0.3, threads=1)
    return tuple(tuple(bytes(p) for p in protected.push(f)) for f in frames)


@cache
def half_size_packets() -> tuple[bytes, ...]:
    starved = Encoder(SETUP, kbps=2, resilience=0.3, threads=1)
    return tuple(bytes(p) for f in moving_frames(SETUP.width, SETUP.height, 3) for p in starved.push(f))


@cache
def foreign_packets() -> tuple[bytes, ...]:
    encoder = Encoder(FOREIGN, quality=24, threads=1)
    return tuple(bytes(p) for f in moving_frames(FOREIGN.width, FOREIGN.height, 3) for p in encoder.push(f))


def all_packets() -> list[bytes]:
    return [p for frame in streams() for p in frame] + list(half_size_packets())


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """Flip, overwrite, cut, lengthen, or replace by noise."""
    out = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        way = random.integers(6)
        at = int(random.integers(max(len(out), 1)))
        if way == 0 and out:
            out[at] ^= 1 << int(random.integers(8))
        elif way == 1 and out:
            out[at : at + 4] = random.bytes(min(4, len(out) - at))
        elif way == 2:
            del out[at:]
        elif way == 3:
            out += random.bytes(int(random.integers(1, 40)))
        elif way == 4:
            out[HEADER:] = random.bytes(int(random.integers(0, 60)))
        elif out:
            out[min(at, HEADER - 1) : min(at, HEADER - 1) + 1] = random.bytes(1)
    return bytes(out)


def sealed(data: bytes, salt: int) -> bytes:
    """A packet with its check sum put right, and its version too, so that more gets through."""
    if len(data) < HEADER:
        return data
    data = bytes((data[0] & 63 | 64,)) + data[1:5] + bytes((data[5] & 252,)) + data[6:]
    crc = binascii.crc_hqx(data[HEADER:], binascii.crc_hqx(data[:6], salt))
    return data[:6] + crc.to_bytes(2, "big") + data[HEADER:]


class Watch:
    """Counts outcomes, times calls, and looks at memory."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        self._start = _peak_megabytes()

    def call(self, allowed: type[Exception] | tuple[()], function: Callable[..., Any], *args: Any) -> Any:
        """The function's result, or None where it raised `allowed`; anything else comes through."""
        start = time.perf_counter()
        result, outcome, message = None, "taken", ""
        try:
            result = function(*args)
        except allowed as error:
            outcome, message = type(error).__name__, str(error)
        took = time.perf_counter() - start
        assert "\n" not in message, message
        assert took < CALL_SECONDS, f"a call took {took:.1f} s"
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, took)
        return result

    @property
    def growth(self) -> float:
        return _peak_megabytes() - self._start

    def check_memory(self) -> None:
        assert self.growth < GROWTH_MEGABYTES, f"grew by {self.growth:.0f} MB"

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in sorted(self.outcomes.items()))
        return f"{counts}; slowest call {1000 * self.slowest:.1f} ms, grew by {self.growth:.0f} MB"


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fuzz_packets(count: int, seed: int = 0) -> Watch:
    """Mutated packets with the right check sum: header and payload."""
    random = np.random.Generator(np.random.PCG64(seed))
    parser = PayloadParser(SETUP, load_tables(SETUP.model))
    originals = all_packets()
    for packet in originals:
        parser.parse(Packet.parse(packet, SETUP))
    watch = Watch()
    for _ in range(count):
        data = sealed(mutated(originals[random.integers(len(originals))], random), SETUP.salt)
        watch.call(PacketError, lambda data: parser.parse(Packet.parse(data, SETUP)), data)
    for packet in originals:
        parser.parse(Packet.parse(packet, SETUP))  # the parser's scratch survived
    watch.check_memory()
    return watch


def fuzz_raw(count: int, seed: int = 0) -> Watch:
    """Mutated packets and noise, the check sum left as it is, into a decoder."""
    random = np.random.Generator(np.random.PCG64(seed + 1))
    originals = [*all_packets(), *foreign_packets(), b""]
    decoder = Decoder(SETUP)
    for frame in streams()[:3]:
        decoder.push(frame)
    watch = Watch()
    for _ in range(count):
        data = mutated(originals[random.integers(len(originals))], random)
        watch.call(PacketError, decoder.push, [data])
    watch.check_memory()
    return watch


def wild_packet(header: FrameHeader, index: int, random: np.random.Generator) -> Packet | None:
    """A packet that parses and means what the decoder reads from random bytes; None if it grew too long."""
    tables = load_tables(SETUP.model)
    packets = header.map(SETUP)
    t = (
        tables.cumulated,
        tables.row,
        tables.cost,
        np.zeros((tables.row.size, tables.frequencies.shape[1]), np.int64),
        np.zeros(len(PARTS)),
    )
    reader = Coder.decoder(random.bytes(int(random.integers(4, 400))))
    writer = Coder.encoder(payload_capacity(2 * packets.packet.size))
    orders = [(packets.order[index], False)]
    if header.copy_offset:
        orders.append((packets.order[(index + header.copy_offset) % header.count], True))
    for order, copy in orders:
        symbols = FrameSymbols.lost(packets.columns, packets.rows)
        for coder in (reader, writer):
            # The reader stops far beyond its input's end; what it left out becomes plain.
            if coder is writer:
                symbols.kind[order[symbols.kind[order] == LOST]] = ZERO
            walk_part(coder, t, header, packets, order, copy, symbols)
    payload = writer.finish()
    if payload is None or HEADER + len(payload) > MAX_PAYLOAD:
        return None
    return Packet(header, index, payload, SETUP.salt)


def random_header(number: int, random: np.random.Generator) -> FrameHeader:
    half = bool(random.integers(4) == 0)
    distance = int(random.integers(32))
    return FrameHeader(
        number=number & 0xFFFF,
        count=int(random.integers(1, SETUP.grid(half).most_packets + 1)),
        quality=int(random.integers(64)),
        distance=distance,
        long=distance == 0 or bool(random.integers(2)),
        copies=bool(random.integers(2)),
        half=half,
    )


def fuzz_wild(count: int, seed: int = 0) -> Watch:
    """Frames of packets whose symbols nobody would encode, decoded to pictures."""
    random = np.random.Generator(np.random.PCG64(seed + 2))
    decoder = Decoder(SETUP)
    for frame in streams()[:2]:
        decoder.push(frame)
    number = decoder.next_frame
    watch = Watch()
    for _ in range(count):
        header = random_header(number, random)
        wanted = random.permutation(header.count)[: int(random.integers(1, header.count + 1))]
        packets = [p for i in wanted if (p := wild_packet(header, int(i), random)) is not None]
        shown = watch.call((), decoder.push, packets)
        shown += watch.call((), decoder.close, number)
        assert len(shown) == 1, f"{len(shown)} pictures for frame {number}"
        assert shown[0].y.shape == (SETUP.height, SETUP.width)
        number += 1
    watch.check_memory()
    return watch


def sample_file(path: Path) -> bytes:
    with box.ContainerWriter(path, SETUP) as writer:
        for i, packets in enumerate(streams()[:6]):
            writer.write(i / 25, packets)
    return path.read_bytes()


def _resealed(data: bytes, random: np.random.Generator) -> bytes:
    """One number of a head, a frame record or the end mark changed, its check sum put right."""
    out = bytearray(data)
    marks = [0]
    at = 0
    for mark in (box.FRAME_MARK, box.END_MARK):
        at = 0
        while (at := data.find(mark, at)) >= 0:
            marks.append(at)
            at += 1
    at = marks[random.integers(len(marks))]
    if at == 0:
        length = struct.unpack_from(">H", data, 9)[0]
        size = 11 + length
        low = 11
    elif data.startswith(box.END_MARK, at):
        size, low = 8, 4
    else:
        size, low = 17 + 2 * data[at + 16], 4
    for _ in range(int(random.integers(1, 3))):
        out[at + int(random.integers(low, size))] = int(random.integers(256))
    out[at + size : at + size + 4] = zlib.crc32(out[at : at + size]).to_bytes(4, "big")
    return bytes(out)


def fuzz_containers(count: int, seed: int = 0, decode_every: int = 25) -> Watch:
    """Mutated files, read to their end; every `decode_every`th is also decoded."""
    random = np.random.Generator(np.random.PCG64(seed + 3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.t4v"
        original = sample_file(path)
        list(Playback(box.ContainerReader(path)))
        watch = Watch()

        def read(decode: bool) -> None:
            reader = box.ContainerReader(path)
            frames = list(reader)
            assert reader.damage is not None
            assert [f.number for f in frames] == sorted({f.number for f in frames})
            # Frames that are not there must have left bytes: numbers can not make the reader give many.
            assert not frames or frames[-1].number < len(original)
            if decode and reader.setup.width * reader.setup.height <= 256 * 256:
                playback = Playback(reader)
                assert sum(1 for _ in playback) == playback.frames

        for i in range(count):
            way = random.integers(4)
            data = original
            if way <= 1:
                data = _resealed(data, random)
            elif way == 2:
                cut = int(random.integers(len(data)))
                end = cut + int(random.integers(1, 2000))
                data = data[:cut] if random.integers(2) else data[:cut] + data[end:]
            else:
                data = bytearray(data)
                for _ in range(int(random.integers(1, 20))):
                    data[random.integers(len(data))] = int(random.integers(256))
            path.write_bytes(data)
            watch.call(T4VError, read, i % decode_every == 0)
        watch.check_memory()
    return watch


def fuzz_sequences(count: int, seed: int = 0) -> Watch:
    """Whole sessions whose packets come doubled, out of order, cut, foreign, late, and far ahead."""
    random = np.random.Generator(np.random.PCG64(seed + 4))
    watch = Watch()
    for _ in range(count):
        decoder = Decoder(SETUP)
        sent = list(streams())[: int(random.integers(3, 20))]
        queue = [p for frame in sent for p in frame if random.random() < 0.8]
        for _ in range(int(random.integers(0, 10))):
            i, j = random.integers(len(queue), size=2)
            queue[i], queue[j] = queue[j], queue[i]
        numbers: list[int] = []
        for packet in queue:
            way = random.integers(12)
            batch = [packet]
            if way == 0:
                batch = [packet, packet]
            elif way == 1:
                batch = [packet[: int(random.integers(len(packet)))], packet]
            elif way == 2:
                foreign = foreign_packets()
                batch = [foreign[random.integers(len(foreign))], packet]
            elif way == 3:
                ahead = bytearray(packet)
                ahead[1:3] = random.bytes(2)
                # Mostly refused as too far; one within reach makes pictures for all in between.
                if random.integers(20):
                    ahead[1] |= 0x80
                batch = [sealed(bytes(ahead), SETUP.salt)]
            elif way == 4:
                header = random_header(decoder.next_frame, random)
                wild = wild_packet(header, int(random.integers(header.count)), random)
                batch = [packet] if wild is None else [wild, packet]
            shown = watch.call(PacketError, decoder.push, batch) or []
            if way == 5:
                until = decoder.next_frame + int(random.integers(-2, 3))
                shown += watch.call((), decoder.close, until)
            numbers += [round(f.time * 25) for f in shown]
        shown = watch.call((), decoder.close, decoder.next_frame)
        numbers += [round(f.time * 25) for f in shown]
        assert numbers == list(range(len(numbers))), f"frame numbers {numbers}"
        assert decoder.state.number == len(numbers) - 1
    watch.check_memory()
    return watch


def main() -> None:
    """Command line: see the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    kinds = {
        "packets": (fuzz_packets, 100_000),
        "raw": (fuzz_raw, 1_000_000),
        "wild": (fuzz_wild, 2_000),
        "containers": (fuzz_containers, 20_000),
        "sequences": (fuzz_sequences, 500),
    }
    for name, (_, usual) in kinds.items():
        parser.add_argument(f"--{name}", type=int, default=usual, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    chosen = vars(parser.parse_args())
    for name, (function, _) in kinds.items():
        if chosen[name]:
            start = time.monotonic()
            watch = function(chosen[name], chosen["seed"])
            print(f"{name}: {watch}; {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
