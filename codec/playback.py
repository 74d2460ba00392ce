"""From a `.t4v` file to pictures, through a channel if wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from t4vcodec.codec.container import ContainerReader
from t4vcodec.codec.decoder import Decoder
from t4vcodec.codec.packets import Packet, PacketError
from t4vcodec.media.frames import Frame


class Playback:
    """Pictures of a file, one for every frame number, in order, with the file's own times.

    survives: asked for each packet in sending order with its time in seconds, whether it arrives.
    Iterate once; afterwards `packets` (in whole records), `lost` (by `survives`) and `damaged` (check sum or
    content wrong: as if lost) are counted, and the reader's `damage` is known.
    """

    def __init__(self, reader: ContainerReader, survives: Callable[[float], bool] | None = None) -> None:
        self._reader = reader
        self._survives = survives
        self.packets = self.lost = self.damaged = self.frames = 0

    def __iter__(self) -> Iterator[Frame]:
        decoder = Decoder(self._reader.setup, colour=self._reader.colour)
        time = -1 / float(self._reader.setup.fps)
        for stored in self._reader:
            missing = stored.number - self.frames
            step = (stored.time - time) / (missing + 1)
            for _ in range(missing):
                time += step
                yield from self._shown(decoder, [], self.frames, time)
            time = stored.time
            yield from self._shown(decoder, stored.packets, stored.number, time)

    def _shown(self, decoder: Decoder, packets: Sequence[bytes], number: int, time: float) -> Iterator[Frame]:
        pictures = []
        for data in packets:
            self.packets += 1
            if self._survives is not None and not self._survives(max(time, 0.0)):
                self.lost += 1
                continue
            try:
                packet = Packet.parse(data, self._reader.setup)
                if packet.frame != number & 0xFFFF:
                    raise PacketError("packet in the record of another frame")
                pictures += decoder.push([packet])
            except PacketError:
                self.damaged += 1
        pictures += decoder.close(until=number)
        self.frames = number + 1
        for picture in pictures:
            yield replace(picture, time=max(time, 0.0))
