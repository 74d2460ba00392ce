"""The codec inside aiortc: frames through encoder and decoder, the buffer, and two peers on loopback."""

import asyncio
import fractions
import random

import numpy as np
import pytest

pytest.importorskip("aiortc", reason="aiortc is not installed: pip install 't4vcodec[aiortc]'")

from aiortc import RTCPeerConnection, RTCRtpSender, VideoStreamTrack
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.live.aiortc_codec import (
    MIME_TYPE,
    ArrivedBuffer,
    Payload,
    T4vDecoder,
    T4vEncoder,
    register,
    split,
    video_frame,
)
from virtual_session import picture_at

CLOCK = fractions.Fraction(1, 90000)


def frame(number, width=32, height=32):
    picture = video_frame(picture_at(number, width, height))
    picture.pts, picture.time_base = number * 9000, CLOCK
    return picture


def error(picture, number) -> float:
    wanted = picture_at(number, picture.width, picture.height).y.astype(float)
    plane = picture.planes[0]
    seen = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    return float(np.abs(seen - wanted).mean())


def test_frames_go_through_and_lost_ones_have_pictures():
    encoder, decoder = T4vEncoder(), T4vDecoder()
    seen = []
    for number in range(6):
        payloads, stamp = encoder.encode(frame(number))
        assert all(len(payload) <= 1212 for payload in payloads)
        if number != 3:
            seen += decoder.decode(JitterFrame(b"".join(payloads), stamp))
    assert [picture.pts for picture in seen] == [n * 9000 for n in range(6)]
    assert max(error(seen[n], n) for n in (0, 1, 2, 5)) < 10


def test_a_key_frame_or_another_size_begins_anew():
    encoder, decoder = T4vEncoder(), T4vDecoder()
    for number in range(3):
        payloads, _ = encoder.encode(frame(number))
    assert decoder.decode(JitterFrame(b"".join(payloads), 0)) != []  # a picture, of what little is known
    for width, forced in ((32, True), (50, False)):
        payloads, stamp = encoder.encode(frame(5, width), force_keyframe=forced)
        (picture,) = decoder.decode(JitterFrame(b"".join(payloads), stamp))
        assert picture.width == width
        assert error(picture, 5) < 10


def test_the_rate_is_what_the_peer_allows():
    encoder = T4vEncoder()
    encoder.target_bitrate = 10**9
    assert encoder.target_bitrate == 20_000_000
    encoder.target_bitrate = 0
    assert encoder.target_bitrate == 30_000


@given(st.binary(max_size=300))
def test_bytes_that_make_no_sense_give_no_picture(data):
    assert T4vDecoder().decode(JitterFrame(data, 0)) == []
    for _, setup, part in split(data):
        assert setup.width > 0
        assert len(part) <= len(data)


def packets(frames, each, start):
    """RTP packets of `each` a frame, their data naming them."""
    for number in range(frames):
        for index in range(each):
            packet = RtpPacket(
                sequence_number=(start + number * each + index) & 0xFFFF,
                timestamp=(2**32 - 9000 + number * 3000) & 0xFFFFFFFF,
                marker=int(index == each - 1),
            )
            packet._data = Payload(b"%d.%d " % (number, index))
            yield packet


def test_the_buffer_hands_out_at_once_what_is_whole():
    buffer = ArrivedBuffer(512, is_video=True)
    out = [buffer.add(packet)[1] for packet in packets(9, 3, 65530)]
    whole = [frame.data for frame in out[3:] if frame is not None]
    assert whole[1:] == [b"%d.0 %d.1 %d.2 " % (n, n, n) for n in range(1, 9)]


@pytest.mark.parametrize("seed", range(4))
def test_the_buffer_hands_everything_out_that_came_once(seed):
    draw = random.Random(seed)
    buffer = ArrivedBuffer(512, is_video=True)
    kept = [packet for packet in packets(40, 5, 65500) if draw.random() > 0.3]
    for i in range(len(kept) - 1):
        if draw.random() < 0.2:
            kept[i], kept[i + 1] = kept[i + 1], kept[i]
    out = [frame for packet in kept if (frame := buffer.add(packet)[1]) is not None]
    names = b"".join(frame.data for frame in out).split()
    assert len(names) == len(set(names))
    assert len(names) > len(kept) - 10
    assert len(out) > 35


def test_other_codecs_keep_their_buffer():
    buffer = ArrivedBuffer(512, is_video=True)
    out = []
    for packet in packets(3, 2, 0):
        packet._data = bytes(packet._data)
        out.append(buffer.add(packet)[1])
    assert [frame.data for frame in out if frame is not None] == [b"0.0 0.1 ", b"1.0 1.1 "]


def test_two_peers_on_loopback():
    register()
    register()

    class Pattern(VideoStreamTrack):
        number = 0

        async def recv(self):
            await asyncio.sleep(0.1)
            self.number += 1
            return frame(self.number)

    async def talk():
        ours = [
            codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.mimeType == MIME_TYPE
        ]
        assert len(ours) == 1
        here, there = RTCPeerConnection(), RTCPeerConnection()
        tracks = []
        there.on("track", tracks.append)
        here.addTrack(Pattern())
        here.getTransceivers()[0].setCodecPreferences(ours)
        await here.setLocalDescription(await here.createOffer())
        assert "T4V/90000" in here.localDescription.sdp
        await there.setRemoteDescription(here.localDescription)
        await there.setLocalDescription(await there.createAnswer())
        await here.setRemoteDescription(there.localDescription)
        try:
            return [await asyncio.wait_for(tracks[0].recv(), 60) for _ in range(6)]
        finally:
            await here.close()
            await there.close()

    pictures = asyncio.run(talk())
    assert all((picture.width, picture.height) == (32, 32) for picture in pictures)
    best = [min(error(picture, n) for n in range(1, 40)) for picture in pictures]
    assert sorted(best)[2] < 10
