"""The codec: frames to packets, and whatever packets arrive to frames.

    setup = Setup(width, height, fps)
    encoder = Encoder(setup, kbps=300)
    decoder = Decoder(setup)
    for frame in video:
        for picture in decoder.push(lossy(encoder.push(frame))):
            ...

Any subset of packets decodes; the encoder is never told the loss. `docs/bitstream.md` says what travels.
"""

from __future__ import annotations

from t4vcodec.codec.decoder import Decoder
from t4vcodec.codec.encoder import Encoder, EncoderError
from t4vcodec.codec.packets import Packet, PacketError
from t4vcodec.codec.setup import Setup, SetupError

__all__ = ["Decoder", "Encoder", "EncoderError", "Packet", "PacketError", "Setup", "SetupError"]
