"""Load and compile what coding needs before a session, so that its first pictures are no slower than others."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from t4vcodec.codec import Decoder, Encoder, Setup
from t4vcodec.media.frames import Frame

SIDE = 64


def warm(model: str | None = None, *, encode: bool) -> None:
    """Code four small pictures, the third with losses. encode: whether the encoder will be needed, or only
    the decoder.

    Takes about a second; raises ModelError if there is no such model.
    """
    setup = Setup(SIDE, SIDE, Fraction(25), **({} if model is None else {"model": model}))
    encoder = Encoder(setup, quality=30, feedback=encode, threads=1)
    decoder = Decoder(setup)
    chroma = np.full((SIDE // 2, SIDE // 2), 128, np.uint8)
    for number in range(4):
        luma = np.add.outer(np.arange(SIDE), np.arange(SIDE) * number).astype(np.uint8)
        packets = encoder.push(Frame(luma, chroma, chroma, 0.0))
        decoder.push(packets[1:] if number == 2 else packets)
        decoder.close(until=number)
        report = decoder.report()
        if encode and report is not None:
            encoder.report(report)
