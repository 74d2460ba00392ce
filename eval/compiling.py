"""The codec's kernels compiled before work is spread: once, and in two halves side by side.

Numba keeps what it compiled beside the code; processes that start together would each compile everything.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import torch
from t4vcodec.codec import Decoder, Encoder, Packet, PacketError, Setup
from t4vcodec.codec.packets import FrameHeader
from t4vcodec.codec.sample_kernels import bordered, predict_blocks
from t4vcodec.eval.metrics import ssim
from t4vcodec.media.frames import Frame

_SETUP = Setup(128, 96)


def compile_coding() -> None:
    """Encode and decode a moment, with losses."""
    encoder, decoder = Encoder(_SETUP, quality=26, threads=1), Decoder(_SETUP)
    scene = np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8)
    for number in range(4):
        y = np.ascontiguousarray(scene[number : number + 96, 2 * number : 2 * number + 128])
        u = np.ascontiguousarray(y[::2, ::2])
        packets = encoder.push(Frame(y, u, u, number / 25))
        decoder.push(packets[number > 1 :])
        decoder.close(until=number)


def compile_decoding() -> None:
    """What both sides need and the encoder comes to last: parsing, prediction; and the measure."""
    header = FrameHeader(0, 1, 26, 0, long=True)
    with suppress(PacketError):  # no frame, but read by the same code
        Decoder(_SETUP).push([Packet(header, 0, bytes(200), _SETUP.salt)])
    planes = tuple(bordered(torch.zeros(side)) for side in ((96, 128), (48, 64), (48, 64)))
    blocks = 96 // 8, 128 // 8
    still = np.zeros((*blocks, 2), np.int16)
    predict_blocks([planes, planes], still, np.zeros(blocks, np.uint8), np.ones(blocks, bool))
    ssim(np.zeros((32, 32), np.uint8), np.ones((32, 32), np.uint8))
