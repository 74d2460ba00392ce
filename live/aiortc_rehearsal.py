"""Two aiortc peers in one process, packets lost and late between them: delay and memory are measured.

python -m t4vcodec.live.aiortc_rehearsal IN OUT --kbps 200 --fps 3 --seconds 60 --loss 0.1 --delay 50
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import cycle, islice

import av
import numpy as np
from aiortc import RTCPeerConnection, RTCRtpSender, VideoStreamTrack
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcdtlstransport import RTCDtlsTransport
from t4vcodec.live.aiortc_codec import (
    MIME_TYPE,
    T4vDecoder,
    T4vEncoder,
    register,
    samples,
    split,
    video_frame,
)
from t4vcodec.live.rehearsal import MEBIBYTE, resident
from t4vcodec.media import open_video, open_writer
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.live.rtp import CLOCK


class Clip(VideoStreamTrack):
    """A file in real time, again and again, at `fps` pictures a second; late ones are left out."""

    def __init__(self, source: str, fps: float) -> None:
        super().__init__()
        video = open_video(source)
        self._pictures = cycle(islice(video, 0, None, max(round(float(video.info.fps) / fps), 1)))
        self._interval = 1 / fps
        self._begun: float | None = None
        self._next = 0

    async def recv(self) -> av.VideoFrame:
        """The next picture, at its time."""
        self._begun = time.monotonic() if self._begun is None else self._begun
        late = int((time.monotonic() - self._begun) / self._interval)
        while self._next < late:
            next(self._pictures)
            self._next += 1
        due = self._begun + self._next * self._interval
        await asyncio.sleep(max(due - time.monotonic(), 0))
        picture = video_frame(next(self._pictures))
        picture.pts, picture.time_base = round(self._next * self._interval * CLOCK), Fraction(1, CLOCK)
        Watch.captured[picture.pts] = due
        self._next += 1
        return picture


class Watch:
    """Notes when frames are captured and when they are decoded."""

    captured: dict[int, float] = {}  # noqa: RUF012
    sent: dict[bytes, float] = {}  # noqa: RUF012
    delays: list[float] = []  # noqa: RUF012

    @classmethod
    def install(cls) -> None:
        """Surround encoder and decoder. A frame is known again by session, and frame number in its packets."""
        encode, decode = T4vEncoder.encode, T4vDecoder.decode

        def watched_encode(self: T4vEncoder, frame: av.VideoFrame, force_keyframe: bool = False):
            taken = cls.captured.pop(frame.pts)
            payloads, stamp = encode(self, frame, force_keyframe)
            cls.sent[next(keys(payloads[0]))] = taken
            return payloads, stamp

        def watched_decode(self: T4vDecoder, encoded_frame: JitterFrame) -> list[av.VideoFrame]:
            pictures = decode(self, encoded_frame)
            for key in set(keys(encoded_frame.data)):
                if (taken := cls.sent.pop(key, None)) is not None:
                    cls.delays.append(time.monotonic() - taken)
            return pictures

        T4vEncoder.encode, T4vDecoder.decode = watched_encode, watched_decode


def keys(data: bytes) -> Iterator[bytes]:
    """Session and frame number of each packet."""
    for session, _, packet in split(data):
        yield session.to_bytes(2, "big") + packet[1:3]


def spoil(loss: str, delay: float) -> dict[str, int]:
    """Lose RTP and RTCP of all connections by a channel, and hold them for `delay` seconds. Returns counts."""
    session = parse_channel(loss).session("aiortc", 0)
    send = RTCDtlsTransport._send_rtp
    begun = time.monotonic()
    counts = {"passed": 0, "lost": 0}

    async def late(self: RTCDtlsTransport, data: bytes) -> None:
        await asyncio.sleep(delay)
        try:
            await send(self, data)
        except ConnectionError:
            return  # the connection was closed meanwhile

    async def spoiled(self: RTCDtlsTransport, data: bytes) -> None:
        lost = session.lost(time.monotonic() - begun)
        counts["lost" if lost else "passed"] += 1
        if not lost:
            tasks.add(task := asyncio.create_task(late(self, data)))
            task.add_done_callback(tasks.discard)

    tasks: set[asyncio.Task] = set()
    RTCDtlsTransport._send_rtp = spoiled
    return counts


async def rehearse(options: argparse.Namespace) -> None:
    """Run both, and print what was measured."""
    register()
    Watch.install()
    counts = spoil(options.loss, options.delay / 1000)
    T4vEncoder.kbps_at_start = options.kbps
    here, there = RTCPeerConnection(), RTCPeerConnection()
    tracks: list = []
    there.on("track", tracks.append)
    here.addTrack(Clip(options.source, options.fps))
    ours = [codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.mimeType == MIME_TYPE]
    here.getTransceivers()[0].setCodecPreferences(ours)
    await here.setLocalDescription(await here.createOffer())
    await there.setRemoteDescription(here.localDescription)
    await there.setLocalDescription(await there.createAnswer())
    await here.setRemoteDescription(there.localDescription)
    end = time.monotonic() + options.seconds
    memory = []
    pictures = 0
    info = open_video(options.source).info
    with open_writer(options.target, info.width, info.height, Fraction(options.fps), info.colour) as writer:
        while time.monotonic() < end:
            picture = await tracks[0].recv()
            writer.write(samples(picture))
            pictures += 1
            memory.append(resident(os.getpid()))
    await here.close()
    await there.close()
    median, p95, most = 1000 * np.percentile(Watch.delays, (50, 95, 100))
    print(f"pictures {pictures}; packets passed {counts['passed']}, lost {counts['lost']}")
    print(f"delay from capture to decoded picture: median {median:.0f}, p95 {p95:.0f}, most {most:.0f} ms")
    third = memory[len(memory) // 3] / MEBIBYTE
    print(f"memory: {third:.0f} MiB after a third of the time, {memory[-1] / MEBIBYTE:.0f} at the end")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m t4vcodec.live.aiortc_rehearsal", description=__doc__.split("\n")[0]
    )
    parser.add_argument("source", metavar="IN", help="a file, played again and again")
    parser.add_argument("target", metavar="OUT", help="a .y4m file, or a folder for pictures")
    parser.add_argument("--kbps", type=float, default=500)
    parser.add_argument("--fps", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--loss", default="0.1", help="a channel, for both ways together")
    parser.add_argument("--delay", type=float, default=50.0, help="one way, milliseconds")
    asyncio.run(rehearse(parser.parse_args()))


if __name__ == "__main__":
    main()
