"""Standard codecs as opponents: x264, x265, SVT-AV1 and VP9 at low delay, in packets, through real decoders.

`candidates` lists settings worth trying, `encode` makes a clip's payloads at one quality; whatever protects them
stands between that and `receiver`, which shows what arrived.

>>> settings = CodecSettings("x264", "medium", tune="ssim", scale=Fraction(1, 2))
>>> settings.name
'x264-medium-ssim-half'
"""

from __future__ import annotations

from fractions import Fraction

from t4vcodec.baselines.coded import CodedClip, encode
from t4vcodec.baselines.receivers import StandardReceiver
from t4vcodec.baselines.settings import CODECS, BaselineError, CodecSettings, candidates, check_available
from t4vcodec.media.frames import Colour
from t4vcodec.network.stream import Receiver

__all__ = [
    "CODECS",
    "BaselineError",
    "CodecSettings",
    "CodedClip",
    "candidates",
    "check_available",
    "encode",
    "receiver",
]


def receiver(coded: CodedClip, width: int, height: int, fps: Fraction, colour: Colour) -> Receiver:
    """A fresh receiver of `coded`, which shows pictures of `width` x `height`.

    Its `receive` takes, for each frame number in turn, the payloads of that frame that are there (those that left
    with `coded.carrier(frame)`, where frames share packets), and never raises.
    """
    return StandardReceiver(coded, width, height, fps, colour)
